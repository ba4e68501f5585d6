"""Frame receiver of the fast codec: takes a frame while the one before is applied, and looks at its items."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from trine_hw.link.fast.item_checker import ItemChecker
from trine_hw.link.frame_receiver import FrameEnd
from trine_sw.link.memories import link_memories
from trine_sw.link.protocol import CRC_BYTES, HEADER_BYTES, LONGEST_BLOCK, LinkConfig
from trine_sw.link.records import Codec

__all__ = ["FastFrameReceiver"]


class FastFrameReceiver(wiring.Component):
    """Decodes what comes between two zero bytes, into two halves of a memory in turn.

    Contract: that of :class:`trine_hw.link.frame_receiver.FrameReceiver`, but that bytes of one more frame
    are taken while a :class:`FrameEnd` is offered. That frame's end waits until the offer is taken, and the
    bytes that can be read are those of the frame that is offered. ``read_data`` is the byte at ``read_addr``
    two cycles with ``read_en`` before. A frame's end also has ``reason``: why the items of a STEP are to be
    refused, or 0.

    Throughput: a byte in every cycle, and ``end_cycles`` for a frame. Area: a block RAM, or two for long
    frames, and about 360 LUT4 with the check sum's 120 and the item checker's.

    Parameters
    ----------
    link : :class:`trine_sw.link.protocol.LinkConfig`
    codec : :class:`trine_sw.link.records.Codec`

    Members
    -------
    i, o, read_addr, read_data, idle : as :class:`trine_hw.link.frame_receiver.FrameReceiver`
    read_en : :py:`In(1)`
    """

    read_latency = 2
    #: From the decoding of a frame's last zero until its end can be offered.
    end_cycles = ItemChecker.settle + 1

    def __init__(self, link: LinkConfig, codec: Codec) -> None:
        self.link, self.codec = link, codec
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(FrameEnd(link))),
                "read_addr": In(range(link.slot_bytes)),
                "read_en": In(1),
                "read_data": Out(8),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A register takes each byte; the decoder puts what it stands for into the half at hand and into the
        check sum and, four bytes later, when it cannot be of the check sum, to the item checker. After a
        frame's zero the decoder waits in ``ending``, first for the item checker and then for the offer before
        to be taken."""
        m = Module()
        link = self.link
        m.submodules.crc = crc = CRC32_ISO_HDLC(data_width=8).create()
        m.submodules.checker = checker = ItemChecker(self.codec)
        _, built, _ = link_memories(link)
        m.submodules.memory = memory = Memory(
            shape=built.width, depth=built.depth, init=[], attrs=built.attrs
        )
        write, read = memory.write_port(), memory.read_port()
        half, read_half = Signal(), Signal()
        m.d.comb += [read.addr.eq(Cat(self.read_addr, read_half)), read.en.eq(self.read_en)]
        with m.If(self.read_en):
            m.d.sync += self.read_data.eq(read.data)

        byte, byte_valid, byte_zero, byte_one = Signal(8, reset_less=True), Signal(), Signal(), Signal()
        ending = Signal(range(self.end_cycles + 1))  # a frame has ended and is not yet offered
        m.d.comb += self.i.ready.eq(~byte_valid | (ending == 0))
        with m.If(self.i.ready):
            m.d.sync += [
                byte_valid.eq(self.i.valid),
                byte.eq(self.i.payload),
                byte_zero.eq(self.i.payload == 0),
                byte_one.eq(self.i.payload == 1),
            ]

        left = Signal(8)  # bytes of the block that are still to come
        code = Signal(init=1)  # there are none, and a block's code follows: known a cycle before it is needed
        started, wrong = Signal(), Signal()
        zero_pending = Signal()  # a zero stands before the next block
        count = Signal(range(link.max_frame + 1))  # bytes decoded
        full = Signal()
        put, decoded = Signal(), Signal(8)
        late = [Signal(8, name=f"late_{n}") for n in range(CRC_BYTES)]  # the last bytes put
        m.d.comb += [
            self.idle.eq(~started & ~byte_valid & (ending == 0)),
            crc.data.eq(decoded),
            crc.valid.eq(put),
            full.eq(count == link.max_frame),
            write.addr.eq(Cat(count[: (link.slot_bytes - 1).bit_length()], half)),
            write.data.eq(decoded),
            write.en.eq(put & ~full),
        ]
        payload = Signal()  # the next byte put pushes one of the payload out of ``late``
        m.d.sync += [checker.valid.eq(put & payload), checker.byte.eq(late[-1])]
        with m.If(put):
            m.d.sync += [after.eq(before) for before, after in zip([decoded, *late], late, strict=False)]
            m.d.sync += payload.eq(payload | (count == HEADER_BYTES + CRC_BYTES - 1))
            with m.If(full):
                m.d.sync += wrong.eq(1)
            with m.Else():
                m.d.sync += count.eq(count + 1)

        good, length = Signal(), Signal(range(link.max_payload + 1))
        with m.If(self.o.ready & self.o.valid):
            m.d.sync += [self.o.valid.eq(0), read_half.eq(~read_half)]
        with m.If(ending == 1):
            m.d.comb += checker.clear.eq(~self.o.valid)
            with m.If(~self.o.valid):
                m.d.sync += [
                    self.o.valid.eq(1),
                    self.o.payload.good.eq(good),
                    self.o.payload.length.eq(length),
                    self.o.payload.reason.eq(checker.reason),
                    half.eq(~half),
                    ending.eq(0),
                ]
        with m.Elif(ending != 0):
            m.d.sync += ending.eq(ending - 1)
        with m.Elif(byte_valid):
            with m.If(byte_zero):
                m.d.comb += crc.start.eq(1)
                m.d.sync += [
                    good.eq(~wrong & code & crc.match_detected & (count >= HEADER_BYTES + CRC_BYTES)),
                    length.eq(count - (HEADER_BYTES + CRC_BYTES)),
                    *(signal.eq(0) for signal in (left, started, wrong, zero_pending, count, payload)),
                    code.eq(1),
                ]
                with m.If(started):
                    m.d.sync += ending.eq(self.end_cycles)
            with m.Elif(code):
                m.d.comb += put.eq(zero_pending)
                m.d.sync += [
                    left.eq(byte - 1),
                    code.eq(byte_one),
                    started.eq(1),
                    zero_pending.eq(byte != LONGEST_BLOCK),
                ]
            with m.Else():
                m.d.comb += [put.eq(1), decoded.eq(byte)]
                m.d.sync += [left.eq(left - 1), code.eq(left == 1)]
        return m
