"""Byte reader: a run of a memory's bytes as a stream, one in every cycle."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ByteReader"]


class ByteReader(wiring.Component):
    """Reads on from an address, ahead of who takes the bytes, until it is stopped.

    Contract: after ``start``, the bytes from ``at`` on come at ``o``, up to ``stop`` or the next ``start``,
    either of which withdraws what was offered. ``data`` is the byte at the address that ``address`` was in
    the last but one of the cycles with ``enable``: a block RAM's register and one behind it.

    Throughput: a byte in every cycle. ``o.ready`` ends in a register. Latency: the first byte is at ``o``
    four cycles after ``start``. Area: about 30 LUT4 and the flip-flops of two bytes and an address.

    Parameters
    ----------
    depth : :class:`int`
        Bytes of the memory.

    Members
    -------
    start, stop : :py:`In(1)`
    at : In
    o : :py:`Out(stream.Signature(8))`
    address, enable, data : Out, :py:`Out(1)`, :py:`In(8)`
    """

    latency = 4

    def __init__(self, depth: int) -> None:
        self.depth = depth
        super().__init__(
            {
                "start": In(1),
                "stop": In(1),
                "at": In(range(depth)),
                "o": Out(stream.Signature(8)),
                "address": Out(range(depth)),
                "enable": Out(1),
                "data": In(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        running = Signal()
        there = Signal(2)  # which of the memory's two registers have a byte that is wanted
        waiting, waits = Signal(8), Signal()  # it came while ``o`` was held
        m.d.comb += self.enable.eq(~waits)
        with m.If(~waits):
            m.d.sync += [
                self.address.eq(self.address + running),
                there.eq((there << 1) | running),
                waiting.eq(self.data),
            ]
        with m.If(self.o.ready | ~self.o.valid):
            m.d.sync += [
                self.o.valid.eq(waits | there[1]),
                waits.eq(0),
            ]
            with m.If(waits):
                m.d.sync += self.o.payload.eq(waiting)
            with m.Else():
                m.d.sync += self.o.payload.eq(self.data)
        with m.Elif(~waits):
            m.d.sync += waits.eq(there[1])
        with m.If(self.start | self.stop):
            m.d.sync += [running.eq(self.start), there.eq(0), waits.eq(0), self.o.valid.eq(0)]
        with m.If(self.start):
            m.d.sync += self.address.eq(self.at)
        return m
