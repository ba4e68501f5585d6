"""The frame decoder: whatever it has been through, a zero byte leads it back to where it began."""

from __future__ import annotations

from amaranth.hdl import Assert, Module, ResetInserter, Signal

from sim.formal.prove import Property
from sim.formal.streams import was
from trine_hw.link.frame_receiver import FrameReceiver

__all__ = ["DecoderForgets", "DecoderReturns"]


class DecoderReturns(Property):
    """``idle`` two cycles after a zero was taken, in any state whatever."""

    def __init__(self, receiver: FrameReceiver) -> None:
        super().__init__(receiver)

    def state(self, m: Module) -> None:
        (receiver,) = self.components
        zero = receiver.i.valid & receiver.i.ready & (receiver.i.payload == 0)
        m.d.comb += Assert(~was(m, was(m, zero)) | receiver.idle)


class DecoderForgets(Property):
    """After the zero nothing tells a decoder that was in any state from one that has just been reset.

    The second is reset with the zero and gets, from there on, the bytes that the first takes: they give the
    same frames. One that the first still had to show comes before.
    """

    def __init__(self, receiver: FrameReceiver, fresh: FrameReceiver) -> None:
        super().__init__(receiver)
        self.fresh = fresh

    def state(self, m: Module) -> None:
        (receiver,) = self.components
        fresh, taken = self.fresh, receiver.i.valid & receiver.i.ready
        together, shows_old = Signal(), Signal()
        reset = was(m, taken & (receiver.i.payload == 0)) & ~together
        m.submodules.fresh = ResetInserter(reset)(fresh)
        with m.If(reset):
            m.d.sync += [together.eq(1), shows_old.eq(1)]
        old = receiver.o.valid & shows_old
        with m.If(together & (~receiver.o.valid | receiver.o.ready)):
            m.d.sync += shows_old.eq(0)
        m.d.comb += [
            fresh.i.valid.eq(taken & together),
            fresh.i.payload.eq(receiver.i.payload),
            fresh.o.ready.eq(receiver.o.ready & ~old),
        ]
        with m.If(together):
            m.d.comb += [
                Assert(fresh.o.valid == (receiver.o.valid & ~old)),
                Assert(fresh.idle == receiver.idle),
                Assert(~fresh.o.valid | (fresh.o.payload == receiver.o.payload)),
                Assert(~taken | fresh.i.ready),
            ]
