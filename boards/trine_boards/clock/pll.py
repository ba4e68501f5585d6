"""Choice of a clock among those that a PLL can make, and a reset that waits for its lock."""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import TypeVar

from amaranth.hdl import ClockDomain, ClockSignal, Module, ResetSignal, Signal
from amaranth.lib.cdc import FFSynchronizer

from trine_sw.support.errors import ClockError

__all__ = [
    "ENGINE_CLOCK",
    "NAMED_MHZ",
    "NO_CLOCKS",
    "START_SECONDS",
    "constrained_clock",
    "nearest",
    "reset_until_locked",
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


def reset_until_locked(m: Module, locked: Signal, mhz: float) -> None:
    """Keep ``sync``, of which `m` drives the clock, in reset until a PLL has been `locked` for
    :data:`START_SECONDS`, and again when it loses its lock."""
    cycles = math.ceil(START_SECONDS * mhz * 1e6)
    # The counter of the reset's length: from 0 by configuration, with no reset of its own.
    m.domains.start = ClockDomain(reset_less=True, local=True)
    m.d.comb += ClockSignal("start").eq(ClockSignal())
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
