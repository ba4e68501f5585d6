"""The engine's clock on an ECP5: a PLL between the board's oscillator and ``sync``."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

from amaranth.hdl import ClockDomain, Const, Instance, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import Out

from trine_boards.clock.pll import ENGINE_CLOCK, NO_CLOCKS, START_SECONDS, constrained_clock, settings_for

__all__ = ["Dividers", "ECP5ClockDomain", "pll_dividers"]

# Limits of the PLL, MHz (Lattice FPGA-DS-02012, "sysCLOCK PLL Timing"): its oscillator, CLKI and CLKFB, and
# its outputs. A tenth of the oscillator's range is left free at each end, for chips and temperatures differ.
_VCO_MHZ = (400, 800)
_VCO_FREE_MHZ = (440, 760)
_VCO_MIDDLE_MHZ = 600
_INPUT_MHZ = (8, 400)
_OUTPUT_MHZ = (Fraction(25, 8), 400)
# The phase detector: the data sheet has 10 to 400, and guarantees its figures of jitter from 10 on. A lower
# one serves only clocks that otherwise the oscillator would make near its limits, or not at all; 3.125 is the
# limit of Project Trellis' generator (ecppll).
_DETECTOR_MHZ = (Fraction(25, 8), 400)
_DETECTOR_GUARANTEED_MHZ = 10
_LARGEST_DIVIDER = 128
_LARGEST_FEEDBACK = 80


class Dividers(NamedTuple):
    """Dividers of an ``EHXPLLL``: its oscillator is at ``input * feedback * loop / reference``; CLKOP, which
    is fed back, at ``oscillator / loop``; CLKOS, the engine's clock, at ``oscillator / output``."""

    reference: int
    feedback: int
    loop: int
    output: int

    def vco_mhz(self, input_mhz: float) -> float:
        """The oscillator's frequency in MHz."""
        return input_mhz * self.feedback * self.loop / self.reference


def pll_dividers(input_mhz: float, output_mhz: float) -> Dividers:
    """The dividers that make `output_mhz` with the oscillator nearest to the middle of its range.

    Of a phase detector at 10 MHz or above, where it can be; and with the highest frequency of the detector.

    Raises
    ------
    ClockError
        Where none make `output_mhz` with the oscillator a tenth of its range away from its limits.

    >>> pll_dividers(25, 75)
    Dividers(reference=1, feedback=1, loop=24, output=8)
    >>> pll_dividers(25, 80)
    Dividers(reference=5, feedback=2, loop=56, output=7)
    """
    return settings_for(_made(input_mhz), output_mhz)


