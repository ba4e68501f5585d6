"""Payload reader of the fast codec: a byte of the received frame in every cycle."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from trine_hw.link.fast.byte_reader import ByteReader
from trine_hw.link.payload_reader import FrameByte
from trine_sw.link.protocol import HEADER_BYTES, LinkConfig

__all__ = ["FastPayloadReader"]


class FastPayloadReader(wiring.Component):
    """Turns the memory of :class:`trine_hw.link.fast.frame_receiver.FastFrameReceiver` into a stream.

    Contract: that of :class:`trine_hw.link.payload_reader.PayloadReader`, but for the interval between bytes,
    of which there is none. ``read_data`` is the byte at ``read_addr`` two cycles with ``read_en`` before.

    Parameters
    ----------
    link : :class:`trine_sw.link.protocol.LinkConfig`

    Members
    -------
    start, stop, at, length, o, read_addr, read_data : as :class:`trine_hw.link.payload_reader.PayloadReader`
    read_en : :py:`Out(1)`
    """

    def __init__(self, link: LinkConfig) -> None:
        self.link = link
        super().__init__(
            {
                "start": In(1),
                "stop": In(1),
                "at": In(range(link.slot_bytes)),
                "length": In(range(link.max_payload + 1)),
                "o": Out(stream.Signature(FrameByte())),
                "read_addr": Out(range(link.slot_bytes)),
                "read_en": Out(1),
                "read_data": In(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.reader = reader = ByteReader(self.link.slot_bytes)
        left = Signal(range(self.link.slot_bytes + 1))  # bytes that are still to be taken
        last, some = Signal(), Signal()
        at = Signal.like(self.at)
        taken = self.o.valid & self.o.ready
        m.d.comb += [
            reader.start.eq(self.start),
            reader.stop.eq(self.stop),
            reader.at.eq(self.at),
            reader.data.eq(self.read_data),
            reader.o.ready.eq(self.o.ready & some),
            self.read_addr.eq(reader.address),
            self.read_en.eq(reader.enable),
            self.o.valid.eq(reader.o.valid & some),
            self.o.payload.byte.eq(reader.o.payload),
            self.o.payload.last.eq(last),
        ]
        with m.If(taken):
            m.d.sync += [left.eq(left - 1), last.eq(left == 2), some.eq(~last)]
        # ``length`` is looked at in the cycle after ``start``, and all is settled when the first byte comes.
        begun = Signal(2)
        m.d.sync += begun.eq(begun << 1)
        with m.If(begun[0]):
            m.d.sync += left.eq(self.length + HEADER_BYTES - at)
        with m.If(begun[1]):
            m.d.sync += [last.eq(left == 1), some.eq(left != 0)]
        with m.If(self.start | self.stop):
            m.d.sync += [some.eq(0), begun.eq(self.start), at.eq(self.at)]
        return m
