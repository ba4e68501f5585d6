"""Replies to STEP with the fast codec: given by a machine of their own, while the next frame is looked at."""

from __future__ import annotations

from amaranth.hdl import Array, Const, Module, Mux, Signal

from trine_hw.link.executor.state import ExecutorState
from trine_sw.link.protocol import DONE, HEADER_BYTES, Command

__all__ = ["StepReplies"]


class StepReplies:
    """The replies to STEPs, in the order of the frames; made within the executor's ``elaborate``.

    The executor's states give tokens to the engine and count here the records that these will have. This
    machine gives each reply its header, its records as they come, and its end. It follows the executor by one
    frame at most: tokens of the next frame may enter while a reply is given, if the same is wanted of them.

    Parameters
    ----------
    m : the executor's module
    s : :class:`trine_hw.link.executor.state.ExecutorState`

    Members
    -------
    pending : the frame at hand is a STEP whose reply is not begun; set by :meth:`open`
    counts : In: a token has entered that has a record
    ends : In: all tokens of the frame at hand have entered, and its reply is begun
    rests : no reply is under way or pending
    quiet : and all that entered the engine is taken
    slot : where a reply under way goes
    """

    def __init__(self, m: Module, s: ExecutorState) -> None:
        ports = s.ports
        self.pending, self.counts, self.ends = Signal(), Signal(), Signal()
        self.rests, self.quiet = Signal(), Signal()
        self.slot = Signal.like(s.slot)
        self._m = m
        session, sequence = Signal(16), Signal(16)
        ended = Signal()
        taking, given = Signal(), Signal()
        waiting = Signal(range(s.link.max_payload + 1))  # records of the frame at hand, of a reply not begun
        owed, owing = Signal.like(waiting), Signal()  # those still to be given in the reply under way
        after = Signal.like(waiting)
        # A frame has no more records than its reply has bytes: what would be lost here never comes.
        more = self.counts & ~self.pending & ~owed.all()
        m.d.comb += [
            self.quiet.eq(self.rests & ports.record_idle),
            after.eq(Mux(taking, waiting + self.counts, owed + more - given)),
        ]
        m.d.sync += [
            waiting.eq(Mux(self.pending & ~taking, waiting + self.counts, 0)),
            owed.eq(after),
            owing.eq(after != 0),
            ended.eq((ended | self.ends) & ~taking),
        ]
        code = Const(DONE | Command.STEP, 8)
        header = Array([session[:8], session[8:], sequence[:8], sequence[8:], code])
        at = Signal(range(HEADER_BYTES))
        with m.FSM():
            with m.State("Rest"):
                m.d.comb += [taking.eq(self.pending), self.rests.eq(~self.pending)]
                m.d.sync += at.eq(0)
                with m.If(self.pending):
                    m.d.sync += [
                        *(self.pending.eq(0), self.slot.eq(s.slot)),
                        *(session.eq(s.session), sequence.eq(s.sequence)),
                    ]
                    m.next = "Slot of STEP"
            with m.State("Slot of STEP"):
                m.next = "Reply to STEP"
            with m.State("Reply to STEP"):
                with m.If(ports.slot_free):
                    m.d.comb += ports.slot_start.eq(1)
                    m.next = "Header of STEP"
            with m.State("Header of STEP"):
                m.d.comb += [ports.reply.valid.eq(1), ports.reply.payload.eq(header[at])]
                with m.If(ports.reply.ready):
                    m.d.sync += at.eq(at + 1)
                    with m.If(at == HEADER_BYTES - 1):
                        m.next = "Records of STEP"
            with m.State("Records of STEP"):
                # What is offered of the next frame's stays there.
                m.d.comb += [
                    ports.reply.valid.eq(ports.record.valid & owing),
                    ports.reply.payload.eq(ports.record.payload),
                    ports.record.ready.eq(ports.reply.ready & owing),
                    given.eq(ports.record_given),
                ]
                with m.If(ended & ~owing):
                    m.next = "Finish STEP"
            with m.State("Finish STEP"):
                m.d.comb += ports.slot_finish.eq(1)
                with m.If(ports.slot_done):
                    m.next = "Rest"

    def open(self) -> None:
        """The frame at hand is a STEP: its reply follows."""
        self._m.d.sync += self.pending.eq(1)
