"""Clocks of boards: which a PLL can make, and how, and what is said of those that it cannot."""

import random
from fractions import Fraction

import pytest

from trine_boards import BOARDS
from trine_boards.clock.choice import board_clock, board_clocks, highest_clock
from trine_boards.clock.ecp5 import ECP5ClockDomain, pll_dividers
from trine_boards.clock.gowin import GW1N, GW2A, GW1NClockDomain, GW2AClockDomain, rpll_settings
from trine_boards.clock.ice40 import ICE40ClockDomain, pll_settings
from trine_hw.link.uart import uart_divisor
from trine_sw.support.arithmetic import ceil_div
from trine_sw.support.errors import ClockError

each_board = pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))


@pytest.mark.parametrize("input_mhz", [12, 25, 100])
def test_an_ecp5_makes_all_its_clocks_with_the_oscillator_away_from_its_limits(input_mhz):
    clocks = ECP5ClockDomain.clocks(input_mhz)
    assert list(clocks) == sorted(set(clocks)) and len(clocks) > 1000
    for mhz in random.Random(input_mhz).sample(clocks, 500):
        made = pll_dividers(input_mhz, float(mhz))
        detector = Fraction(input_mhz, made.reference)
        vco = detector * made.feedback * made.loop
        assert float(vco) == pytest.approx(made.vco_mhz(input_mhz)) and 440 <= vco <= 760
        assert Fraction(25, 8) <= detector <= 400 and 8 <= vco / made.loop <= 400
        assert abs(vco / made.output - mhz) < 1e-3 and Fraction(25, 8) <= mhz <= 400
        assert all(1 <= divider <= 128 for divider in made) and made.feedback <= 80


@pytest.mark.parametrize("mhz", [75, 80, 85, 87.5, 100, 110.714, 120, 125])
def test_the_oscillator_is_as_near_to_its_middle_as_any_dividers_bring_it(mhz):
    """Against all dividers, tried one by one; a detector below 10 MHz only where there is no other."""
    made = pll_dividers(25, mhz)
    by_detector = {False: [], True: []}
    for reference in range(1, 9):
        for factor in range(ceil_div(440 * reference, 25), 760 * reference // 25 + 1):
            for output in range(1, 129):
                vco = 25 * factor / reference
                if abs(vco / output - mhz) < 1e-3 and 440 <= vco <= 760:
                    by_detector[25 / reference < 10].append(abs(vco - 600))
    low = 25 / made.reference < 10
    assert low == (not by_detector[False])
    assert abs(made.vco_mhz(25) - 600) == pytest.approx(min(by_detector[low]))


@pytest.mark.parametrize("input_mhz", [12, 25, 48, 100])
def test_an_ice40_makes_all_its_clocks_within_the_limits(input_mhz):
    clocks = ICE40ClockDomain.clocks(input_mhz)
    assert list(clocks) == sorted(set(clocks)) and len(clocks) > 90
    for mhz in clocks:
        made = pll_settings(input_mhz, float(mhz))
        detector = Fraction(input_mhz, made.divr + 1)
        vco = detector * (made.divf + 1)
        assert vco / 2**made.divq == mhz and 533 <= vco <= 1066 and 10 <= detector <= 133
        assert made.divr < 16 and made.divf < 128 and 1 <= made.divq <= 6 and 1 <= made.filter_range <= 6


@pytest.mark.parametrize("input_mhz", [12, 27, 50])
@pytest.mark.parametrize(
    ("domain", "limits", "lowest", "highest"),
    [(GW1NClockDomain, GW1N, 480, 1120), (GW2AClockDomain, GW2A, 575, 1175)],
)
def test_a_gowin_makes_all_its_clocks_with_the_oscillator_away_from_its_limits(
    input_mhz, domain, limits, lowest, highest
):
    clocks = domain.clocks(input_mhz)
    assert list(clocks) == sorted(set(clocks)) and len(clocks) > 100
    made = {mhz: rpll_settings(limits, input_mhz, float(mhz)) for mhz in clocks}
    for mhz, (reference, feedback, output) in made.items():
        assert Fraction(input_mhz * feedback, reference) == mhz and Fraction(input_mhz, reference) >= 3
        assert lowest <= mhz * output <= highest and 1 <= reference <= 64 and 1 <= feedback <= 64
        assert output in (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)
        assert made[mhz].vco_mhz(input_mhz) == pytest.approx(float(mhz * output))
        # Of no other dividers is the detector's frequency higher.
        assert all(mhz * other % input_mhz for other in range(1, reference))


def test_a_pll_says_what_it_can_make():
    with pytest.raises(ClockError, match="makes no 80.01 MHz; the nearest is 80, so ask for that"):
        pll_dividers(25, 80.01)
    with pytest.raises(ClockError, match="makes no 21.1 MHz; the nearest is 21, so ask for that"):
        pll_settings(12, 21.1)


@each_board
def test_any_clock_is_either_one_of_the_board_s_or_an_error_with_the_nearest(board):
    clocks = board_clocks(board)
    draw = random.Random(5)
    refused = 0
    for _ in range(300):
        mhz = draw.choice((draw.uniform(0.1, 500), draw.choice(clocks), round(draw.uniform(1, 130), 1)))
        best = min(clocks, key=lambda clock: abs(clock - mhz))
        try:
            clock = board_clock(board, mhz)
        except ClockError as error:
            refused += 1
            assert abs(best - mhz) >= 1e-3 and str(error).endswith(f"can run at is {best:.7g} MHz")
            clock = board_clock(board, float(f"{best:.7g}"))  # what the message says can be asked for
        assert clock == best
        made = board.clock_domain(clock, 0.05)
        assert made.output_mhz == clock
        assert not board.baud or uart_divisor(clock * 1e6, board.baud) >= 4
    assert 50 < refused < 250
    for wrong in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ClockError, match="a number of MHz above 0"):
            board_clock(board, wrong)


@each_board
def test_the_highest_clock_with_a_margin_is_met_and_the_next_one_is_not(board):
    clocks = board_clocks(board)
    draw = random.Random(6)
    for _ in range(50):
        fmax, margin = draw.uniform(clocks[0] * 1.2, 200), draw.choice((0, 0.05, 0.1))
        clock = highest_clock(board, fmax, margin)
        assert clock in clocks and clock * (1 + margin) <= fmax
        assert all(other * (1 + margin) > fmax for other in clocks[clocks.index(clock) + 1 :])
    assert highest_clock(board, clocks[0] * 0.99) is None


def test_110_82_is_no_clock_of_the_ulx3s():
    with pytest.raises(ClockError, match=r"nearest clock that it can run at is 110\.8333 MHz"):
        board_clock(BOARDS["ulx3s"], 110.82)
    assert highest_clock(BOARDS["ulx3s"], 110.82) == pytest.approx(25 * 31 / 7)


@each_board
def test_the_board_s_own_clock_can_be_made_and_divides_into_its_baud_rate(board):
    assert board_clock(board, board.clock_mhz) == board.clock_mhz
    assert not board.baud or uart_divisor(board.clock_mhz * 1e6, board.baud) >= 4
