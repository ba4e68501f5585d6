"""Item checker: looks at the items of a STEP while they are received."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from trine_sw.link.protocol import Reason, Want
from trine_sw.link.records import Codec
from trine_sw.model.trits import TRITS_PER_BYTE

__all__ = ["ItemChecker"]

_LARGEST = 3**TRITS_PER_BYTE - 1


class ItemChecker(wiring.Component):
    """Finds the first thing that is wrong with the items of a STEP, as
    :func:`trine_sw.link.items.read_items`.

    Contract: the payload's bytes come at ``byte``, one in each cycle with ``valid``, the flags of what is
    wanted first. ``settle`` cycles after the last of them, and until ``clear``, ``reason`` is why the items
    are refused: :class:`trine_sw.link.protocol.Reason`, or 0. What else a payload contains gives a reason
    too, of no meaning.

    Throughput: a byte in every cycle. Area: about 120 LUT4.

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
        """The reason of a payload that has flags and items."""
        from trine_sw.link.items import Refusal, read_items

        try:
            read_items(payload[1:], codec, codec.record_bytes(Want(payload[0] & 31)))
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
        record_bytes = Array(codec.record_bytes(want) for want in range(~Want(0) + 1))
        record = Signal(range(max(codec.record_bytes(want) for want in range(~Want(0) + 1)) + 1))
        flags = Signal(len(Want))
        byte, there = Signal(8), Signal()  # of an item
        m.d.sync += [byte.eq(self.byte), there.eq(self.valid & begun), record.eq(record_bytes[flags])]
        with m.If(self.valid & ~begun):
            m.d.sync += [begun.eq(1), flags.eq(self.byte)]

        count = Signal(range(size))  # bytes of the item that have come
        ends, wrong, partial = Signal(), Signal(), Signal()
        complete = Signal()
        value = self._wrong(m, byte, there, complete)
        m.d.comb += complete.eq(count == size - 1)
        with m.If(there):
            m.d.sync += count.eq(Mux(complete, 0, count + 1))
        m.d.sync += [ends.eq(there & complete), wrong.eq(there & value), partial.eq(count != 0)]

        # One more than the room is as much as matters: no reason is looked for behind the first.
        used = Signal(range(2 * (room + len(record_bytes)) + (1 << len(record))))
        ended, was_wrong, full = Signal(), Signal(), Signal()
        m.d.sync += [ended.eq(ends), was_wrong.eq(wrong)]
        with m.If(ends):
            m.d.sync += used.eq(used + record)
        m.d.comb += full.eq(ended & (used > room))
        first = Signal(self.reason.shape())
        bad = Reason.TOKEN if codec.info.embedding_on_board else Reason.VALUE
        with m.If(first == 0):
            with m.If(was_wrong):
                m.d.sync += first.eq(bad)
            with m.Elif(full):
                m.d.sync += first.eq(Reason.ROOM)
        m.d.comb += self.reason.eq(Mux(first != 0, first, Mux(partial, Reason.LENGTH, 0)))
        with m.If(self.clear):
            m.d.sync += [signal.eq(0) for signal in (begun, there, count, ends, wrong, ended, was_wrong)]
            m.d.sync += [used.eq(0), first.eq(0), partial.eq(0)]
        return m

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
