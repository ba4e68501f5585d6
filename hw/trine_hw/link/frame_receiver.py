"""Frame receiver: COBS decoding, CRC check, and the memory of a received frame."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from trine_sw.link import protocol
from trine_sw.link.memories import link_memories
from trine_sw.link.protocol import CRC_BYTES, HEADER_BYTES, LONGEST_BLOCK, LinkConfig, Reason

__all__ = ["FrameEnd", "FrameReceiver"]


class FrameEnd(data.StructLayout):
    """A frame has come.

    Members
    -------
    good : it is whole; otherwise it was damaged, too short or too long
    length : bytes of its payload, if good
    reason : with the fast codec, why the items of a STEP are refused, or 0
    """

    def __init__(self, link: LinkConfig) -> None:
        reason = {"reason": range(max(Reason) + 1)} if link.fast else {}
        super().__init__({"good": 1, "length": range(link.max_payload + 1)} | reason)


class FrameReceiver(wiring.Component):
    """Decodes what comes between two zero bytes.

    Contract: each run of bytes that are not zero, ended by a zero, gives one :class:`FrameEnd` at ``o``.
    Until it is taken no further byte is, and the frame's bytes, header first, can be read: ``read_data`` is
    the byte at ``read_addr`` two cycles before. Empty runs give nothing. Any zero leads back to the start.

    Throughput: a byte in two cycles. Area: a block RAM, and about 190 LUT4 with the check sum's 120.

    Parameters
    ----------
    link : :class:`trine_sw.link.protocol.LinkConfig`

    Members
    -------
    i : :py:`In(stream.Signature(8))`
    o : :py:`Out(stream.Signature(FrameEnd(link)))`
    read_addr, read_data : In, :py:`Out(8)`
    idle : :py:`Out(1)`
        No part of a frame has come.
    """

    read_latency = 2

    def __init__(self, link: LinkConfig) -> None:
        self.link = link
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(FrameEnd(link))),
                "read_addr": In(range(link.slot_bytes)),
                "read_data": Out(8),
                "idle": Out(1),
            }
        )

    @staticmethod
    def model(link: LinkConfig, received: bytes) -> list[bytes | None]:
        """The frames' payloads behind their headers, header included; None for each that is not good."""
        frames: list[bytes | None] = []
        for part in received.split(b"\0")[:-1]:
            if part:
                frame = protocol.decode(part)
                good = frame is not None and len(frame.payload) <= link.max_payload
                frames.append(protocol.cobs.decode(part)[:-CRC_BYTES] if good else None)
        return frames

    def elaborate(self, platform: object) -> Module:
        m = Module()
        link = self.link
        m.submodules.crc = crc = CRC32_ISO_HDLC(data_width=8).create()
        _, built, _ = link_memories(link)
        m.submodules.memory = memory = Memory(
            shape=built.width, depth=built.depth, init=[], attrs=built.attrs
        )
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += read.addr.eq(self.read_addr)
        m.d.sync += self.read_data.eq(read.data)

        # The byte at hand stands in a register: what feeds the link is a block RAM, and slow.
        byte, byte_valid = Signal(8, reset_less=True), Signal()
        m.d.comb += self.i.ready.eq(~byte_valid & ~self.o.valid)
        m.d.sync += byte_valid.eq(self.i.valid & self.i.ready)
        m.d.sync += byte.eq(self.i.payload)

        left = Signal(8)  # bytes of the block that are still to come
        started, wrong = Signal(), Signal()
        zero_pending = Signal()  # a zero stands before the next block
        count = Signal(range(link.max_frame + 1))  # bytes decoded
        put, decoded = Signal(), Signal(8)
        m.d.comb += [
            self.idle.eq(~started & ~byte_valid),
            crc.data.eq(decoded),
            crc.valid.eq(put),
            write.addr.eq(count),
            write.data.eq(decoded),
            write.en.eq(put & (count != link.max_frame)),
        ]
        with m.If(put):
            with m.If(count == link.max_frame):
                m.d.sync += wrong.eq(1)
            with m.Else():
                m.d.sync += count.eq(count + 1)

        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(byte_valid):
            with m.If(byte == 0):
                whole = ~wrong & (left == 0) & crc.match_detected & (count >= HEADER_BYTES + CRC_BYTES)
                m.d.comb += crc.start.eq(1)
                m.d.sync += [
                    self.o.valid.eq(started),
                    self.o.payload.good.eq(whole),
                    self.o.payload.length.eq(count - (HEADER_BYTES + CRC_BYTES)),
                    *(signal.eq(0) for signal in (left, started, wrong, zero_pending, count)),
                ]
            with m.Elif(left == 0):
                m.d.comb += put.eq(zero_pending)
                m.d.sync += [
                    left.eq(byte - 1),
                    started.eq(1),
                    zero_pending.eq(byte != LONGEST_BLOCK),
                ]
            with m.Else():
                m.d.comb += [put.eq(1), decoded.eq(byte)]
                m.d.sync += left.eq(left - 1)
        return m