@cache
def _made(input_mhz: float) -> dict[Fraction, Dividers]:
    """The dividers of each clock that can be made, by MHz in rising order."""
    exact = Fraction(input_mhz).limit_denominator(10**6)
    if not _INPUT_MHZ[0] <= exact <= _INPUT_MHZ[1]:
        return {}
    # By the clock's multiple of the input, a fraction in lowest terms; with each, how good its dividers are.
    made: dict[tuple[int, int], tuple[tuple[bool, float, int], Dividers]] = {}
    for reference in range(1, _LARGEST_DIVIDER + 1):
        detector = exact / reference
        if not _DETECTOR_MHZ[0] <= detector <= _DETECTOR_MHZ[1]:
            continue
        low, high = _VCO_FREE_MHZ
        for factor in range(math.ceil(low / detector), math.floor(high / detector) + 1):
            feedback = _feedback(factor, detector)
            if feedback is None:
                continue
            vco = detector * factor
            worth = (detector < _DETECTOR_GUARANTEED_MHZ, float(abs(vco - _VCO_MIDDLE_MHZ)), reference)
            outputs = math.ceil(vco / _OUTPUT_MHZ[1]), math.floor(vco / _OUTPUT_MHZ[0])
            for output in range(outputs[0], min(outputs[1], _LARGEST_DIVIDER) + 1):
                common = math.gcd(factor, reference * output)
                multiple = factor // common, reference * output // common
                if multiple not in made or worth < made[multiple][0]:
                    made[multiple] = worth, Dividers(reference, feedback, factor // feedback, output)
    rising = sorted(made, key=lambda multiple: multiple[0] / multiple[1])
    return {exact * Fraction(*multiple): made[multiple][1] for multiple in rising}


def _feedback(factor: int, detector_mhz: Fraction) -> int | None:
    """The least divider of CLKFB by which the oscillator runs at `factor` times the detector's frequency, and
    CLKOP, which is fed back, within its limits; None where there is none."""
    for feedback in range(1, min(factor, _LARGEST_FEEDBACK) + 1):
        fed_back = detector_mhz * feedback
        if (
            factor % feedback == 0
            and factor // feedback <= _LARGEST_DIVIDER
            and _INPUT_MHZ[0] <= fed_back <= _INPUT_MHZ[1]
        ):
            return feedback
    return None


def _pll(
    input_mhz: float,
    output_mhz: float,
    dividers: Dividers,
    clk_in: Value,
    fed_back: Signal,
    output: Value,
    locked: Signal,
    **more: Any,
) -> Instance:
    """A PLL whose CLKOS is `output`, with `more` of its ports and parameters."""
    return Instance(
        "EHXPLLL",
        # The loop filter is set by these attributes, as Lattice's and Trellis' generators do.
        a_FREQUENCY_PIN_CLKI=f"{input_mhz:g}",
        a_FREQUENCY_PIN_CLKOS=f"{output_mhz:g}",
        a_ICP_CURRENT="12",
        a_LPF_RESISTOR="8",
        a_MFG_ENABLE_FILTEROPAMP="1",
        a_MFG_GMCREF_SEL="2",
        p_PLLRST_ENA="DISABLED",
        p_INTFB_WAKE="DISABLED",
        p_STDBY_ENABLE="DISABLED",
        p_DPHASE_SOURCE="DISABLED",
        p_OUTDIVIDER_MUXA="DIVA",
        p_OUTDIVIDER_MUXB="DIVB",
        p_CLKI_DIV=dividers.reference,
        p_CLKFB_DIV=dividers.feedback,
        # CLKOP only feeds back.
        p_FEEDBK_PATH="CLKOP",
        p_CLKOP_ENABLE="ENABLED",
        p_CLKOP_DIV=dividers.loop,
        p_CLKOP_CPHASE=dividers.loop - 1,
        p_CLKOP_FPHASE=0,
        p_CLKOS_ENABLE="ENABLED",
        p_CLKOS_DIV=dividers.output,
        p_CLKOS_CPHASE=dividers.output - 1,
        p_CLKOS_FPHASE=0,
        i_RST=Const(0, 1),
        i_STDBY=Const(0, 1),
        i_CLKI=clk_in,
        i_CLKFB=fed_back,
        i_PHASESEL0=Const(0, 1),
        i_PHASESEL1=Const(0, 1),
        i_PHASEDIR=Const(1, 1),
        i_PHASESTEP=Const(1, 1),
        i_PHASELOADREG=Const(1, 1),
        i_PLLWAKESYNC=Const(0, 1),
        i_ENCLKOP=Const(0, 1),
        o_CLKOP=fed_back,
        o_CLKOS=output,
        o_LOCK=locked,
        **more,
    )


class ECP5ClockDomain(wiring.Component):
    """Drives ``sync`` from the platform's default clock through a PLL, once that has been locked for a while.

    ``sync`` has no reset: configuration leaves every register at its start value, and there it stays until
    the first edge. A reset would be a wire to each of some ten thousand registers, all over the chip, to be
    crossed in one cycle. The clock begins at least :data:`START_SECONDS` after the PLL has locked. When the
    PLL loses its lock, the clock stops after at most four cycles, in which registers may have gone wrong, and
    begins again as at first: ``lock_lost`` tells of it.

    Parameters
    ----------
    output_mhz : :class:`float`
        Clock of ``sync``.
    margin : :class:`float`
        Nextpnr is asked for a clock faster by this fraction.
    beside : mapping
        MHz of other clocks, by their domains: one that a second PLL makes, and one that divides it. These
        domains are in reset until that PLL has been locked for :data:`START_SECONDS`, and when it loses its
        lock.

    Members
    -------
    lock_lost : Out(1)
        In ``sync``, 1 for a cycle after the clock has been stopped. Stops that are a few cycles apart may be
        told as one.
    """

    def __init__(self, output_mhz: float, margin: float = 0, beside: Mapping[str, float] = NO_CLOCKS):
        self.output_mhz = output_mhz
        self.margin = margin
        self.beside = beside
        super().__init__({"lock_lost": Out(1)})

    @staticmethod
    def clocks(input_mhz: float) -> Sequence[Fraction]:
        """All MHz that can be made, rising."""
        return list(_made(input_mhz))

    def elaborate(self, platform):
        m = Module()
        input_mhz = platform.default_clk_frequency / 1e6
        dividers = pll_dividers(input_mhz, self.output_mhz)
        clk_in = platform.request(platform.default_clk).i
        fed_back, locked, steady = Signal(), Signal(), Signal()
        m.domains.sync = sync = ClockDomain(reset_less=True)
        m.domains.ungated = ungated = ClockDomain(local=True, reset_less=True)
        sync.clk, ungated.clk = constrained_clock(ENGINE_CLOCK), constrained_clock(f"{ENGINE_CLOCK}_ungated")
        m.submodules.pll = _pll(input_mhz, self.output_mhz, dividers, clk_in, fed_back, ungated.clk, locked)
        m.submodules.steady = FFSynchronizer(locked, steady, o_domain="ungated", reset_less=False)
        # Counts to a power of two, whose bit is the gate's enable.
        started = Signal(1 + math.ceil(math.log2(START_SECONDS * self.output_mhz * 1e6)))
        running = started[-1]
        stopped, told, seen, before = Signal(), Signal(), Signal(), Signal()
        with m.If(told):
            m.d.ungated += stopped.eq(0)
        with m.If(~steady):
            m.d.ungated += started.eq(0)
            with m.If(running):
                m.d.ungated += stopped.eq(1)
        with m.Elif(~running):
            m.d.ungated += started.eq(started + 1)
        # `stopped` waits for the clock that is to count it, and goes when that has seen it.
        m.submodules.seen = FFSynchronizer(stopped, seen, o_domain="sync", reset_less=False)
        m.submodules.told = FFSynchronizer(seen, told, o_domain="ungated", reset_less=False)
        m.d.sync += before.eq(seen)
        m.d.comb += self.lock_lost.eq(seen & ~before)
        # The global clock buffer starts and stops between two edges.
        m.submodules.gate = Instance("DCCA", i_CLKI=ungated.clk, i_CE=running, o_CLKO=sync.clk)
        for clock in (ungated.clk, sync.clk):
            platform.add_clock_constraint(clock, self.output_mhz * 1e6 * (1 + self.margin))
        if self.beside:
            self._add_beside(m, platform, input_mhz, clk_in)
        return m

    def _add_beside(self, m: Module, platform: Any, input_mhz: float, clk_in: Value) -> None:
        """The second PLL, with the domains' clocks and resets."""
        slow, *faster = sorted(self.beside, key=lambda name: self.beside[name])
        fast = faster[-1] if faster else slow
        dividers = pll_dividers(input_mhz, self.beside[fast])
        fed_back, locked, steady = Signal(), Signal(), Signal()
        domains = {}
        for name in dict.fromkeys((fast, slow)):
            domains[name] = ClockDomain(name)
            domains[name].clk = constrained_clock(f"{name}_clk")
            m.domains += domains[name]
            platform.add_clock_constraint(domains[name].clk, self.beside[name] * 1e6)
        more: dict[str, Any] = {}
        if faster:
            ratio = Fraction(self.beside[fast]) / Fraction(self.beside[slow])
            assert ratio.denominator == 1 and len(faster) == 1
            divider = dividers.output * ratio.numerator
            more = {
                "a_FREQUENCY_PIN_CLKOS2": f"{self.beside[slow]:g}",
                "p_CLKOS2_ENABLE": "ENABLED",
                "p_CLKOS2_DIV": divider,
                "p_CLKOS2_CPHASE": divider - 1,
                "p_CLKOS2_FPHASE": 0,
                "o_CLKOS2": domains[slow].clk,
            }
        m.submodules.pll_beside = _pll(
            input_mhz, self.beside[fast], dividers, clk_in, fed_back, domains[fast].clk, locked, **more
        )
        # Counts without a reset of its own, to a power of two.
        m.domains.beside = start = ClockDomain(local=True, reset_less=True)
        start.clk = domains[slow].clk
        count = Signal(1 + math.ceil(math.log2(START_SECONDS * self.beside[slow] * 1e6)))
        ready = Signal()
        m.submodules.steady_beside = FFSynchronizer(locked, steady, o_domain="beside", reset_less=False)
        with m.If(~steady):
            m.d.beside += [count.eq(0), ready.eq(0)]
        with m.Else():
            m.d.beside += [count.eq(count + ~count[-1]), ready.eq(count[-1])]
        m.d.comb += [domain.rst.eq(~ready) for domain in domains.values()]
