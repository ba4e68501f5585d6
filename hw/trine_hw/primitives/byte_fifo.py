"""Byte FIFO in block RAM."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["ByteFIFO"]


class ByteFIFO(wiring.Component):
    """A first-in first-out queue that nothing in a large design has to wait for.

    Contract: bytes leave in the order in which they came; ``depth`` of them are taken without any being read.

    Throughput: a byte every third cycle, at either end. For that both ``i.ready`` and whether there is a byte
    are registers, and no path is longer than a count of what is held: where the queue is placed, and how far
    its parts are from each other, does not limit the clock. Latency: a byte that is put in cycle ``n`` is at
    ``o`` in cycle ``n + 4`` if none waits before it.

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
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two, at least 2, not {depth}")
        self.depth = depth
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = self.depth.bit_length() - 1
        m.submodules.memory = memory = Memory(
            shape=8, depth=self.depth, init=[], attrs={"ram_style": "block"}
        )
        write, read = memory.write_port(), memory.read_port()

        written, taken, held = Signal(bits + 1), Signal(bits + 1), Signal(bits + 1)
        put, put_before = Signal(), Signal()
        some, fetch, fetch_before = Signal(), Signal(), Signal()
        m.d.comb += [
            put.eq(self.i.valid & self.i.ready),
            write.addr.eq(written[:bits]),
            write.data.eq(self.i.payload),
            write.en.eq(put),
            fetch.eq(some & ~self.o.valid),
            read.addr.eq(taken[:bits]),
            read.en.eq(fetch),
            self.o.payload.eq(read.data),
        ]
        # What is held is known two cycles late, and in between neither end does anything more.
        m.d.sync += [
            held.eq(written - taken),
            put_before.eq(put),
            fetch_before.eq(fetch),
            self.i.ready.eq(~put & ~put_before & ~held[bits]),
            some.eq(~fetch & ~fetch_before & (held != 0)),
        ]
        with m.If(put):
            m.d.sync += written.eq(written + 1)
        with m.If(fetch):
            m.d.sync += [taken.eq(taken + 1), self.o.valid.eq(1)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m
