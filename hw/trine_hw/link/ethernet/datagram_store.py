"""Memory of whole datagrams."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from trine_hw.link.ethernet.words import WORD, WORD_BYTES
from trine_sw.link.memories import datagram_memory

__all__ = ["DatagramStore"]


class DatagramStore(wiring.Component):
    """Queue of datagrams, each of which is given once all of it is there.

    Contract: datagrams leave in the order in which they came, whole, or not at all.

    Throughput: a word in every cycle, in and out.

    Parameters
    ----------
    depth : :class:`int`
        Words of four bytes that it holds, a power of two.
    counts : :class:`bool`
        Whether a word with the datagram's length in bytes goes before it. Then ``i`` has to wait while there
        is no room, and a datagram must be shorter than the depth. Otherwise ``i`` never waits, and a datagram
        for which there is no room is dropped.

    Members
    -------
    i, o : :py:`In(stream.Signature(WORD))`, :py:`Out(stream.Signature(WORD))`
    damaged : :py:`In(1)`
        With the last word: the datagram is to be dropped.
    taken, lost, dropped : :py:`Out(1)`
        1 for a cycle where a datagram is there, found no room, or was damaged.
    """

    def __init__(self, depth: int, *, counts: bool) -> None:
        if depth & (depth - 1) or depth < 4:
            raise ValueError(f"depth must be a power of two from 4, not {depth}")
        self.depth, self.counts = depth, counts
        super().__init__(
            {
                "i": In(stream.Signature(WORD)),
                "damaged": In(1),
                "o": Out(stream.Signature(WORD)),
                "taken": Out(1),
                "lost": Out(1),
                "dropped": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """``begin`` is where the datagram at hand begins, and what is given ends: at its head where it is
        counted."""
        m = Module()
        built = datagram_memory(self.depth)
        m.submodules.memory = memory = Memory(
            shape=built.width, depth=built.depth, init=[], attrs=built.attrs
        )
        write, read = memory.write_port(), memory.read_port()
        head = int(self.counts)
        begin, at = Signal(range(2 * self.depth)), Signal(range(2 * self.depth), init=head)
        out = Signal.like(begin)
        after = Signal.like(begin)  # the word that is offered next
        bytes_ = Signal(16)  # of the words before this one
        full, over, comes, ends = Signal(), Signal(), Signal(), Signal()
        following = Signal.like(at)
        m.d.comb += [
            full.eq((at - out)[: len(at)] >= self.depth),
            following.eq(at + 1),
            comes.eq(self.i.valid & self.i.ready),
            ends.eq(comes & self.i.payload.last),
            write.addr.eq(at),
            write.data.eq(self.i.payload),
            write.en.eq(comes & ~full),
        ]
        if self.counts:
            closing = Signal()
            length = Signal(16)
            m.d.comb += self.i.ready.eq(~full & ~closing)
            with m.If(comes):
                m.d.sync += bytes_.eq(bytes_ + WORD_BYTES)
            with m.If(ends):
                m.d.sync += [length.eq(bytes_ + self.i.payload.more + 1), bytes_.eq(0), closing.eq(1)]
            with m.If(closing):
                m.d.comb += [write.addr.eq(begin), write.data.eq(length), write.en.eq(1), self.taken.eq(1)]
                m.d.sync += [closing.eq(0), begin.eq(at), at.eq(following)]
            with m.If(comes):
                m.d.sync += at.eq(following)
        else:
            m.d.comb += self.i.ready.eq(1)
            with m.If(comes):
                m.d.sync += at.eq(following)
                with m.If(full | over):
                    m.d.sync += [at.eq(at), over.eq(1)]
            with m.If(ends):
                m.d.sync += over.eq(0)
                m.d.comb += [self.dropped.eq(self.damaged), self.lost.eq((over | full) & ~self.damaged)]
                with m.If(over | full | self.damaged):
                    m.d.sync += at.eq(begin)
                with m.Else():
                    m.d.comb += self.taken.eq(1)
                    m.d.sync += begin.eq(following)
        m.d.comb += [
            after.eq(out + (self.o.valid & self.o.ready)),
            read.addr.eq(after),
            self.o.payload.as_value().eq(read.data),
        ]
        m.d.sync += [out.eq(after), self.o.valid.eq(after != begin)]
        return m
