"""The engine's clock on an iCE40: a PLL between the board's oscillator and ``sync``, and a long reset."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

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

__all__ = ["ICE40ClockDomain", "ICE40InnerClockDomain", "PLLSettings", "pll_settings"]

# Limits of the phase detector, of the oscillator and of the output, MHz (Lattice FPGA-DS-02008, iCE40
# UltraPlus, "sysCLOCK PLL Timing").
_DETECTOR_MHZ = (10, 133)
_VCO_MHZ = (533, 1066)
_OUTPUT_MHZ = (16, 275)
# The filter's setting by the detector's frequency in MHz, as Lattice's generator and icepll choose it.
_FILTER_MHZ = (17, 26, 44, 66, 101)


class PLLSettings(NamedTuple):
    """Parameters of an ``SB_PLL40``: its oscillator is at ``input * (divf + 1) / (divr + 1)``, and its output
    at ``oscillator / 2**divq``."""

    divr: int
    divf: int
    divq: int
    filter_range: int


def pll_settings(input_mhz: float, output_mhz: float) -> PLLSettings:
    """The settings that make `output_mhz` with the oscillator nearest to the middle of its range.

    The range is an octave: a clock has but one frequency of the oscillator, so that some are near its limits.

    Raises
    ------
    ClockError
        Where none make `output_mhz` within the limits.

    >>> pll_settings(12, 24)
    PLLSettings(divr=0, divf=63, divq=5, filter_range=1)
    """
    return settings_for(_made(input_mhz), output_mhz)


@cache
def _made(input_mhz: float) -> dict[Fraction, PLLSettings]:
    """The settings of each clock that can be made, by MHz in rising order."""
    exact = Fraction(input_mhz).limit_denominator(10**6)
    made: dict[Fraction, tuple[tuple, PLLSettings]] = {}
    for divr in range(16):
        detector = exact / (divr + 1)
        if not _DETECTOR_MHZ[0] <= detector <= _DETECTOR_MHZ[1]:
            continue
        filter_range = 1 + sum(detector >= limit for limit in _FILTER_MHZ)
        low, high = (limit / detector for limit in _VCO_MHZ)
        for factor in range(math.ceil(low), min(math.floor(high), 128) + 1):
            vco = detector * factor
            worth = (abs(vco - Fraction(sum(_VCO_MHZ), 2)), divr)
            for divq in range(1, 7):
                mhz = vco / 2**divq
                if not _OUTPUT_MHZ[0] <= mhz <= _OUTPUT_MHZ[1]:
                    continue
                if mhz not in made or worth < made[mhz][0]:
                    made[mhz] = (worth, PLLSettings(divr, factor - 1, divq, filter_range))
    return {mhz: made[mhz][1] for mhz in sorted(made)}


class ICE40ClockDomain(wiring.Component):
    """Drives ``sync`` from the platform's default clock through a PLL; ``sync`` stays in reset until the PLL
    has locked, and for :data:`trine_boards.clock.pll.START_SECONDS` after. It is reset again when the PLL
    loses its lock.

    The oscillator's pin must be the one beside the PLL; :class:`ICE40InnerClockDomain` is for another.

    Parameters
    ----------
    output_mhz : :class:`float`
        Clock of ``sync``, at least 16. From 12 MHz, every multiple of 0.375 from 17.25 to 33 can be made.
    margin : :class:`float`
        Nextpnr is asked for a clock faster by this fraction.
    beside : mapping
        Must be empty: the chip has one PLL.

    Members
    -------
    lock_lost : Out(1)
        Always 0: what would count it is reset too.
    """

    def __init__(self, output_mhz: float, margin: float = 0, beside: Mapping[str, float] = NO_CLOCKS):
        if beside:
            raise ClockError(
                f"the one PLL of an iCE40 makes no clocks beside the engine's: {', '.join(beside)}"
            )
        self.output_mhz = output_mhz
        self.margin = margin
        super().__init__({"lock_lost": Out(1)})

    @staticmethod
    def clocks(input_mhz: float) -> Sequence[Fraction]:
        """All MHz that can be made, rising."""
        return list(_made(input_mhz))

    @staticmethod
    def reference(platform) -> tuple[str, dict[str, Any]]:
        """The PLL's cell, and its port with the oscillator."""
        return "SB_PLL40_PAD", {"i_PACKAGEPIN": platform.request(platform.default_clk, dir="-").io}

    def elaborate(self, platform):
        m = Module()
        settings = pll_settings(platform.default_clk_frequency / 1e6, self.output_mhz)
        cell, reference = self.reference(platform)
        locked = Signal()
        m.domains.sync = sync = ClockDomain()
        sync.clk = constrained_clock(ENGINE_CLOCK)
        m.submodules.pll = Instance(
            cell,
            p_FEEDBACK_PATH="SIMPLE",
            p_PLLOUT_SELECT="GENCLK",
            p_DIVR=Const(settings.divr, 4),
            p_DIVF=Const(settings.divf, 7),
            p_DIVQ=Const(settings.divq, 3),
            p_FILTER_RANGE=Const(settings.filter_range, 3),
            **reference,
            i_RESETB=Const(1, 1),
            i_BYPASS=Const(0, 1),
            o_PLLOUTGLOBAL=sync.clk,
            o_LOCK=locked,
        )
        platform.add_clock_constraint(sync.clk, self.output_mhz * 1e6 * (1 + self.margin))
        reset_until_locked(m, locked, self.output_mhz)
        return m


class ICE40InnerClockDomain(ICE40ClockDomain):
    """The same where the oscillator is at another pin than the PLL's: it goes there within the chip."""

    @staticmethod
    def reference(platform) -> tuple[str, dict[str, Any]]:
        """The PLL's cell, and its port with the oscillator."""
        return "SB_PLL40_CORE", {"i_REFERENCECLK": platform.request(platform.default_clk).i}
