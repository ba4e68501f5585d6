"""Choice of a clock among those that a PLL can make, shared by both families."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import TypeVar

from amaranth.hdl import Signal

from trine_sw.support.errors import ClockError

__all__ = [
    "ENGINE_CLOCK",
    "NAMED_MHZ",
    "NO_CLOCKS",
    "START_SECONDS",
    "constrained_clock",
    "nearest",
    "settings_for",
]

#: Names of the nets that carry the engine's clock begin so: constraints and nextpnr's report are found by it.
ENGINE_CLOCK = "engine_clk"

#: A clock is named in decimals, so that a quotient is meant by what lies within 1 kHz of it.
NAMED_MHZ = 1e-3

#: From a PLL's lock to the first clock edge that the engine sees, at least. An ECP5 wakes up after
#: configuration in some cycles of its own oscillator, 0.4 us each (2.4 MHz, Lattice FPGA-TN-02039). On an
#: iCE40 a block RAM reads zeros, whatever it holds, for about 3 us by a clock of the chip's own; Lattice
#: gives no figure (cliffordwolf/icestorm issue 76), and Amaranth's reset on these chips is as long.
START_SECONDS = 15e-6

#: A transport that runs by the engine's clock needs none beside it.
NO_CLOCKS: Mapping[str, float] = MappingProxyType({})

Number = TypeVar("Number", float, Fraction)
Settings = TypeVar("Settings")


def constrained_clock(name: str) -> Signal:
    """A clock's signal whose name outlives synthesis, so that nextpnr finds its constraint."""
    return Signal(name=name, attrs={"keep": 1})


def nearest(rising: Sequence[Number], mhz: float) -> Number:
    """The one of these clocks, given in rising order, that is nearest to `mhz`."""
    at = bisect_left(rising, mhz)
    return min(rising[max(0, at - 1) : at + 1], key=lambda each: abs(each - mhz))


def settings_for(made: Mapping[Fraction, Settings], mhz: float) -> Settings:
    """The settings that make `mhz`, or a clock within 1 kHz of it; `made` has them by MHz in rising order.

    Raises
    ------
    ClockError
        Where there are none; the message has the nearest clock.
    """
    clock = nearest(list(made), mhz)
    if abs(clock - mhz) >= NAMED_MHZ:
        raise ClockError(
            f"the PLL makes no {mhz:.10g} MHz; the nearest is {float(clock):.7g}, so ask for that"
        )
    return made[clock]
