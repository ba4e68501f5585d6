"""Item checker: looks at the items of a STEP while they are received."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from trine_sw.link.protocol import COUNTED, MORE, MOST_SEGMENT, Feature, Form, Reason, Want
from trine_sw.link.records import Codec
from trine_sw.model.trits import TRITS_PER_BYTE

__all__ = ["ItemChecker"]

_LARGEST = 3**TRITS_PER_BYTE - 1


class _Segment:
    """Where the checker is within a segment.

    Members
    -------
    header, second : its first byte follows, or its second
    empty : it turns out to have no items
    unfinished : more of it must follow
    recorded : the item at hand has a record, though others may not
    """

    def __init__(self) -> None:
        self.header, self.second = Signal(init=1), Signal()
        self.empty, self.unfinished, self.recorded = Signal(), Signal(), Signal()


class ItemChecker(wiring.Component):
    """Finds the first thing that is wrong with the items of a STEP, as
    :func:`trine_sw.link.items.read_items`.

    Contract: the payload's bytes come at ``byte``, one in each cycle with ``valid``, the flags of what is
    wanted, and how, first, and then the byte that says more, if these say that it comes. ``settle`` cycles
    after the last of them, and until ``clear``, ``reason`` is why the items are refused:
    :class:`trine_sw.link.protocol.Reason`, or 0. What else a payload contains gives a reason too, of no
    meaning.

    Throughput: a byte in every cycle. Area: about 190 LUT4, and 40 where more can be wanted.

    Parameters
    ----------
    codec : :class:`trine_sw.link.records.Codec`

    Members
    -------
    byte, valid : :py:`In(8)`, :py:`In(1)`
    clear : :py:`In(1)`
        Another payload follows.
    reason : Out
    """

    settle = 4

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        reason = Signal(range(max(Reason) + 1)).shape()
        super().__init__({"byte": In(8), "valid": In(1), "clear": In(1), "reason": Out(reason)})

    @staticmethod
    def model(codec: Codec, payload: bytes) -> int:
        """The reason of a payload that has flags and items, where the flags are right."""
        from trine_sw.link.items import Refusal, read_items

        info = codec.info
        want, form, top = Want(payload[0] & int(~Want(0))), Form(payload[0] & 0xE0), 0
        more = MORE in want and bool(info.top or info.has(Feature.COUNTS))
        try:
            if more:
                want, top = want & ~MORE, payload[1] if Form.SUM not in form else 0
                possible = payload[1] == COUNTED and info.has(Feature.COUNTS)
                if not (1 <= top <= info.top if Form.SUM not in form else possible):
                    raise Refusal(Reason.VALUE)
            read_items(payload[1 + more :], codec, codec.record_bytes(want, form, top), form)
        except Refusal as refusal:
            return refusal.reason
        return 0

    def elaborate(self, platform: object) -> Module:
        """Three stages behind each other: the byte, in a register; whether an item ends with it, and is
        wrong; the bytes that the records of the items so far will have, and whether they are too many."""
        m = Module()
        codec = self.codec
        size, room = codec.item_bytes, codec.info.link.max_payload
        begun = Signal()  # the flags have come
        sums, most = codec.info.has(Feature.SUMS), codec.info.top
        says_more = bool(most) or codec.info.has(Feature.COUNTS)
        wants = [Want(want) for want in range(~Want(0) + 1)]
        wants = [want & ~MORE if says_more and MORE in want else want for want in wants]
        sizes = [codec.record_bytes(want) for want in wants]
        sizes += [codec.record_bytes(want, Form.SUM) for want in wants] if sums else []
        record = Signal(range(max(sizes) + most * codec.top_bytes + 1))
        flags, sequences, last, summed = Signal(len(Want)), Signal(), Signal(), Signal()
        byte, of_segment = Signal(8), Signal()  # behind the flags
        of_top = Signal(range(most * codec.top_bytes + 1))  # bytes of a record's largest logits
        more, no_such = Signal(), Signal()  # a byte of what is wanted follows; it says nothing that there is
        m.d.sync += [
            byte.eq(self.byte),
            of_segment.eq(self.valid & begun & ~more),
            record.eq(Array(sizes)[Cat(flags, summed) if sums else flags] + of_top),
        ]
        with m.If(self.valid & ~begun):
            m.d.sync += [begun.eq(1), Cat(flags, sequences, last, summed).eq(self.byte)]
            if says_more:
                m.d.sync += more.eq(self.byte[0] & self.byte[1])
        if says_more:
            self._more(m, more, summed, no_such, of_top)
        of_header, there, complete = Signal(), Signal(), Signal()  # of a segment's; of an item, its last
        segment = self._segments(m, byte, of_header, there & complete)
        m.d.comb += [
            of_header.eq(of_segment & sequences & segment.header),
            there.eq(of_segment & ~of_header),
        ]

        count = Signal(range(size))  # bytes of the item that have come
        ends, wrong, partial = Signal(), Signal(), Signal()
        value = self._wrong(m, byte, there, complete)
        m.d.comb += complete.eq(count == size - 1)
        with m.If(there):
            m.d.sync += count.eq(Mux(complete, 0, count + 1))
        empty, was_empty = Signal(), Signal()
        m.d.sync += [
            ends.eq(there & complete & (segment.recorded | ~last)),
            wrong.eq(there & value),
            empty.eq(segment.empty),
            partial.eq((count != 0) | (sequences & segment.unfinished)),
        ]

        # One more than the room is as much as matters: no reason is looked for behind the first.
        used = Signal(range(room + (1 << len(record)) + 1))
        ended, was_wrong, full = Signal(), Signal(), Signal()
        m.d.sync += [ended.eq(ends), was_wrong.eq(wrong), was_empty.eq(empty)]
        with m.If(ends):
            m.d.sync += used.eq(used + record)
        m.d.comb += full.eq(ended & (used > room))
        first = Signal(self.reason.shape())
        bad = Reason.TOKEN if codec.info.embedding_on_board else Reason.VALUE
        with m.If(first == 0):
            with m.If(was_empty | no_such):
                m.d.sync += first.eq(Reason.VALUE)
            with m.Elif(was_wrong):
                m.d.sync += first.eq(bad)
            with m.Elif(full):
                m.d.sync += first.eq(Reason.ROOM)
        m.d.comb += self.reason.eq(Mux(first != 0, first, Mux(partial, Reason.LENGTH, 0)))
        with m.If(self.clear):
            m.d.sync += [signal.eq(0) for signal in (begun, of_segment, count, ends, wrong, ended, was_wrong)]
            m.d.sync += [signal.eq(0) for signal in (used, first, partial, empty, was_empty, segment.second)]
            m.d.sync += [segment.header.eq(1), more.eq(0), no_such.eq(0), of_top.eq(0)]
        return m

    def _more(self, m: Module, more: Signal, summed: Signal, no_such: Signal, of_top: Signal) -> None:
        """The byte that says how many of the largest logits are wanted, or that choices are counted."""
        info, number = self.codec.info, Signal(range(self.codec.info.top + 1))
        counts = self.byte == COUNTED if info.has(Feature.COUNTS) else 0
        tops = (self.byte != 0) & (self.byte <= info.top)
        m.d.sync += [no_such.eq(0), of_top.eq(number * self.codec.top_bytes)]
        with m.If(self.valid & more):
            m.d.sync += [
                *(more.eq(0), no_such.eq(~Mux(summed, counts, tops))),
                number.eq(Mux(summed, 0, self.byte)),
            ]
        with m.If(self.clear):
            m.d.sync += number.eq(0)

    def _segments(self, m: Module, byte: Signal, of_header: Signal, passes: Value) -> _Segment:
        """Follows the segments of a STEP, of which bytes of headers come, and of which items pass."""
        segment = _Segment()
        low, left = Signal(8), Signal(range(MOST_SEGMENT + 1))
        final, records = Signal(), Signal()  # the item at hand is the last; it has a record in any case
        number = Cat(low, byte)[: len(left)]
        m.d.comb += [
            segment.empty.eq(of_header & segment.second & (number == 0)),
            segment.unfinished.eq(segment.second | ~segment.header),
            segment.recorded.eq(final & records),
        ]
        with m.If(of_header):
            m.d.sync += [segment.second.eq(~segment.second), low.eq(byte)]
            with m.If(segment.second):
                m.d.sync += [
                    *(left.eq(number), final.eq(number == 1)),
                    *(records.eq(byte[6]), segment.header.eq(0)),
                ]
        with m.If(passes):
            m.d.sync += [left.eq(left - 1), final.eq(left == 2), segment.header.eq(final)]
        return segment

    def _wrong(self, m: Module, byte: Signal, there: Signal, complete: Signal):
        """Whether the byte makes its item wrong."""
        codec = self.codec
        if codec.info.embedding_on_board:
            before = Signal(8 * (codec.token_bytes - 1)) if codec.token_bytes > 1 else Const(0, 0)
            token = Cat(before, byte)
            if codec.token_bytes > 1:
                with m.If(there):
                    m.d.sync += before.eq(token[8:])
            return complete & (token >= codec.info.vocab_size)
        free = TRITS_PER_BYTE * codec.item_bytes - codec.info.embedding
        # Padding is zeros above the last trits: so many bytes beside each other have them.
        step = 3 ** (TRITS_PER_BYTE - free)
        low = step * (3**free - 1) // 2
        return (byte > _LARGEST) | (complete & ((byte < low) | (byte >= low + step)))
