"""States of a received frame: the check of its session and sequence number."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal

from trine_hw.link.executor.state import ExecutorState
from trine_sw.link.protocol import HEADER_BYTES, Command, Reason

__all__ = ["closing_states", "count_reply", "frame_states"]


def frame_states(m: Module, s: ExecutorState) -> None:
    """Takes a frame's header; a repeat is answered from its slot, what is out of turn is refused."""
    ports = s.ports
    window = s.link.window
    with m.State("Frame"):
        m.d.sync += [
            *(signal.eq(0) for signal in (s.count, s.refused, s.kept, s.used)),
            s.length.eq(ports.frames.payload.length),
        ]
        m.d.comb += ports.items_clear.eq(1)
        with m.If(ports.frames.valid):
            with m.If(ports.frames.payload.good):
                m.d.comb += s.events["frames"].eq(1)
                s.restart(m, 0)
                m.next = "Header"
            with m.Else():
                m.d.comb += s.events["damaged"].eq(1)
                m.d.sync += [
                    s.header.eq(Cat(Const(0, 16), s.expected)),
                    s.reason.eq(Reason.CORRUPT),
                    s.refused.eq(1),
                ]
                # If the slot still waits, so does an answer that tells the host as much.
                m.next = "Reply"
                if not s.link.fast:
                    with m.If(~ports.slot_free):
                        m.next = "Drop"
    with m.State("Header"):
        m.d.comb += ports.bytes.ready.eq(1)
        with m.If(ports.bytes.valid):
            m.d.sync += [
                s.header.eq(Cat(s.header[8:], ports.bytes.payload.byte)),
                s.count.eq(s.count + 1),
            ]
            with m.If(s.count == HEADER_BYTES - 1):
                m.d.sync += s.count.eq(0)
                m.next = "Age"
    age = Signal(16)
    opening = s.settled(m, (s.code == Command.INFO) | (s.code == Command.OPEN), "opening")
    foreign = s.settled(m, (s.session == 0) | (s.frame_session != s.session), "foreign")
    due = s.settled(m, s.sequence == s.expected, "due")
    barred = s.settled(m, s.halted & (s.code != Command.RESUME), "barred")
    repeated = s.settled(m, age < s.cached, "repeated")
    with m.State("Age"):  # a cycle of its own: the comparison follows in the next
        m.d.sync += age.eq(s.expected - s.sequence - 1)
        m.next = "Compare"
    with m.State("Compare"):  # and this one is the comparison's
        m.d.sync += s.slot.eq(s.sequence[: (window - 1).bit_length()])
        m.next = "Sequence"
    with m.State("Sequence"):
        again = ~opening & ~foreign & ~due & repeated if s.link.fast else Const(0)
        with m.If((opening | foreign | ~due) & ~again):
            m.d.sync += s.slot.eq(window)
        with m.If(opening):
            m.next = "Length"
        with m.Elif(foreign):
            s.refuse(m, Reason.SESSION)
        with m.Elif(due):
            m.d.sync += s.kept.eq(1)
            m.next = "Length"
            with m.If(barred):
                s.refuse(m, Reason.HALTED)
        with m.Elif(repeated):
            m.d.comb += s.events["repeats"].eq(1)
            if s.link.fast:
                m.next = "Send again"
            else:
                m.d.comb += ports.slot_send.eq(1)
                m.next = "Drop"
        with m.Else():
            m.d.comb += s.events["gaps"].eq(1)
            s.refuse(m, Reason.SEQUENCE)
    if s.link.fast:
        at_rest = s.settled(m, s.replies.rests, "at_rest")
        with m.State("Send again"):  # it may be under way yet; a register has its number a cycle later
            with m.If(at_rest):
                m.d.comb += ports.slot_send.eq(1)
                m.next = "Drop"


def count_reply(m: Module, s: ExecutorState) -> None:
    """The reply to the frame at hand is kept: the next one's turn."""
    m.d.sync += s.expected.eq(s.expected + 1)
    with m.If(s.cached != s.link.window):
        m.d.sync += s.cached.eq(s.cached + 1)


def closing_states(m: Module, s: ExecutorState) -> None:
    """The reply is complete: the next frame's turn."""
    ports = s.ports
    with m.State("Finish"):
        m.d.comb += [ports.slot_finish.eq(1), ports.items_clear.eq(1)]
        with m.If(ports.slot_done):
            m.next = "Drop"
            with m.If(s.kept):
                count_reply(m, s)
                with m.If(s.refused):
                    m.d.sync += s.halted.eq(1)
    with m.State("Drop"):
        m.d.comb += [ports.read_stop.eq(1), ports.frames.ready.eq(1), ports.items_clear.eq(1)]
        m.d.sync += s.slot.eq(s.link.window)
        m.next = "Frame"
