"""Column issue: each bank reads its next active column, x's before h's, until the group's columns are
done."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from trine_hw.core.scanner import Entry, trit_layout
from trine_sw.engine import Geometry

__all__ = ["ColumnIssue"]


class ColumnIssue(wiring.Component):
    """Chooses each bank's column of a cycle (its *slot*).

    Contract: after ``begin``, each bank takes x's entries up to the final one if ``with_x``, then h's if
    ``with_h``, one a cycle as they come, and puts the column's address and trit into the slot of the cycle
    after. A bank with nothing to take reads the zero word. ``done`` says that every bank has taken its last
    entry: the cycle before a slot that a marker may have.

    Parameters
    ----------
    geometry : :class:`trine_sw.engine.Geometry`
        Banks, their columns and words.
    magnitude_bits : :class:`int`
        Bits of h's magnitudes.

    Members
    -------
    x{bank}, h{bank} : In(stream of :class:`trine_hw.core.scanner.Entry`)
        Queues of active columns, positions among the bank's own.
    begin, with_x, with_h : In(1)
        Start of a group.
    base : In
        Address of the group's first column.
    done : Out(1)
    addr : Out(array of addresses, one a bank)
    trits : Out(array of trits, one a bank)
    events : Out
        Columns issued in this cycle's slot.
    above : In(1)
        Of a stack, where lanes share trits: the group is of a layer above the first.
    fed : Out(banks)
        Where lanes share trits: whether each bank's column is of what the layer is fed with, x or the h below
        it, and not of its own h.
    """

    latency = 1

    def __init__(self, geometry: Geometry, magnitude_bits: int) -> None:
        self.geometry = geometry
        self.magnitude_bits = magnitude_bits
        banks = geometry.engine.banks
        members = {
            "begin": In(1),
            "with_x": In(1),
            "with_h": In(1),
            "base": In(range(geometry.depth)),
            "done": Out(1),
            "addr": Out(data.ArrayLayout(range(geometry.depth), banks), init=[geometry.zero_address] * banks),
            "trits": Out(data.ArrayLayout(trit_layout(magnitude_bits), banks)),
            "events": Out(range(banks + 1)),
        }
        if geometry.model.spec.shares_trits:
            members["fed"] = Out(banks)
            if geometry.model.layers > 1:
                members["above"] = In(1)
        for bank in range(banks):
            members[f"x{bank}"] = In(stream.Signature(Entry(len(geometry.bank_x(bank)), 0)))
            members[f"h{bank}"] = In(stream.Signature(Entry(len(geometry.bank_h(bank)), magnitude_bits)))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        geometry = self.geometry
        banks = geometry.engine.banks
        active = Signal(banks)
        m.d.comb += self.events.eq(sum(active[bank] for bank in range(banks)))
        m.d.comb += self.done.eq(1)
        for bank in range(banks):
            # What the bank takes: x's entries, h's, or neither. A register each, which is a queue's ready.
            in_x, in_h = Signal(name=f"in_x_{bank}", init=1), Signal(name=f"in_h_{bank}")
            x, h = getattr(self, f"x{bank}"), getattr(self, f"h{bank}")
            trit = self.trits[bank]
            with m.If(in_x | in_h):
                m.d.comb += self.done.eq(0)

            m.d.sync += [self.addr[bank].eq(geometry.zero_address), active[bank].eq(0)]
            offset = len(geometry.bank_x(bank))  # h's words follow x's
            for queue, mine, first in ((x, in_x, 0), (h, in_h, offset)):
                m.d.comb += queue.ready.eq(mine)
                entry = queue.payload
                with m.If(mine & queue.valid):
                    m.d.sync += [
                        self.addr[bank].eq(
                            Mux(entry.trit.active, self.base + (entry.column + first), geometry.zero_address)
                        ),
                        active[bank].eq(entry.trit.active),
                        trit.active.eq(entry.trit.active),
                        trit.negative.eq(entry.trit.negative),
                        trit.magnitude.eq(entry.trit.magnitude if queue is h else 0),
                    ]
            if geometry.model.spec.shares_trits:
                m.d.sync += self.fed[bank].eq(in_x ^ self.above if geometry.model.layers > 1 else in_x)
            with m.If(in_x & x.valid & x.payload.final):
                m.d.sync += [in_x.eq(0), in_h.eq(self.with_h)]
            with m.If(in_h & h.valid & h.payload.final):
                m.d.sync += in_h.eq(0)
            with m.If(self.begin):
                m.d.sync += [in_x.eq(self.with_x), in_h.eq(~self.with_x)]
        return m
