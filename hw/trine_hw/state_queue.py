"""New states on their way out."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from trine_hw.cells import CellState
from trine_sw.engine import Geometry

__all__ = ["StateBeat", "StateQueue"]


class StateBeat(data.StructLayout):
    """The new state of one group's cells.

    Members
    -------
    cells : array of :class:`trine_hw.cells.CellState`, cells ``group * units`` and on; padding is zero
    last : the group ends its token's step
    """

    def __init__(self, geometry: Geometry) -> None:
        super().__init__({"cells": data.ArrayLayout(CellState(geometry.model), geometry.units), "last": 1})


class StateQueue(wiring.Component):
    """Holds ``depth`` beats that the cells have made and nobody has taken.

    Contract: a beat given with ``put`` in cycle ``n`` is at ``o`` in cycle ``n + 1``, or behind those
    before it. Whoever puts keeps account of the room: ``put`` into a full queue is not allowed. ``taken``
    is 1 in the cycle in which a beat leaves.
    """

    latency = 1

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self.depth = geometry.state_buffer
        super().__init__(
            {
                "i": In(StateBeat(geometry)),
                "put": In(1),
                "o": Out(stream.Signature(StateBeat(geometry))),
                "taken": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.taken.eq(self.o.valid & self.o.ready)
        if self.depth == 1:
            with m.If(self.taken):
                m.d.sync += self.o.valid.eq(0)
            with m.If(self.put):
                m.d.sync += [self.o.payload.eq(self.i), self.o.valid.eq(1)]
            return m
        second = Signal(StateBeat(self.geometry))
        waits = Signal()  # a beat waits in ``second``
        front = ~self.o.valid | self.taken  # the front is free in the next cycle
        with m.If(front):
            m.d.sync += [
                self.o.payload.eq(Mux(waits, second.as_value(), self.i.as_value())),
                self.o.valid.eq(waits | self.put),
                waits.eq(waits & self.put),
            ]
        with m.Elif(self.put):
            m.d.sync += waits.eq(1)
        with m.If(self.put):
            m.d.sync += second.eq(self.i)
        return m
