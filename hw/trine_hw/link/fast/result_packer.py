"""Result packer of the fast codec: the records of all tokens of a frame, one after the other."""

from __future__ import annotations

import enum

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from trine_hw.core.core import Core
from trine_hw.link.fast.cell_reader import CellReader, CellWord
from trine_hw.link.fast.logit_sums import LogitSums
from trine_hw.link.fast.tag_queue import TagQueue
from trine_hw.link.fast.top_list import TopList
from trine_hw.link.fast.word_packer import WordPacker
from trine_hw.link.result_packer import WantFlags
from trine_sw.link.protocol import Feature, LinkConfig
from trine_sw.link.records import SUM_BYTES, Codec

__all__ = ["FastResultPacker"]


class _Part(enum.IntEnum):
    """What of a record is being given, in its order."""

    CELLS = 0
    CYCLES = 1
    LOGITS = 2
    CHOICE = 3
    TOP = 4


class FastResultPacker(wiring.Component):
    """Takes what the core gives for the tokens of a frame, while more of them enter it.

    Contract: after ``start``, the core is given tokens: so many with each ``enter``, with ``final`` the last
    of the frame. Of each, the state and, with ``head``, logits and choice are taken from the core. The parts
    in ``want``, alike for all, go to ``o`` as :class:`trine_sw.link.records.Codec` says, h and u of the last
    layer; the words of the last token's state go to the store.

    With ``last``, one token enters at a time, a record is given only of those with ``shown``, and the core is
    asked for logits and choice of these alone. With ``summed`` besides, and ``head``, it is asked for those
    of all, and the record has the logits added up since a token with ``begins``; with ``counted`` too, how
    often each symbol was chosen. With ``top``, and ``head``, a record ends with so many of the largest
    logits.

    ``idle`` is 1 when all that had entered before this cycle is taken, and ``done`` when that was the last;
    ``given`` when a record's last byte is transferred.
    With cycles wanted, a token enters only when ``idle`` is 1.

    Throughput: a byte in every cycle. The state queue is free 5 cycles and a cycle for ten cells after a
    group's state was there, and a choice is taken in the cycle in which it is offered, as long as those
    before have been given.

    Area: about 540 LUT4, one a cell and bit of (h, u, c) in the core's state queue, whose cells move, and
    those of :class:`trine_hw.link.fast.logit_sums.LogitSums` and of
    :class:`trine_hw.link.fast.top_list.TopList` where there are any.

    Parameters
    ----------
    core : :class:`trine_hw.core.core.Core`
        With ``state_step`` of :data:`trine_sw.link.memories.CELLS_AT_ONCE`.
    codec : :class:`trine_sw.link.records.Codec`
    link : :class:`trine_sw.link.protocol.LinkConfig`

    Members
    -------
    start, head, want : as :class:`trine_hw.link.result_packer.ResultPacker`
    last, summed, counted, top : :py:`In(1)`; ``top`` a number
        Likewise, in the cycle of ``start``.
    enter, final, tokens, shown, begins : :py:`In(1)`; ``tokens`` a number
        Tokens that enter the core.
    idle, done, given : :py:`Out(1)`
    state, logits, choice, state_shift, o, last_choice : as :class:`trine_hw.link.result_packer.ResultPacker`
    stored, store_en : :py:`Out(CellWord(core))`, :py:`Out(1)`
        A word of the state.
    """

    def __init__(self, core: Core, codec: Codec, link: LinkConfig) -> None:
        self.core, self.codec, self.link = core, codec, link
        members: dict[str, object] = {
            "start": In(1),
            "head": In(1),
            "want": In(WantFlags()),
            **dict.fromkeys(("last", "summed", "counted", "enter", "final", "shown", "begins"), In(1)),
            "top": In(range(codec.info.top + 1)),
            "tokens": In(range(link.max_payload + 1)),
            **dict.fromkeys(("idle", "done", "given"), Out(1)),
            "state": In(core.signature.members["state"].signature),
            "state_shift": Out(1),
            "o": Out(stream.Signature(8)),
            "stored": Out(CellWord(core)),
            "store_en": Out(1),
            "last_choice": Out(8 * codec.token_bytes),
        }
        if core.geometry.head_lanes:
            members |= {name: In(core.signature.members[name].signature) for name in ("logits", "choice")}
        super().__init__(members)  # pyright: ignore[reportArgumentType]

    def elaborate(self, platform: object) -> Module:
        """States and records are counted apart: a token's state has been taken long before its choice
        comes."""
        m = Module()
        core = self.core
        m.submodules.reader = reader = CellReader(core)
        m.submodules.packer = packer = WordPacker(core, self.codec.info.u_bits)
        m.submodules.tags = tags = TagQueue(1)  # whether a token has a record
        info = self.codec.info
        sums = LogitSums(core, counts=info.has(Feature.COUNTS)) if info.has(Feature.SUMS) else None
        counted = Signal()
        tops = TopList(core, self.codec) if info.top else None
        want, head, last, summed = Signal(WantFlags()), Signal(), Signal(), Signal()
        cells = want.h | want.u
        states, records = (
            Signal(range(self.link.max_payload + 1), name=name) for name in ("states", "records")
        )
        final = Signal()  # the last token has entered
        recorded, ended = Signal(), Signal()  # a record is complete; a token's state is taken
        recording = (cells | want.cycles | head) & (~last | self.shown)
        shown = ~last | tags.o  # of the token whose state is offered
        waits = Signal()
        # Of the token whose state is offered: all its beats are kept or none, though another token may enter.
        decided, kept = Signal(), Signal()
        with m.If(self.state.valid):
            m.d.sync += [decided.eq(~ended), kept.eq(reader.keep)]
        m.d.comb += [
            tags.i.eq(self.shown),
            tags.put.eq(self.enter & last),
            tags.take.eq(ended & last),
            reader.state.valid.eq(self.state.valid),
            reader.state.payload.eq(self.state.payload),
            self.state.ready.eq(reader.state.ready),
            self.state_shift.eq(reader.state_shift),
            reader.room.eq(packer.room),
            reader.keep.eq(Mux(decided, kept, final & (states == 1))),
            reader.looked.eq((cells & shown) | reader.keep),
            reader.show.eq(shown),
            packer.i.eq(reader.o),
            packer.valid.eq(reader.valid & cells),
            packer.levels.eq(want.u),
            self.stored.eq(reader.o),
            self.store_en.eq(reader.valid & reader.o.keep),
            ended.eq(self.state.valid & self.state.ready & self.state.payload.last),
        ]
        adding = self._sums(m, sums, summed, counted) if sums is not None else 0
        if tops is not None:
            m.submodules.tops = tops
            with m.If(self.start):
                m.d.sync += tops.count.eq(self.top)
        entered = Mux(self.enter, self.tokens, 0)
        m.d.sync += [
            states.eq(states + entered - ended),
            records.eq(records + Mux(recording, entered, 0) - recorded),
            waits.eq((states != 0) | (records != 0) | self.enter | reader.busy | packer.busy | adding),
        ]
        m.d.comb += [self.idle.eq(~waits), self.done.eq(~waits & final), self.given.eq(recorded)]
        with m.If(self.enter):
            m.d.sync += final.eq(self.final)
        with m.If(self.start):
            m.d.sync += [want.eq(self.want), head.eq(self.head), final.eq(0)]
            m.d.sync += [last.eq(self.last), summed.eq(self.summed), counted.eq(self.counted)]
        self._records(m, want, head, summed, packer, sums, tops, recorded, ended & shown)
        return m

    def _sums(self, m: Module, sums: LogitSums, summed: Signal, counted: Signal) -> Value:
        """Logits are added up; whether some are still to be, or a choice of the core is to come."""
        m.submodules.sums = sums
        choices = Signal(range(TagQueue.depth + 1))  # that the core owes
        enters = self.enter & summed
        m.d.sync += choices.eq(choices + enters - (summed & self.choice.valid & self.choice.ready))
        m.d.comb += [
            sums.enter.eq(enters),
            sums.begins.eq(self.begins),
            sums.shown.eq(self.shown),
            sums.i.payload.eq(self.logits.payload),
            sums.i.valid.eq(self.logits.valid & summed),
        ]
        if sums.counts:
            m.d.comb += [
                sums.counted.eq(counted),
                sums.chosen.payload.eq(self.choice.payload),
                sums.chosen.valid.eq(self.choice.valid & counted),
            ]
        return (choices != 0) | sums.busy

    def _records(
        self,
        m: Module,
        want,
        head: Signal,
        summed: Signal,
        packer: WordPacker,
        sums: LogitSums | None,
        tops: TopList | None,
        recorded: Signal,
        ended: Value,
    ) -> None:
        """The parts of a record, one after the other; then the next record's."""
        has_head, codec = self.core.geometry.head_lanes > 0, self.codec
        at = Signal(_Part)
        byte = Signal(range(max(4, codec.logit_bytes, codec.token_bytes)))
        wanted = {_Part.CELLS: want.h | want.u, _Part.CYCLES: want.cycles}
        if has_head:
            wanted |= {_Part.LOGITS: want.logits, _Part.CHOICE: head}
        topped = Signal()
        if tops is not None:
            m.d.comb += topped.eq(tops.count != 0)
            wanted |= {_Part.TOP: topped}
        following = Signal(_Part)  # after the part at hand
        first = list(wanted)[-1]
        for part in reversed(list(wanted)[:-1]):
            first = Mux(wanted[part], part, first)
        m.d.comb += following.eq(first)
        ends, final = Signal(), Signal()  # the part ends; it is the record's last
        m.d.comb += [recorded.eq(ends & final), final.eq(1)]
        for part in wanted:
            with m.If(at == part):
                for later in reversed([each for each in wanted if each > part]):
                    with m.If(wanted[later]):
                        m.d.comb += [following.eq(later), final.eq(0)]
        with m.If(ends):
            m.d.sync += [at.eq(following), byte.eq(0)]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += byte.eq(byte + 1)

        cycles, cycles_there = Signal(32), Signal()
        with m.If(ended & ~cycles_there):
            m.d.sync += [cycles.eq(self.state.payload.cycles), cycles_there.eq(want.cycles)]
        if has_head:
            self._head_parts(m, want, summed, sums, tops, topped, byte, at, ends)
        with m.Switch(at):
            with m.Case(_Part.CELLS):
                m.d.comb += [
                    self.o.valid.eq(packer.o.valid),
                    self.o.payload.eq(packer.o.payload),
                    packer.o.ready.eq(self.o.ready),
                    ends.eq(packer.o.valid & self.o.ready & packer.last),
                ]
            with m.Case(_Part.CYCLES):
                m.d.comb += [
                    self.o.valid.eq(cycles_there),
                    self.o.payload.eq(cycles.word_select(byte[:2], 8)),
                    ends.eq(cycles_there & self.o.ready & (byte == 3)),
                ]
                with m.If(ends):
                    m.d.sync += cycles_there.eq(0)
        begun = Signal()
        m.d.sync += begun.eq(self.start)
        with m.If(begun):
            m.d.sync += [at.eq(first), byte.eq(0)]

    def _head_parts(
        self,
        m: Module,
        want,
        summed: Signal,
        sums: LogitSums | None,
        tops: TopList | None,
        topped: Signal,
        byte: Signal,
        at: Signal,
        ends: Signal,
    ) -> None:
        """Logits, byte by byte, and the choice, which waits in a register; the core's, or those of sums."""
        logits, choice, codec = self.logits, self.choice, self.codec
        ways = self.core.engine.sampler_ways
        way = Signal(range(max(2, ways)))
        logit = Signal(signed(8 * (SUM_BYTES if sums is not None else codec.logit_bytes)))
        chosen, chosen_there = Signal.like(choice.payload), Signal()
        masked = (logits.payload.mask >> way + 1)[0] if ways > 1 else Const(0)
        most_bytes = len(logit) // 8
        of_logit = Signal(range(max(2, most_bytes)))
        there, value, finishes = Signal(), Signal.like(logit), Signal()  # the logit at hand; it is the last
        last = of_logit == codec.logit_bytes - 1
        m.d.comb += [
            there.eq(logits.valid),
            value.eq(Array(logits.payload.logit[n] for n in range(ways))[way]),
            finishes.eq(logits.payload.last & ~masked),
            choice.ready.eq(~chosen_there),
            logits.ready.eq(~want.logits & ~topped),
        ]
        with m.If(choice.valid & choice.ready):
            m.d.sync += self.last_choice.eq(choice.payload)
            with m.If(~summed):
                m.d.sync += [chosen.eq(choice.payload), chosen_there.eq(1)]
        moves = Signal()  # to the next logit
        with m.If(moves):
            m.d.sync += way.eq(Mux(masked, way + 1, 0))
            m.d.comb += logits.ready.eq(~masked)
        if sums is not None:
            last = of_logit == Mux(summed, SUM_BYTES, codec.logit_bytes) - 1
            m.d.comb += sums.o.ready.eq(~want.logits | moves)
            m.d.comb += sums.choice.ready.eq(~chosen_there)
            with m.If(summed):
                m.d.comb += [
                    there.eq(sums.o.valid),
                    value.eq(sums.o.payload.sum),
                    finishes.eq(sums.o.payload.last),
                    choice.ready.eq(~sums.counted | sums.chosen.ready if sums.counts else 1),
                    logits.ready.eq(sums.i.ready),
                ]
                m.d.sync += way.eq(0)
                with m.If(sums.choice.valid & sums.choice.ready):
                    m.d.sync += [chosen.eq(sums.choice.payload), chosen_there.eq(1)]
        room = Const(1)  # for the logit at hand
        if tops is not None:
            room = ~topped | tops.i.ready
            m.d.comb += [
                tops.i.payload.logit.eq(value),
                tops.i.payload.last.eq(finishes),
                tops.i.valid.eq(topped & moves),
            ]
            with m.If(topped & ~want.logits):
                m.d.comb += moves.eq(there & tops.i.ready)
            with m.If(at == _Part.TOP):
                m.d.comb += [
                    self.o.valid.eq(tops.o.valid),
                    self.o.payload.eq(tops.o.payload),
                    tops.o.ready.eq(self.o.ready),
                    ends.eq(tops.o.valid & self.o.ready & tops.last),
                ]
        m.d.comb += logit.eq(value)
        with m.If(at == _Part.LOGITS):
            m.d.comb += [
                self.o.valid.eq(there & want.logits & room),
                self.o.payload.eq(logit.as_unsigned().word_select(of_logit, 8)),
            ]
            with m.If(self.o.valid & self.o.ready):
                m.d.sync += of_logit.eq(Mux(last, 0, of_logit + 1))
                m.d.comb += [moves.eq(last), ends.eq(last & finishes)]
        with m.Elif(at == _Part.CHOICE):
            m.d.comb += [
                self.o.valid.eq(chosen_there & want.choice),
                self.o.payload.eq(chosen >> (byte << 3)),
                ends.eq(chosen_there & (~want.choice | (self.o.ready & (byte == codec.token_bytes - 1)))),
            ]
            with m.If(ends):
                m.d.sync += chosen_there.eq(0)
