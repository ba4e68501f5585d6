"""The engine's clock on an iCE40: a PLL between the board's oscillator and ``sync``, and a long reset."""

import math

from amaranth.hdl import ClockDomain, ClockSignal, Const, Instance, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer

__all__ = ["RESET_SECONDS", "ICE40ClockDomain", "pll_settings"]

# Limits of the phase detector, of the oscillator and of the output, MHz (Lattice FPGA-DS-02008, iCE40
# UltraPlus, "sysCLOCK PLL Timing").
_DETECTOR_MHZ = (10, 133)
_VCO_MHZ = (533, 1066)
_OUTPUT_MHZ = (16, 275)

#: After configuration a block RAM reads zeros, whatever it holds, for about 3 us by a clock of the chip's
#: own. Lattice gives no figure (cliffordwolf/icestorm issue 76); Amaranth's reset on these chips is as long.
RESET_SECONDS = 15e-6


def pll_settings(input_mhz: float, output_mhz: float) -> tuple[int, int, int]:
    """``DIVF``, ``DIVQ`` and ``FILTER_RANGE`` of an ``SB_PLL40``, with ``DIVR`` 0:
    ``output = input * (DIVF + 1) / 2**DIVQ``.

    Raises
    ------
    ValueError
        Where none make `output_mhz` with the oscillator within its limits.

    >>> pll_settings(12, 24)
    (63, 5, 1)
    """
    if not _DETECTOR_MHZ[0] <= input_mhz <= _DETECTOR_MHZ[1]:
        raise ValueError(f"the PLL takes {_DETECTOR_MHZ[0]} to {_DETECTOR_MHZ[1]} MHz, not {input_mhz:g}")
    feedbacks = range(math.ceil(_VCO_MHZ[0] / input_mhz), math.floor(_VCO_MHZ[1] / input_mhz) + 1)
    made = {
        (feedback - 1, q): input_mhz * feedback / 2**q
        for feedback in feedbacks
        for q in range(1, 7)
        if _OUTPUT_MHZ[0] <= input_mhz * feedback / 2**q <= _OUTPUT_MHZ[1]
    }
    found = [pair for pair, mhz in made.items() if abs(mhz - output_mhz) < 1e-3]
    if not found:
        nearest = min(made.values(), key=lambda mhz: abs(mhz - output_mhz))
        raise ValueError(
            f"the PLL makes no {output_mhz:g} MHz of {input_mhz:g} MHz; the nearest is {nearest:.7g}, "
            "so ask for that"
        )
    # The filter's setting by the detector's frequency, as Lattice's generator and icepll choose it.
    limits = (17, 26, 44, 66, 101)
    filter_range = 1 + next((n for n, limit in enumerate(limits) if input_mhz < limit), len(limits))
    return *found[0], filter_range


class ICE40ClockDomain(wiring.Component):
    """Drives ``sync`` from the platform's default clock through a PLL; ``sync`` stays in reset until the PLL
    has locked, and for :data:`RESET_SECONDS` after.

    The oscillator's pin must be the one beside the PLL. nextpnr derives the constraint of ``sync`` from that
    of the default clock.

    Parameters
    ----------
    output_mhz : :class:`float`
        Clock of ``sync``, at least 16. From 12 MHz, every multiple of 0.375 from 17.25 to 33 can be made.
    """

    def __init__(self, output_mhz: float):
        self.output_mhz = output_mhz
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        divf, divq, filter_range = pll_settings(platform.default_clk_frequency / 1e6, self.output_mhz)
        pad = platform.request(platform.default_clk, dir="-")
        core_clk, locked = Signal(), Signal()
        m.domains.sync = ClockDomain()
        # The counter of the reset's length: from 0 by configuration, with no reset of its own.
        m.domains.start = ClockDomain(reset_less=True, local=True)
        m.submodules.pll = Instance(
            "SB_PLL40_PAD",
            p_FEEDBACK_PATH="SIMPLE",
            p_PLLOUT_SELECT="GENCLK",
            p_DIVR=Const(0, 4),
            p_DIVF=Const(divf, 7),
            p_DIVQ=Const(divq, 3),
            p_FILTER_RANGE=Const(filter_range, 3),
            i_PACKAGEPIN=pad.io,
            i_RESETB=Const(1, 1),
            i_BYPASS=Const(0, 1),
            o_PLLOUTGLOBAL=core_clk,
            o_LOCK=locked,
        )
        cycles = math.ceil(RESET_SECONDS * self.output_mhz * 1e6)
        m.d.comb += [ClockSignal().eq(core_clk), ClockSignal("start").eq(core_clk)]
        m.submodules.locked = FFSynchronizer(locked, steady := Signal(), o_domain="start")
        count = Signal(range(cycles + 1))
        ready = Signal()
        with m.If(~steady):
            m.d.start += [count.eq(0), ready.eq(0)]
        with m.Elif(count != cycles):
            m.d.start += count.eq(count + 1)
        with m.Else():
            m.d.start += ready.eq(1)
        m.d.comb += ResetSignal().eq(~ready)
        return m
