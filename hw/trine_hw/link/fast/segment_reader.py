"""Segment reader: the bytes of a STEP's items, and which of them begin, close and end sequences."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from trine_hw.link.payload_reader import FrameByte, ItemByte
from trine_sw.link.protocol import MOST_SEGMENT
from trine_sw.link.records import Codec

__all__ = ["SegmentReader"]


class SegmentReader(wiring.Component):
    """Takes the segments' headers out of a payload.

    Contract: the bytes at ``i`` leave at ``o``, in the same cycle, with tags of 0; with ``sequences``, those
    of the segments alone, tagged. The payload is one that was looked at: it ends with a segment. After
    ``clear`` another one begins. ``sequences`` is steady from its first byte on.

    Throughput: a byte in every cycle. Area: about 60 LUT4.

    Parameters
    ----------
    codec : :class:`trine_sw.link.records.Codec`

    Members
    -------
    i, o : :py:`In(stream.Signature(FrameByte()))`, :py:`Out(stream.Signature(ItemByte()))`
    sequences, clear : :py:`In(1)`
    """

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        super().__init__(
            {
                "i": In(stream.Signature(FrameByte())),
                "o": Out(stream.Signature(ItemByte())),
                "sequences": In(1),
                "clear": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        size = self.codec.item_bytes
        header = Signal(init=1)  # a segment's first byte follows, or its second
        second = Signal()
        low = Signal(8)
        left = Signal(range(MOST_SEGMENT + 1))  # items of the segment that have not passed
        first, final, record = Signal(), Signal(), Signal()  # the item at hand is its first, its last
        count = Signal(range(size)) if size > 1 else Const(0, 1)  # bytes of the item that have passed
        in_header = self.sequences & header
        number = Cat(low, self.i.payload.byte)[: len(left)]
        m.d.comb += [
            self.o.valid.eq(self.i.valid & ~in_header),
            self.i.ready.eq(self.o.ready | in_header),
            self.o.payload.byte.eq(self.i.payload.byte),
            self.o.payload.last.eq(self.i.payload.last),
            self.o.payload.begins.eq(self.sequences & first),
            self.o.payload.closes.eq(self.sequences & final),
            self.o.payload.ends.eq(self.sequences & final & record),
        ]
        with m.If(self.i.valid & in_header):
            m.d.sync += [second.eq(~second), low.eq(self.i.payload.byte)]
            with m.If(second):
                m.d.sync += [
                    header.eq(0),
                    left.eq(number),
                    final.eq(number == 1),
                    record.eq(self.i.payload.byte[6]),
                    first.eq(self.i.payload.byte[7]),
                ]
        with m.If(self.o.valid & self.o.ready):
            complete = count == size - 1
            if size > 1:
                m.d.sync += count.eq(Mux(complete, 0, count + 1))
            with m.If(complete):
                m.d.sync += [left.eq(left - 1), final.eq(left == 2), first.eq(0), header.eq(final)]
        with m.If(self.clear):
            m.d.sync += [header.eq(1), second.eq(0)]
            if size > 1:
                m.d.sync += count.eq(0)
        return m
