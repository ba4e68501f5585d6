"""Event counters of the link in a memory, where an event costs one or two logic cells instead of 32."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["EventCounters"]

#: Events of a kind that may wait to be added.
_WAITING_BITS = 3


class EventCounters(wiring.Component):
    """Counts events of several kinds, modulo 2**32 each, from 0 at reset.

    Contract: a cycle in which a bit of ``events`` is 1 counts once. An event is added within
    ``6 * kinds + 2`` cycles, or that long after ``hold`` or the reset; in such a time no kind may have more
    than 7 events. With ``hold``, which may be given once ``settled`` is seen and then as long as it is
    wanted, nothing is added, and ``word`` is the half of a counter that ``index`` chose the cycle before.

    Area: about 90 LUT4 and a memory of one port, for 6 kinds; the counters in flip-flops cost 192 and a
    multiplexer of 300. A kind whose event is constant 0 costs nothing.

    Parameters
    ----------
    kinds : :class:`int`
    attrs : :class:`dict`
        Of the memory, for synthesis.

    Members
    -------
    events : In(kinds)
    hold : In(1)
    settled : Out(1)
        All events so far are added.
    index : In
        Twice the kind, plus 1 for the upper half.
    word : Out(16)
    """

    def __init__(self, kinds: int, *, attrs: Mapping[str, str] | None = None) -> None:
        if kinds < 1:
            raise ValueError(f"kinds must be at least 1, not {kinds}")
        self.kinds = kinds
        self.memory = Memory(shape=16, depth=2 * kinds, init=[], attrs=dict(attrs or {}))
        super().__init__(
            {
                "events": In(kinds),
                "hold": In(1),
                "settled": Out(1),
                "index": In(range(2 * kinds)),
                "word": Out(16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.counts_spram = memory = self.memory
        write, read = memory.write_port(), memory.read_port()
        address = Signal.like(read.addr)
        # One address, and never read where it is written: a memory of a single port will do.
        m.d.comb += [
            read.addr.eq(address),
            write.addr.eq(address),
            read.en.eq(~write.en),
            self.word.eq(read.data),
        ]
        waiting = [Signal(_WAITING_BITS, name=f"waiting_{kind}") for kind in range(self.kinds)]
        taken = Signal(self.kinds)  # what waits is being added
        for kind, count in enumerate(waiting):
            m.d.sync += count.eq(Mux(taken[kind], 0, count) + self.events[kind])
        kind = Signal(range(max(2, self.kinds)))
        mine = Signal(_WAITING_BITS)
        amount = Signal(_WAITING_BITS)
        upper, clear = Signal(), Signal()
        total = Signal(17)
        m.d.comb += [
            mine.eq(Array(waiting)[kind]),
            total.eq(read.data + amount),
            address.eq(kind << 1 | upper),
            write.data.eq(Mux(clear, 0, total)),
        ]
        after = Mux(kind == self.kinds - 1, 0, kind + 1)
        with m.FSM():
            with m.State("Clear"):
                m.d.comb += [clear.eq(1), write.en.eq(1)]
                m.d.sync += upper.eq(~upper)
                with m.If(upper):
                    m.d.sync += kind.eq(after)
                    with m.If(kind == self.kinds - 1):
                        m.next = "Look"
            with m.State("Look"):
                m.d.comb += self.settled.eq(~Cat(waiting).any())
                m.d.sync += amount.eq(mine)
                with m.If(self.hold | self.settled):
                    m.d.comb += address.eq(self.index)
                with m.Elif(mine != 0):
                    m.d.comb += taken.bit_select(kind, 1).eq(1)
                    m.next = "Add"
                with m.Else():
                    m.d.sync += kind.eq(after)
            with m.State("Add"):
                m.d.comb += write.en.eq(1)
                m.d.sync += upper.eq(0)
                m.next = "Look"
                with m.If(total[16] & ~upper):
                    m.d.sync += [upper.eq(1), amount.eq(1)]
                    m.next = "Carry"
            with m.State("Carry"):
                m.next = "Add"
        return m
