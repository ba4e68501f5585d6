"""The link's queue: the n-th byte that leaves is the n-th that came."""

from __future__ import annotations

from amaranth.hdl import Assert, Assume, Module, Signal

from sim.formal.prove import Property
from trine_hw.primitives.byte_fifo import ByteFIFO

__all__ = ["BytesInOrder"]


class BytesInOrder(Property):
    """Each byte that comes is its own number, and so must be each that leaves; none leaves before it came."""

    def __init__(self, queue: ByteFIFO) -> None:
        super().__init__(queue)

    def state(self, m: Module) -> None:
        (queue,) = self.components
        came, left = Signal(8), Signal(8)
        with m.If(queue.i.valid & queue.i.ready):
            m.d.sync += came.eq(came + 1)
        with m.If(queue.o.valid & queue.o.ready):
            m.d.sync += left.eq(left + 1)
        m.d.comb += [
            Assume(queue.i.payload == came),
            Assert(~queue.o.valid | ((queue.o.payload == left) & (left != came))),
        ]
