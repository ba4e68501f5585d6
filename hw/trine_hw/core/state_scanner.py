"""State scanner of a folded engine: groups of cells into block RAM, active columns out of it."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from trine_hw.core.scanner import Entry, encode, first, select, trit_layout
from trine_sw.engine.memories import state_memory

__all__ = ["StateScanner"]


class StateScanner(wiring.Component):
    """Keeps the state as its cells give it, group by group, and queues its active columns, lowest first.

    A :class:`trine_hw.core.scanner.Scanner` with its vector in memory, of two halves: one is scanned while
    the next state is put into the other.

    Contract: as :class:`trine_hw.core.scanner.Scanner`, cycle for cycle, with the vector of all groups put
    so far, one in the cycle of ``load`` included. Between two loads of different vectors every group is put
    once, and none while the vector before is still to be loaded again.

    Cost on iCE40, 64 trits of 4 bits in ten groups: 130 LUT4 and 90 flip-flops against 850 and 580 in
    flip-flops, and two block RAMs.

    Parameters
    ----------
    size : trits of the vector
    units : trits of a group
    groups : that are put; what they hold beyond ``size`` is zeros
    magnitude_bits : of an activation, 0 if the head sees trits only

    Members
    -------
    put : :py:`In(1)`, with ``group`` and ``cells``
        A group of the next vector.
    load, again, clear, idle, o : as :class:`trine_hw.core.scanner.Scanner`
    """

    latency = 3

    def __init__(self, size: int, units: int, groups: int, magnitude_bits: int = 0) -> None:
        if units < 1 or size < 1 or units * groups < size:
            raise ValueError(f"{groups} groups of {units} do not hold {size} trits")
        self.size, self.units, self.groups, self.magnitude_bits = size, units, groups, magnitude_bits
        super().__init__(
            {
                "put": In(1),
                "group": In(range(max(2, self.groups))),
                "cells": In(data.ArrayLayout(trit_layout(magnitude_bits), units)),
                "load": In(1),
                "again": In(1),
                "clear": In(1),
                "idle": Out(1),
                "o": Out(stream.Signature(Entry(size, magnitude_bits))),
            }
        )

    @staticmethod
    def model(values: Sequence[int]) -> list[tuple[int, int, bool]]:
        """The entries ``(column, value, final)`` of a vector of signed magnitudes."""
        columns = [i for i, value in enumerate(values) if value]
        return [(i, values[i], i == columns[-1]) for i in columns] or [(0, 0, True)]

    def elaborate(self, platform: object) -> Module:
        """The memory has two halves: groups are put into one while the other is scanned.

        One bit a group says whether it has an active trit, for each half. Groups with one are fetched in
        order, and their active trits leave one a cycle; the next group is fetched in the cycle in which the
        last trit of this one leaves. ``load`` exchanges the halves if something was put since the last one.
        """
        m = Module()
        groups, units = self.groups, self.units
        trit = Shape.cast(trit_layout(self.magnitude_bits)).width
        half_bits = max(1, (groups - 1).bit_length())
        built = state_memory(units, groups, trit)
        m.submodules.memory = memory = Memory(
            shape=built.width, depth=built.depth, init=[], attrs=built.attrs
        )
        write, read = memory.write_port(), memory.read_port()

        # Which groups have an active trit: of the vector that is put, of the one that is scanned.
        next_active, scanned_active = Signal(groups), Signal(groups)
        filling = Signal()  # the half that takes what is put
        changed = Signal()  # something was put since the last load
        zeros = Signal()  # the vector scanned is all zeros instead
        seen = Signal(groups)
        here = Signal()
        m.d.comb += [
            write.addr.eq(Cat(self.group[:half_bits], filling)),
            write.data.eq(self.cells.as_value()),
            write.en.eq(self.put),
            here.eq(Cat(self.cells[n].active for n in range(units)).any()),
            seen.eq(next_active),
        ]
        for group in range(groups):
            with m.If(self.put & (self.group == group)):
                m.d.comb += seen[group].eq(here)
        m.d.sync += next_active.eq(seen)

        pending = Signal(groups)  # groups with an active trit that have not been fetched
        begin = Signal()  # a vector is chosen and none of its groups fetched
        left = Signal(units)  # trits of the fetched group that are not yet queued, if active
        base = Signal(range(groups * units))  # its first column
        current_valid = Signal()
        word = data.View(data.ArrayLayout(trit_layout(self.magnitude_bits), units), read.data)
        current, lowest = Signal(units), Signal(units)
        exhausted, room, fetch = Signal(), Signal(), Signal()
        following = Signal(groups)
        m.d.comb += [
            current.eq(Cat(word[n].active for n in range(units)) & left),
            lowest.eq(first(current)),
            following.eq(first(pending)),
            exhausted.eq((current & ~lowest) == 0),
            room.eq(~self.o.valid | self.o.ready),
            fetch.eq((begin | pending.any()) & (~current_valid | (exhausted & room))),
            self.idle.eq(~begin & ~pending.any() & ~current_valid),
            read.addr.eq(Cat(encode(following), ~filling)),
            read.en.eq(fetch),
        ]
        with m.If(self.put):
            m.d.sync += changed.eq(1)
        with m.If(current_valid & room):
            m.d.sync += left.eq(left & ~lowest)
        with m.If(fetch):
            m.d.sync += [
                current_valid.eq(1),
                left.eq(pending.any().replicate(units)),
                base.eq(select(following, [Const(g * units, len(base)) for g in range(groups)])),
                pending.eq(pending & ~following),
                begin.eq(0),
            ]
        with m.Elif(exhausted & room):
            m.d.sync += current_valid.eq(0)

        with m.If(self.load):
            m.d.sync += [changed.eq(0), filling.eq(filling ^ (changed | self.put)), scanned_active.eq(seen)]
            m.d.sync += zeros.eq(0)
        with m.If(self.clear):
            m.d.sync += zeros.eq(1)
        with m.If(self.load | self.again | self.clear):
            # What is scanned again is not ``seen``: the next vector's groups may be there already.
            again = Mux(zeros, 0, scanned_active)
            m.d.sync += [pending.eq(Mux(self.load, seen, Mux(self.again, again, 0))), begin.eq(1)]

        entry = self.o.payload
        with m.If(room):
            m.d.sync += self.o.valid.eq(current_valid)
            m.d.sync += [
                entry.column.eq(base + encode(lowest)),
                entry.trit.eq(select(lowest, [word[n].as_value() for n in range(units)])),
                entry.final.eq(exhausted & ~pending.any()),
            ]
        return m
