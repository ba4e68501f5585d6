"""State queue: new states that wait to be taken."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from trine_hw.core.cells.base import CellState
from trine_hw.primitives.fanout import fanout
from trine_sw.engine import Geometry

__all__ = ["StateBeat", "StateQueue"]


class StateBeat(data.StructLayout):
    """The new state of one group's cells.

    Members
    -------
    cells : array of :class:`trine_hw.core.cells.base.CellState`, cells ``group * units`` and on; padding is
    zero
    last : the group ends its token's step
    """

    def __init__(self, geometry: Geometry) -> None:
        super().__init__({"cells": data.ArrayLayout(CellState(geometry.model), geometry.units), "last": 1})


class StateQueue(wiring.Component):
    """Holds ``depth`` beats that the cells have made and nobody has taken.

    Contract: a beat given with ``put`` in cycle ``n`` is at ``o`` in cycle ``n + 1``, or behind those
    before it. Whoever puts keeps account of the room: ``put`` into a full queue is not allowed. ``taken``
    is 1 in the cycle in which a beat leaves. ``put`` has equal fan-out registers, one for the units of each
    block. With ``step``, ``shift`` moves the front beat's cells down by so many, two cycles later, so
    that whoever wants them one after the other looks at the first alone; the beat must not leave meanwhile.
    """

    latency = 1

    def __init__(self, geometry: Geometry, *, step: int = 0) -> None:
        self.geometry = geometry
        self.depth = geometry.state_buffer
        self.step = step
        super().__init__(
            ({"shift": In(1)} if step else {})
            | {
                "i": In(StateBeat(geometry)),
                "put": In(len(geometry.blocks)),
                "o": Out(stream.Signature(StateBeat(geometry))),
                "taken": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.taken.eq(self.o.valid & self.o.ready)
        geometry, blocks = self.geometry, self.geometry.blocks
        shifts = [Const(0)] * len(blocks)
        if self.step:
            kind = geometry.engine.block_ram
            shifts = fanout(m, self.shift, count=len(blocks), name="shift", block_ram=kind)
        beat, given, put = self.o.payload, self.i, self.put[0]
        second = Signal(StateBeat(geometry))
        waits = Signal()  # a beat waits in ``second``
        front = ~self.o.valid | self.taken  # the front is free in the next cycle
        for units, put_here, shift in zip(blocks, self.put, shifts, strict=True):
            for unit in units:
                with m.If(shift):
                    above = unit + self.step
                    moved = beat.cells[above].as_value() if above < geometry.units else 0
                    m.d.sync += beat.cells[unit].as_value().eq(moved)
                if self.depth == 1:
                    with m.If(put_here):
                        m.d.sync += beat.cells[unit].eq(given.cells[unit])
                else:
                    with m.If(front):
                        m.d.sync += beat.cells[unit].eq(Mux(waits, second.cells[unit], given.cells[unit]))
                    with m.If(put_here):
                        m.d.sync += second.cells[unit].eq(given.cells[unit])
        if self.depth == 1:
            with m.If(self.taken):
                m.d.sync += self.o.valid.eq(0)
            with m.If(put):
                m.d.sync += [beat.last.eq(given.last), self.o.valid.eq(1)]
            return m
        with m.If(front):
            m.d.sync += [
                beat.last.eq(Mux(waits, second.last, given.last)),
                self.o.valid.eq(waits | put),
                waits.eq(waits & put),
            ]
        with m.Elif(put):
            m.d.sync += waits.eq(1)
        with m.If(put):
            m.d.sync += second.last.eq(given.last)
        return m
