"""Column issue: each bank reads its next active column, x's before h's, until the group's columns are
done."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from trine_hw.scanner import Entry, trit_layout
from trine_sw.engine import Geometry

__all__ = ["ColumnIssue"]


class _Phase(enum.Enum, shape=unsigned(2)):
    DONE = 0
    X = 1
    H = 2


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
    x{bank}, h{bank} : In(stream of :class:`trine_hw.scanner.Entry`)
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
        if geometry.shares_trits:
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
        phases = [Signal(_Phase, name=f"phase_{bank}", init=_Phase.X) for bank in range(banks)]
        active = Signal(banks)
        m.d.comb += self.events.eq(sum(active[bank] for bank in range(banks)))
        m.d.comb += self.done.eq(1)
        for bank, phase in enumerate(phases):
            x, h = getattr(self, f"x{bank}"), getattr(self, f"h{bank}")
            trit = self.trits[bank]
            with m.If((phase == _Phase.X) | (phase == _Phase.H)):
                m.d.comb += self.done.eq(0)

            m.d.sync += [self.addr[bank].eq(geometry.zero_address), active[bank].eq(0)]
            offset = len(geometry.bank_x(bank))  # h's words follow x's
            for queue, mine, first in ((x, _Phase.X, 0), (h, _Phase.H, offset)):
                m.d.comb += queue.ready.eq(phase == mine)
                entry = queue.payload
                with m.If((phase == mine) & queue.valid):
                    m.d.sync += [
                        self.addr[bank].eq(
                            Mux(entry.trit.active, self.base + (entry.column + first), geometry.zero_address)
                        ),
                        active[bank].eq(entry.trit.active),
                        trit.active.eq(entry.trit.active),
                        trit.negative.eq(entry.trit.negative),
                        trit.magnitude.eq(entry.trit.magnitude if mine == _Phase.H else 0),
                    ]
            if geometry.shares_trits:
                in_a = phase == _Phase.X
                m.d.sync += self.fed[bank].eq(in_a ^ self.above if geometry.model.layers > 1 else in_a)
            with m.If((phase == _Phase.X) & x.valid & x.payload.final):
                m.d.sync += phase.eq(Mux(self.with_h, _Phase.H, _Phase.DONE))
            with m.If((phase == _Phase.H) & h.valid & h.payload.final):
                m.d.sync += phase.eq(_Phase.DONE)
            with m.If(self.begin):
                m.d.sync += phase.eq(Mux(self.with_x, _Phase.X, _Phase.H))
        return m
