"""Column events: each active trit of a vector is one event, in order, and reaches its bank's slot once."""

from __future__ import annotations

from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal, Value

from sim.formal.prove import Property
from sim.formal.streams import was
from trine_hw.core.column_issue import ColumnIssue
from trine_hw.core.scanner import Scanner

__all__ = ["IssueEvents", "ScannerEvents"]


class ScannerEvents(Property):
    """What leaves a scanner is what was loaded: no event lost, none twice, none invented, and none late.

    The events that are still to come are kept beside it, of the vector whose entries are at the output and of
    the one that was loaded while its last entry waited there.
    """

    def __init__(self, scanner: Scanner) -> None:
        super().__init__(scanner)

    def state(self, m: Module) -> None:
        (scanner,) = self.components
        size, width = scanner.size, len(Value.cast(scanner.trits)) // scanner.size
        start, entry = scanner.load | scanner.again | scanner.clear, scanner.o.payload
        taken = scanner.o.valid & scanner.o.ready
        held = Signal(len(Value.cast(scanner.trits)))  # the vector that was loaded last
        vector, rest, busy = Signal.like(held), Signal(size), Signal()  # at the output; its events to come
        waits = Signal()  # ``held`` waits behind it
        m.d.comb += [Assume(~start | scanner.idle), Assume(scanner.load + scanner.again + scanner.clear <= 1)]

        source = Signal.like(held)
        m.d.comb += source.eq(Mux(scanner.load, Value.cast(scanner.trits), Mux(scanner.again, held, 0)))
        with m.If(start):
            m.d.sync += held.eq(source)

        def actives(value: Value) -> Value:
            return Cat(value[index * width] for index in range(size))

        lowest = Signal(size)
        m.d.comb += lowest.eq(Cat(rest[n] & ~rest[:n].any() for n in range(size)))
        column, trit = Value.cast(entry.column), Value.cast(entry.trit)
        right = Cat(
            ~lowest[n] | ((column == n) & (trit == vector.word_select(n, width))) for n in range(size)
        ).all()
        ended = Signal()  # no event of the vector at the output is still to come after this cycle
        m.d.comb += ended.eq(~busy | (taken & ((rest & ~lowest) == 0)))
        with m.If(taken):
            m.d.comb += [
                Assert(busy),
                Assert(entry.final == ((rest & ~lowest) == 0)),
                Assert(Mux(rest == 0, ~entry.trit.active, right)),
            ]
            m.d.sync += rest.eq(rest & ~lowest)
        with m.If(ended):
            m.d.sync += [busy.eq(waits | start), waits.eq(0)]
            m.d.sync += vector.eq(Mux(waits, held, source))
            m.d.sync += rest.eq(actives(Mux(waits, held, source)))
            m.d.comb += Assert(~(waits & start))
        with m.Elif(start):
            m.d.comb += Assert(~waits)
            m.d.sync += waits.eq(1)
        # None is late, so none is lost: the first comes within the latency, the next in the cycle after.
        since = was(m, start)
        for _ in range(scanner.latency - 1):
            since = was(m, since)
        m.d.comb += [
            Assert(~since | scanner.o.valid),
            Assert(~was(m, taken & ~entry.final) | scanner.o.valid),
        ]


class IssueEvents(Property):
    """Each entry that a bank takes is in its slot one cycle later, once; a group takes x's entries to the
    final one, then h's, as it was told to, and is done when all banks are."""

    def __init__(self, issue: ColumnIssue) -> None:
        super().__init__(issue)

    def state(self, m: Module) -> None:
        (issue,) = self.components
        geometry, banks = issue.geometry, issue.geometry.engine.banks
        m.d.comb += Assume(~issue.begin | issue.done)
        all_done: Value | int = 1
        events = []
        for bank in range(banks):
            x, h = getattr(issue, f"x{bank}"), getattr(issue, f"h{bank}")
            in_x, in_h = Signal(init=1, name=f"in_x{bank}"), Signal(name=f"in_h{bank}")
            takes_x, takes_h = x.valid & x.ready, h.valid & h.ready
            m.d.comb += [Assert(x.ready == in_x), Assert(h.ready == in_h)]
            m.d.comb += Assert(~(in_x & in_h))  # without it the induction would begin in such a state
            with m.If(takes_x & x.payload.final):
                m.d.sync += [in_x.eq(0), in_h.eq(issue.with_h)]
            with m.If(takes_h & h.payload.final):
                m.d.sync += in_h.eq(0)
            with m.If(issue.begin):
                m.d.sync += [in_x.eq(issue.with_x), in_h.eq(~issue.with_x)]
            all_done = all_done & ~in_x & ~in_h

            offset = len(geometry.bank_x(bank))
            column = Mux(takes_x, x.payload.column, h.payload.column + offset)
            active = (takes_x & x.payload.trit.active) | (takes_h & h.payload.trit.active)
            negative = Mux(takes_x, x.payload.trit.negative, h.payload.trit.negative)
            if geometry.model.spec.shares_trits:
                of_a = takes_x ^ issue.above if geometry.model.layers > 1 else takes_x
                m.d.comb += Assert(~was(m, active) | (issue.fed[bank] == was(m, of_a)))
            before = was(m, active)
            address = was(m, (issue.base + column)[: len(Value.cast(issue.addr[bank]))])
            trit = issue.trits[bank]
            m.d.comb += [
                Assert(~was(m, 1) | (issue.addr[bank] == Mux(before, address, geometry.zero_address))),
                Assert(~before | (trit.active & (trit.negative == was(m, negative)))),
            ]
            events.append(before)
        m.d.comb += [Assert(issue.done == all_done), Assert(issue.events == sum(events))]
