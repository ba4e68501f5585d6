"""Byte FIFO in block RAM that moves a byte in every cycle."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["StreamingFIFO"]


class StreamingFIFO(wiring.Component):
    """A first-in first-out queue with the throughput of its block RAM.

    Contract: bytes leave in the order in which they came; at least ``depth`` of them are taken without any
    being read.

    Throughput: a byte in every cycle, at either end. ``i.ready`` and whether a byte can be fetched are
    registers; ``o.ready`` reaches the block RAM's enable through two LUTs. Latency: a byte that is put in
    cycle ``n`` is at ``o`` in cycle ``n + 4`` if none waits before it.

    Parameters
    ----------
    depth : :class:`int`
        Bytes that it holds, a power of two.

    Members
    -------
    i : In(stream of 8)
    o : Out(stream of 8)
    """

    latency = 4

    def __init__(self, depth: int) -> None:
        if depth < 4 or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two, at least 4, not {depth}")
        self.depth = depth
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = self.depth.bit_length() - 1
        m.submodules.memory = memory = Memory(
            shape=8, depth=self.depth, init=[], attrs={"ram_style": "block"}
        )
        write, read = memory.write_port(), memory.read_port()
        written, fetched = Signal(bits), Signal(bits)
        level = Signal(bits + 1)  # bytes in the memory that are not yet fetched
        put, fetch, some = Signal(), Signal(), Signal()
        first = Signal()  # the byte at the memory's output is one that was fetched
        forward = Signal()  # it moves on, or there is none
        m.d.comb += [
            put.eq(self.i.valid & self.i.ready),
            write.addr.eq(written),
            write.data.eq(self.i.payload),
            write.en.eq(put),
            forward.eq(~first | ~self.o.valid | self.o.ready),
            fetch.eq(some & forward),
            read.addr.eq(fetched),
            read.en.eq(fetch),
        ]
        m.d.sync += [
            level.eq(level + put - fetch),
            # A byte may come in the cycle in which this is known: two less than the depth are sure to have
            # room.
            self.i.ready.eq(~(level[bits] | level[:bits].all())),
            some.eq((level[1:] != 0) | (level[0] & ~fetch)),
            written.eq(written + put),
            fetched.eq(fetched + fetch),
        ]
        with m.If(forward):
            m.d.sync += first.eq(fetch)
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [self.o.valid.eq(first), self.o.payload.eq(read.data)]
        return m
