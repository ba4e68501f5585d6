"""Reply cache: the last replies, encoded, which answer repeated requests."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from trine_sw.link.memories import link_memories
from trine_sw.link.protocol import CRC_BYTES, LONGEST_BLOCK, LinkConfig

__all__ = ["ReplyCache"]


class ReplyCache(wiring.Component):
    """A slot for each of the last ``window`` replies, and one more for those that need not be kept.

    Contract: after ``start``, the bytes taken at ``i`` and, after ``finish``, their check sum are put into
    ``slot``, COBS-encoded: a code byte is filled in when its block has ended. Then the slot is sent, and once
    more for each ``send``. ``free`` says that ``slot`` is not waiting to be sent; only then may it be built
    anew. ``send`` of a slot that waits already is met by that one sending.

    Throughput: a byte in one or two cycles in, in four cycles out. Area: ``(window + 1) * slot_bytes`` of
    block RAM, about 300 LUT4 with the check sum's 120.

    Parameters
    ----------
    link : :class:`trine_sw.link.protocol.LinkConfig`

    Members
    -------
    slot : In
        To be built or sent.
    start, finish, send : :py:`In(1)`
    i : :py:`In(stream.Signature(8))`
    done : :py:`Out(1)`
        In the cycle in which a reply is complete.
    free : :py:`Out(1)`
    tx : :py:`Out(stream.Signature(8))`
    """

    def __init__(self, link: LinkConfig) -> None:
        self.link = link
        super().__init__(
            {
                "slot": In(range(link.window + 1)),
                "start": In(1),
                "finish": In(1),
                "send": In(1),
                "i": In(stream.Signature(8)),
                "done": Out(1),
                "free": Out(1),
                "tx": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        link = self.link
        slots = link.window + 1
        *_, built = link_memories(link)
        m.submodules.memory = memory = Memory(
            shape=built.width, depth=built.depth, init=[], attrs=built.attrs
        )
        write, read = memory.write_port(), memory.read_port()
        waiting = Array(Signal(name=f"waiting_{n}") for n in range(slots))
        m.d.comb += self.free.eq(~waiting[self.slot])
        self._build(m, write, waiting)
        self._send(m, read, waiting)
        with m.If(self.send):
            m.d.sync += waiting[self.slot].eq(1)
        return m

    def _build(self, m: Module, write, waiting) -> None:
        base = Signal(range(self.link.window + 1))
        at = Signal(range(self.link.slot_bytes))  # where the next byte goes
        code_at = Signal.like(at)  # where its block's code byte will stand
        code = Signal(8)
        m.submodules.crc = crc = CRC32_ISO_HDLC(data_width=8).create()
        summing = Signal()  # the check sum is being written
        tail = Signal(range(CRC_BYTES))  # its byte
        full = Signal()
        byte, taken = Signal(8), Signal()
        m.d.comb += [
            full.eq(code == LONGEST_BLOCK),
            byte.eq(Mux(summing, crc.crc.word_select(tail, 8), self.i.payload)),
            crc.start.eq(self.start),
            crc.data.eq(self.i.payload),
            crc.valid.eq(self.i.valid & self.i.ready),
        ]

        def put(at_, value):
            return [
                write.addr.eq(base * self.link.slot_bytes + at_),
                write.data.eq(value),
                write.en.eq(1),
            ]

        def end_block():
            m.d.comb += put(code_at, code)
            m.d.sync += [code_at.eq(at), at.eq(at + 1), code.eq(1)]

        def encode():
            """One byte, or the end of a full block before it."""
            with m.If(full):
                end_block()
            with m.Else():
                m.d.comb += taken.eq(1)
                with m.If(byte == 0):
                    end_block()
                with m.Else():
                    m.d.comb += put(at, byte)
                    m.d.sync += [at.eq(at + 1), code.eq(code + 1)]

        with m.FSM():
            with m.State("Idle"):
                with m.If(self.start):
                    m.d.sync += [base.eq(self.slot), code_at.eq(0), at.eq(1), code.eq(1)]
                    m.next = "Bytes"
            with m.State("Bytes"):
                m.d.comb += self.i.ready.eq(~full)
                with m.If(self.i.valid):
                    encode()
                with m.Elif(self.finish):
                    m.d.sync += tail.eq(0)
                    m.next = "Check sum"
            with m.State("Check sum"):
                m.d.comb += summing.eq(1)
                encode()
                with m.If(taken):
                    m.d.sync += tail.eq(tail + 1)
                    with m.If(tail == CRC_BYTES - 1):
                        m.next = "Last code"
            with m.State("Last code"):
                m.d.comb += put(code_at, code)
                m.next = "End"
            with m.State("End"):
                m.d.comb += [*put(at, 0), self.done.eq(1)]
                m.d.sync += waiting[base].eq(1)
                m.next = "Idle"

    def _send(self, m: Module, read, waiting) -> None:
        slot = Signal(range(self.link.window + 1))
        at = Signal(range(self.link.slot_bytes))
        byte = Signal(8)  # the block RAM is slow, and the transmitter may be far from it
        m.d.comb += read.addr.eq(slot * self.link.slot_bytes + at)
        m.d.sync += byte.eq(read.data)
        with m.FSM():
            with m.State("Look"):
                m.d.sync += at.eq(0)
                with m.If(waiting[slot]):
                    m.next = "Read"
                with m.Else():
                    m.d.sync += slot.eq(Mux(slot == self.link.window, 0, slot + 1))
            with m.State("Read"):
                m.next = "Fetch"
            with m.State("Fetch"):
                m.next = "Take"
            with m.State("Take"):
                m.d.sync += [self.tx.payload.eq(byte), self.tx.valid.eq(1), at.eq(at + 1)]
                m.next = "Send"
            with m.State("Send"):
                with m.If(self.tx.ready):
                    m.d.sync += self.tx.valid.eq(0)
                    m.next = "Read"
                    with m.If(self.tx.payload == 0):
                        m.d.sync += [
                            waiting[slot].eq(0),
                            slot.eq(Mux(slot == self.link.window, 0, slot + 1)),
                        ]
                        m.next = "Look"
