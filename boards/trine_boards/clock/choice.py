"""Clocks of a board's engine: those that its PLL makes and that serve its transport."""

from functools import cache

from trine_boards.board_spec import BoardSpec
from trine_boards.clock.pll import NAMED_MHZ, nearest
from trine_boards.transports.base import BoardTransport
from trine_sw.support.checks import finite_real, shown
from trine_sw.support.errors import ClockError, TrineError

__all__ = ["board_clock", "board_clocks", "highest_clock"]


def board_clocks(board: BoardSpec) -> tuple[float, ...]:
    """All clocks in MHz, rising, that the PLL of `board` can make and that serve its transport."""
    return _clocks(board.clock_domain, board.platform().default_clk_frequency / 1e6, board.transport)


@cache
def _clocks(clock_domain, input_mhz: float, transport: BoardTransport) -> tuple[float, ...]:
    found = []
    for mhz in map(float, clock_domain.clocks(input_mhz)):
        try:
            transport.check_clock(mhz)
        except ClockError:
            continue
        found.append(mhz)
    return tuple(found)


def board_clock(board: BoardSpec, mhz: float) -> float:
    """The clock in MHz that is meant by `mhz`: the one of :func:`board_clocks` that lies within 1 kHz.

    Raises
    ------
    ClockError
        Where there is none; the message has the nearest.
    """
    try:
        wanted = finite_real(mhz, "the clock")
    except TrineError:
        wanted = 0.0
    if wanted <= 0:
        raise ClockError(f"the clock must be a number of MHz above 0, not {shown(mhz)}")
    clock = nearest(board_clocks(board), wanted)
    if abs(clock - wanted) >= NAMED_MHZ:
        raise ClockError(
            f"{board.title} cannot run at {wanted:.10g} MHz: its PLL does not make that clock, or "
            f"{_need(board.transport)}; the nearest clock that it can run at is "
            f"{clock:.7g} MHz"
        )
    return clock


def _need(transport: BoardTransport) -> str:
    """What a clock lacks that does not serve this transport."""
    if transport.baud:
        return f"{transport.baud} baud cannot be divided from it"
    return f"it does not serve the link {transport.name}"


def highest_clock(board: BoardSpec, fmax_mhz: float, margin: float = 0) -> float | None:
    """The highest of :func:`board_clocks` that a design routed at `fmax_mhz` exceeds by `margin`, a fraction
    of the clock; None where even the lowest is too high."""
    return max((mhz for mhz in board_clocks(board) if mhz * (1 + margin) <= fmax_mhz), default=None)
