"""The engine's clock on a Gowin chip: a PLL between the board's oscillator and ``sync``, and a long reset."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import NamedTuple

from amaranth.hdl import ClockDomain, Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from trine_boards.clock.pll import (
    ENGINE_CLOCK,
    NO_CLOCKS,
    constrained_clock,
    reset_until_locked,
    settings_for,
)
from trine_sw.support.errors import ClockError

__all__ = [
    "GW1N",
    "GW2A",
    "GW1NClockDomain",
    "GW2AClockDomain",
    "RPLLLimits",
    "RPLLSettings",
    "rpll_settings",
]

_LARGEST_DIVIDER = 64
_OUTPUT_DIVIDERS = (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)
#: Of the oscillator's range, what is left free at each end, for chips and temperatures differ.
_FREE = Fraction(1, 10)


class RPLLLimits(NamedTuple):
    """Limits of an ``rPLL`` in MHz, lowest and highest: of its phase detector, oscillator and output."""

    detector_mhz: tuple[Fraction, Fraction]
    vco_mhz: tuple[Fraction, Fraction]
    output_mhz: tuple[Fraction, Fraction]


def _limits(*ends: float) -> RPLLLimits:
    low, high, slow, fast, least, most = map(Fraction, ends)
    return RPLLLimits((low, high), (slow, fast), (least, most))


#: A GW1NR-9 of grade C6/I5 (Gowin DS117) and a GW2AR-18 of grade C8/I7 (Gowin DS226).
GW1N, GW2A = _limits(3, 400, 400, 1200, 3.125, 600), _limits(3, 500, 500, 1250, 3.90625, 625)


class RPLLSettings(NamedTuple):
    """Dividers of an ``rPLL``: its output is at ``input * feedback / reference``, and its oscillator at
    ``output`` times the output's frequency."""

    reference: int
    feedback: int
    output: int

    def vco_mhz(self, input_mhz: float) -> float:
        """The oscillator's frequency in MHz."""
        return input_mhz * self.feedback * self.output / self.reference


def rpll_settings(limits: RPLLLimits, input_mhz: float, output_mhz: float) -> RPLLSettings:
    """The dividers that make `output_mhz` with the highest frequency of the phase detector, and the
    oscillator nearest to the middle of its range.

    Raises
    ------
    ClockError
        Where none make `output_mhz` with the oscillator a tenth of its range away from its limits.

    >>> rpll_settings(GW2A, 27, 54)
    RPLLSettings(reference=1, feedback=2, output=16)
    """
    return settings_for(_made(limits, input_mhz), output_mhz)


@cache
def _made(limits: RPLLLimits, input_mhz: float) -> dict[Fraction, RPLLSettings]:
    """The dividers of each clock that can be made, by MHz in rising order."""
    exact = Fraction(input_mhz).limit_denominator(10**6)
    low, high = limits.vco_mhz
    free = _FREE * (high - low)
    middle = (low + high) / 2
    made: dict[Fraction, RPLLSettings] = {}
    for reference in range(1, _LARGEST_DIVIDER + 1):  # the highest frequency of the detector first
        detector = exact / reference
        if not limits.detector_mhz[0] <= detector <= limits.detector_mhz[1]:
            continue
        for feedback in range(1, _LARGEST_DIVIDER + 1):
            mhz = detector * feedback
            if mhz in made or not limits.output_mhz[0] <= mhz <= limits.output_mhz[1]:
                continue
            outputs = [each for each in _OUTPUT_DIVIDERS if low + free <= mhz * each <= high - free]
            if outputs:
                nearest = min(outputs, key=lambda each, mhz=mhz: abs(mhz * each - middle))
                made[mhz] = RPLLSettings(reference, feedback, nearest)
    return {mhz: made[mhz] for mhz in sorted(made)}


class _GowinClockDomain(wiring.Component):
    """Drives ``sync`` from the platform's default clock through an rPLL; ``sync`` stays in reset until the
    PLL has locked, and for :data:`trine_boards.clock.pll.START_SECONDS` after. It is reset again when the PLL
    loses its lock.

    Parameters
    ----------
    output_mhz : :class:`float`
        Clock of ``sync``.
    margin : :class:`float`
        Nextpnr is asked for a clock faster by this fraction.
    beside : mapping
        Must be empty: no transport on these chips needs a clock of its own.

    Members
    -------
    lock_lost : Out(1)
        Always 0: what would count it is reset too.
    """

    limits: RPLLLimits
    device: str

    def __init__(self, output_mhz: float, margin: float = 0, beside: Mapping[str, float] = NO_CLOCKS):
        if beside:
            raise ClockError(f"Gowin chips have no clocks beside the engine's here: {', '.join(beside)}")
        self.output_mhz = output_mhz
        self.margin = margin
        super().__init__({"lock_lost": Out(1)})

    @classmethod
    def clocks(cls, input_mhz: float) -> Sequence[Fraction]:
        """All MHz that can be made, rising."""
        return list(_made(cls.limits, input_mhz))

    def elaborate(self, platform):
        m = Module()
        input_mhz = platform.default_clk_frequency / 1e6
        settings = rpll_settings(self.limits, input_mhz, self.output_mhz)
        clk_in = platform.request(platform.default_clk).i
        locked = Signal()
        m.domains.sync = sync = ClockDomain()
        sync.clk = constrained_clock(ENGINE_CLOCK)
        m.submodules.pll = Instance(
            "rPLL",
            p_FCLKIN=f"{input_mhz:g}",
            p_DEVICE=self.device,
            p_IDIV_SEL=settings.reference - 1,
            p_FBDIV_SEL=settings.feedback - 1,
            p_ODIV_SEL=settings.output,
            p_DYN_IDIV_SEL="false",
            p_DYN_FBDIV_SEL="false",
            p_DYN_ODIV_SEL="false",
            p_DYN_DA_EN="false",
            p_CLKFB_SEL="internal",
            p_CLKOUT_BYPASS="false",
            i_CLKIN=clk_in,
            # CLKFB stays open: with a constant at it, nextpnr searches the clocks of all that the constant
            # goes to, for minutes.
            i_RESET=Const(0, 1),
            i_RESET_P=Const(0, 1),
            i_FBDSEL=Const(0, 6),
            i_IDSEL=Const(0, 6),
            i_ODSEL=Const(0, 6),
            i_PSDA=Const(0, 4),
            i_DUTYDA=Const(0, 4),
            i_FDLY=Const(0, 4),
            o_CLKOUT=sync.clk,
            o_LOCK=locked,
        )
        platform.add_clock_constraint(sync.clk, self.output_mhz * 1e6 * (1 + self.margin))
        reset_until_locked(m, locked, self.output_mhz)
        return m


class GW1NClockDomain(_GowinClockDomain):
    __doc__ = _GowinClockDomain.__doc__
    limits, device = GW1N, "GW1NR-9C"


class GW2AClockDomain(_GowinClockDomain):
    __doc__ = _GowinClockDomain.__doc__
    limits, device = GW2A, "GW2AR-18C"
