"""The engine's clock on an ECP5: a PLL between the board's oscillator and ``sync``."""

import math

from amaranth.hdl import ClockDomain, ClockSignal, Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer

__all__ = ["ECP5ClockDomain", "pll_dividers"]

# Limits of the PLL's oscillator and of its outputs, MHz (Lattice FPGA-DS-02012, "sysCLOCK PLL Timing").
_VCO_MHZ = (400, 800)
_OUTPUT_MHZ = (3.125, 400)


def pll_dividers(input_mhz: float, output_mhz: float) -> tuple[int, int]:
    """Feedback and output divider of an ``EHXPLLL``: ``output = input * feedback / divider``.

    Raises
    ------
    ValueError
        Where none make `output_mhz` with the oscillator within its limits.

    >>> pll_dividers(25, 80)
    (16, 5)
    """
    feedbacks = range(math.ceil(_VCO_MHZ[0] / input_mhz), math.floor(_VCO_MHZ[1] / input_mhz) + 1)
    pairs = [(feedback, divider) for feedback in feedbacks for divider in range(1, 129)]
    made = {(feedback, divider): input_mhz * feedback / divider for feedback, divider in pairs}
    made = {pair: mhz for pair, mhz in made.items() if _OUTPUT_MHZ[0] <= mhz <= _OUTPUT_MHZ[1]}
    found = [pair for pair, mhz in made.items() if abs(mhz - output_mhz) < 1e-3]
    if not found:
        nearest = min(made.values(), key=lambda mhz: abs(mhz - output_mhz))
        raise ValueError(
            f"the PLL makes no {output_mhz:g} MHz of {input_mhz:g} MHz; the nearest is {nearest:.7g}, "
            "so ask for that"
        )
    # Nearest to the middle of the oscillator's range.
    return min(found, key=lambda pair: abs(input_mhz * pair[0] - sum(_VCO_MHZ) / 2))


class ECP5ClockDomain(wiring.Component):
    """Drives ``sync`` from the platform's default clock through a PLL, once that has locked.

    ``sync`` has no reset: configuration leaves every register at its start value, and there it stays until
    the first edge. A reset would be a wire to each of some ten thousand registers, all over the chip, to be
    crossed in one cycle. nextpnr derives the constraint of ``sync`` from that of the default clock.

    Parameters
    ----------
    output_mhz : :class:`float`
        Clock of ``sync``. From 25 MHz, every multiple of 5 from 80 to 160 can be made, and many others.
    """

    def __init__(self, output_mhz: float):
        self.output_mhz = output_mhz
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        input_mhz = platform.default_clk_frequency / 1e6
        feedback, divider = pll_dividers(input_mhz, self.output_mhz)
        clk_in = platform.request(platform.default_clk).i
        core_clk, fed_back, locked, running = Signal(), Signal(), Signal(), Signal()
        m.domains.sync = ClockDomain(reset_less=True)
        m.domains.ungated = ungated = ClockDomain(local=True, reset_less=True)
        m.submodules.pll = Instance(
            "EHXPLLL",
            # The loop filter is set by these attributes, as Lattice's and Trellis' generators do.
            a_FREQUENCY_PIN_CLKI=f"{input_mhz:g}",
            a_FREQUENCY_PIN_CLKOS=f"{self.output_mhz:g}",
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
            # CLKOP only feeds back, at the input's frequency: the oscillator runs at `feedback` times that.
            p_CLKI_DIV=1,
            p_CLKFB_DIV=1,
            p_FEEDBK_PATH="CLKOP",
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=feedback,
            p_CLKOP_CPHASE=feedback - 1,
            p_CLKOP_FPHASE=0,
            p_CLKOS_ENABLE="ENABLED",
            p_CLKOS_DIV=divider,
            p_CLKOS_CPHASE=divider - 1,
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
            o_CLKOS=core_clk,
            o_LOCK=locked,
        )
        m.d.comb += ungated.clk.eq(core_clk)
        m.submodules.running = FFSynchronizer(locked, running, o_domain="ungated", reset_less=False)
        # The global clock buffer starts and stops between two edges.
        m.submodules.gate = Instance("DCCA", i_CLKI=core_clk, i_CE=running, o_CLKO=ClockSignal())
        return m
