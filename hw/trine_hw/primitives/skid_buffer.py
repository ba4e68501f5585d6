"""Skid buffer between two stream components."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["SkidBuffer"]


class SkidBuffer(wiring.Component):
    """A stream, a cycle later.

    Contract: what is taken at ``i`` comes at ``o`` in its order, a cycle later at the earliest, one in every
    cycle if the taker keeps up. Neither payload, ``valid`` nor ``ready`` passes through without a register.

    Area: two flip-flops and a LUT4 a bit.

    Parameters
    ----------
    shape : shape of the payload

    Members
    -------
    i : In(stream of ``shape``)
    o : Out(stream of ``shape``)
    """

    latency = 1

    def __init__(self, shape) -> None:
        self.shape = shape
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        waiting, waits = Signal.like(self.i.payload, reset_less=True), Signal()  # taken while ``o`` is held
        m.d.comb += self.i.ready.eq(~waits)
        with m.If(self.o.ready | ~self.o.valid):
            m.d.sync += [
                self.o.payload.eq(Mux(waits, waiting, self.i.payload)),
                self.o.valid.eq(waits | self.i.valid),
                waits.eq(0),
            ]
        with m.Else():
            m.d.sync += waits.eq(waits | self.i.valid)
        with m.If(~waits):
            m.d.sync += waiting.eq(self.i.payload)
        return m
