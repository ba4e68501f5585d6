"""Logit sums: the logits of a sequence's tokens, or their choices, added up, and the likeliest."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from trine_hw.core.core import Core
from trine_hw.link.fast.tag_queue import TagQueue
from trine_sw.link.records import SUM_BYTES
from trine_sw.support.arithmetic import ceil_div

__all__ = ["LogitSum", "LogitSums"]

_BITS = 8 * SUM_BYTES


class LogitSum(data.StructLayout):
    """The sum of a logit over a sequence, and whether it is the last symbol's."""

    def __init__(self) -> None:
        super().__init__({"sum": signed(_BITS), "last": 1})


class LogitSums(wiring.Component):
    """Adds up logits, beat by beat, and gives the sums of each sequence that ends.

    Contract: each token that enters the core has ``enter``, with ``begins`` if the sums begin with it and
    ``shown`` if they are wanted with it. Its logits come at ``i`` as the core gives them. Of a token that is
    shown the sums leave at ``o``, modulo 2**32, and then the first of the largest at ``choice``; until it is
    taken no further logits are. ``busy`` is 1 while a token's logits have not all come, or its sums not left.

    With ``counted``, which is steady while ``busy`` is 1, a token adds 1 for the symbol that it chose and
    nothing for the others: that comes at ``chosen``, and is taken behind its logits.

    Throughput: a beat in every cycle; a sum in every cycle; with ``counted``, as many cycles more as a token
    has beats. Area: 32 carries and LUT4, and 64 LUT4 for each 16 beats, for each of a beat's logits; some 130
    LUT4 more.

    Parameters
    ----------
    core : :class:`trine_hw.core.core.Core`
        With a head.
    counts : :class:`bool`
        Whether choices can be counted.

    Members
    -------
    enter, begins, shown : :py:`In(1)`
    i : the core's logits
    counted, chosen : :py:`In(1)`, the core's choices; with ``counts``
    o : :py:`Out(stream.Signature(LogitSum()))`
    choice : as the core's
    busy : :py:`Out(1)`
    """

    def __init__(self, core: Core, *, counts: bool = False) -> None:
        self.core, self.counts = core, counts
        members: dict[str, object] = {
            **dict.fromkeys(("enter", "begins", "shown"), In(1)),
            "i": In(core.signature.members["logits"].signature),
            "o": Out(stream.Signature(LogitSum())),
            "choice": Out(core.signature.members["choice"].signature),
            "busy": Out(1),
        }
        if counts:
            members |= {"counted": In(1), "chosen": In(core.signature.members["choice"].signature)}
        super().__init__(members)  # pyright: ignore[reportArgumentType]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ways, symbols = self.core.engine.sampler_ways, self.core.model.config.vocab_size
        beats = ceil_div(symbols, ways)
        m.submodules.tags = tags = TagQueue(2)
        begins, shown = tags.o[0], tags.o[1]
        m.submodules.sums = memory = Memory(
            shape=data.ArrayLayout(signed(_BITS), ways),
            depth=max(2, beats),
            init=[],
            attrs={"ram_style": "distributed"},
        )
        write, read = memory.write_port(), memory.read_port(domain="comb")
        beat, way = Signal(range(max(2, beats))), Signal(range(max(2, ways)))
        best, found = Signal(signed(_BITS)), Signal.like(self.choice.payload)
        symbol = Signal.like(found)
        counted, first = (self.counted, Signal.like(found)) if self.counts else (Const(0), Const(0))
        added = [
            Mux(counted, self.chosen.payload == first + n, self.i.payload.logit[n]) if self.counts else logit
            for n, logit in enumerate(self.i.payload.logit[n] for n in range(ways))
        ]
        m.d.comb += [
            tags.i.eq(Cat(self.begins, self.shown)),
            tags.put.eq(self.enter),
            self.busy.eq(tags.some),
            read.addr.eq(beat),
            write.addr.eq(beat),
            *(write.data[n].eq(Mux(begins, 0, read.data[n]) + added[n]) for n in range(ways)),
            self.o.payload.sum.eq(Array(read.data[n] for n in range(ways))[way]),
            self.o.payload.last.eq(symbol == symbols - 1),
            self.choice.payload.eq(found),
        ]

        def added_up() -> None:
            m.d.comb += tags.take.eq(~shown)
            with m.If(shown):
                m.next = "Give"

        with m.FSM():
            with m.State("Add"):
                m.d.comb += [self.i.ready.eq(1), write.en.eq(self.i.valid & ~counted)]
                m.d.sync += [symbol.eq(0), way.eq(0)]
                if self.counts:
                    m.d.sync += first.eq(0)
                with m.If(self.i.valid):
                    m.d.sync += beat.eq(beat + 1)
                    with m.If(self.i.payload.last):
                        m.d.sync += beat.eq(0)
                        with m.If(~counted):
                            added_up()
                        if self.counts:
                            with m.Else():
                                m.next = "Count"
            if self.counts:
                with m.State("Count"), m.If(self.chosen.valid):
                    m.d.comb += write.en.eq(1)
                    m.d.sync += [beat.eq(beat + 1), first.eq(first + ways)]
                    with m.If(beat == beats - 1):
                        m.d.sync += beat.eq(0)
                        m.d.comb += self.chosen.ready.eq(1)
                        m.next = "Add"
                        added_up()
            with m.State("Give"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += [symbol.eq(symbol + 1), way.eq(way + 1)]
                    with m.If(way == ways - 1):
                        m.d.sync += [way.eq(0), beat.eq(beat + 1)]
                    with m.If((symbol == 0) | (self.o.payload.sum > best)):
                        m.d.sync += [best.eq(self.o.payload.sum), found.eq(symbol)]
                    with m.If(self.o.payload.last):
                        m.next = "Choose"
            with m.State("Choose"):
                m.d.comb += self.choice.valid.eq(1)
                m.d.sync += beat.eq(0)
                with m.If(self.choice.ready):
                    m.d.comb += tags.take.eq(1)
                    m.next = "Add"
        return m
