"""COBS between datagrams and a stream of bytes: a byte in every cycle."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from cobs import cobs

from trine_hw.link.ethernet.words import WORD, WORD_BYTES
from trine_sw.link.memories import cobs_memory
from trine_sw.link.protocol import LONGEST_BLOCK

__all__ = ["COBSDecoder", "COBSEncoder"]

#: Bytes of the encoder's memory.
_DEPTH = cobs_memory().depth


class COBSEncoder(wiring.Component):
    """Encodes datagrams, each ended by a zero.

    Contract: ``o`` has ``cobs.encode`` of each datagram and a zero.

    Throughput: a byte in every cycle, but for one in each full block and two in each datagram.
    Area: a block RAM.

    Members
    -------
    i : :py:`In(stream.Signature(WORD))`
    o : :py:`Out(stream.Signature(8))`
    """

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(WORD)), "o": Out(stream.Signature(8))})

    @staticmethod
    def model(datagrams: list[bytes]) -> bytes:
        """All bytes of these datagrams."""
        return b"".join(cobs.encode(datagram) + b"\0" for datagram in datagrams)

    def elaborate(self, platform: object) -> Module:
        """A block is written behind the place of its code, which is filled in when it ends: up to that place
        the memory can be read."""
        m = Module()
        built = cobs_memory()
        m.submodules.memory = memory = Memory(
            shape=built.width, depth=built.depth, init=[], attrs=built.attrs
        )
        write, read = memory.write_port(), memory.read_port()

        # The byte at hand stands in a register.
        index = Signal(range(WORD_BYTES))
        byte, zero, last, valid, taken = Signal(8), Signal(), Signal(), Signal(), Signal()
        word, ends, selected = self.i.payload, Signal(), Signal(8)
        m.d.comb += [
            ends.eq(index == word.more),
            selected.eq(word.data.word_select(index, 8)),
            self.i.ready.eq((taken | ~valid) & (index.all() | (word.last & ends))),
        ]
        with m.If(taken | ~valid):
            m.d.sync += [
                valid.eq(self.i.valid),
                byte.eq(selected),
                zero.eq(selected == 0),
                last.eq(word.last & ends),
            ]
            with m.If(self.i.valid):
                m.d.sync += index.eq(index + 1)
                with m.If(word.last & ends):
                    m.d.sync += index.eq(0)

        at, code_at, out = (Signal(range(2 * _DEPTH), init=init) for init in (1, 0, 0))
        code, full, room = Signal(8, init=1), Signal(), Signal()
        m.d.comb += full.eq(code == LONGEST_BLOCK)
        # A cycle late: what is written meanwhile is room for one byte less.
        m.d.sync += room.eq((at - out)[: len(at)] < _DEPTH - 2)

        def put(where, value):
            return [write.addr.eq(where), write.data.eq(value), write.en.eq(1)]

        def end_block():
            m.d.comb += put(code_at, code)
            m.d.sync += [code_at.eq(at), at.eq(at + 1), code.eq(1)]

        with m.FSM():
            with m.State("Bytes"):
                with m.If(valid & room):
                    with m.If(full):
                        end_block()
                    with m.Else():
                        m.d.comb += taken.eq(1)
                        with m.If(zero):
                            end_block()
                        with m.Else():
                            m.d.comb += put(at, byte)
                            m.d.sync += [at.eq(at + 1), code.eq(code + 1)]
                        with m.If(last):
                            m.next = "Last code"
            with m.State("Last code"):
                m.d.comb += put(code_at, code)
                m.next = "Zero"
            with m.State("Zero"):
                with m.If(room):
                    m.d.comb += put(at, 0)
                    m.d.sync += [code_at.eq(at + 1), at.eq(at + 2), code.eq(1)]
                    m.next = "Bytes"

        after = Signal.like(out)
        m.d.comb += [
            after.eq(out + (self.o.valid & self.o.ready)),
            read.addr.eq(after),
            self.o.payload.eq(read.data),
        ]
        m.d.sync += [out.eq(after), self.o.valid.eq(after != code_at)]
        return m


class COBSDecoder(wiring.Component):
    """Decodes frames, each ended by a zero, into datagrams.

    Contract: ``o`` has each frame that is well formed; empty ones give nothing.

    Throughput: a byte in every cycle.

    Members
    -------
    i : :py:`In(stream.Signature(8))`
    o : :py:`Out(stream.Signature(WORD))`
    """

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(WORD))})

    def elaborate(self, platform: object) -> Module:
        """Bytes gather in a word, which is given when another byte follows, or the end."""
        m = Module()
        byte, valid, go = Signal(8), Signal(), Signal()
        m.d.comb += [go.eq(~self.o.valid | self.o.ready), self.i.ready.eq(go)]
        with m.If(go):
            m.d.sync += [valid.eq(self.i.valid), byte.eq(self.i.payload), self.o.valid.eq(0)]

        left, zero_pending = Signal(8), Signal()  # bytes of the block to come; a zero stands before the next
        gathered, count = Signal(8 * WORD_BYTES), Signal(range(WORD_BYTES + 1))
        put, decoded = Signal(), Signal(8)
        word = self.o.payload
        with m.If(valid & go):
            with m.If(byte == 0):
                m.d.sync += [
                    self.o.valid.eq(count != 0),
                    word.data.eq(gathered),
                    word.more.eq(count - 1),
                    word.last.eq(1),
                    *(signal.eq(0) for signal in (left, zero_pending, count)),
                ]
            with m.Elif(left == 0):
                m.d.comb += put.eq(zero_pending)
                m.d.sync += [left.eq(byte - 1), zero_pending.eq(byte != LONGEST_BLOCK)]
            with m.Else():
                m.d.comb += [put.eq(1), decoded.eq(byte)]
                m.d.sync += left.eq(left - 1)
        with m.If(put):
            with m.If(count == WORD_BYTES):
                m.d.sync += [self.o.valid.eq(1), word.data.eq(gathered), word.last.eq(0), word.more.eq(3)]
                m.d.sync += [gathered.eq(decoded), count.eq(1)]
            with m.Else():
                m.d.sync += [gathered.word_select(count[:2], 8).eq(decoded), count.eq(count + 1)]
        return m
