"""States of STEP and GENERATE with the fast codec: tokens through the engine, behind each other."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from trine_hw.link.executor.session import count_reply
from trine_hw.link.executor.state import ExecutorState
from trine_sw.link.protocol import HEADER_BYTES, Command

__all__ = ["stream_states"]


def stream_states(m: Module, s: ExecutorState) -> None:
    """Tokens enter as the engine takes them, while the records of those before are given; those of a STEP
    behind those of the one before, if the same is wanted of them.

    Where logits and choices are all that is wanted, those of a token come with the next token's pass, unless
    that may be of another sequence. Where cycles are wanted, a token waits until the engine is idle. Where
    the last tokens of sequences alone have records, the head is asked for these alone, or for the sums of
    all.
    """
    ports = s.ports
    request, item = ports.core_i.payload, ports.items.payload
    # Of the tokens that are added up, the first behind one that began from the zero state begins their sum.
    begins, afresh = Signal(), Signal(init=1)
    m.d.comb += [
        ports.record_last.eq(s.last),
        ports.record_summed.eq(s.summed),
        ports.record_counted.eq(s.counted),
        ports.record_top.eq(s.top),
        ports.record_begins.eq(begins),
        ports.record_tokens.eq(Mux(s.code == Command.GENERATE, s.choices, 1)),
    ]

    def enters(final: Value | int) -> None:
        m.d.comb += [ports.record_enter.eq(1), ports.record_keep.eq(final)]
        m.d.sync += [s.fresh.eq(0), s.written.eq(0), afresh.eq(begins & ~s.summed)]

    on_board = s.codec.info.embedding_on_board
    if not on_board:
        m.d.comb += request.x.as_value().eq(item.value)
    replies, flags = s.replies, Cat(s.want, s.sequences, s.last, s.summed, s.counted, s.top)
    of_records = Signal.like(flags)  # what those under way are of
    with m.State("More of STEP"):  # of a value that was looked at as it was received
        m.d.comb += ports.bytes.ready.eq(1)
        with m.If(ports.bytes.valid):
            m.d.sync += [s.counted.eq(s.summed), s.top.eq(Mux(s.summed, 0, ports.bytes.payload.byte))]
            m.next = "Begin steps"
    with m.State("Begin steps"):
        m.d.comb += ports.items_clear.eq(1)
        follows = s.settled(m, (flags == of_records) & ~s.want.cycles, "follows")
        settled = Signal()  # flags were assigned on the way here
        m.d.sync += settled.eq(1)
        with m.If(settled & (replies.quiet | follows)):
            s.restart(m, HEADER_BYTES + 1 + s.more)
            m.d.comb += ports.record_start.eq(replies.quiet)
            m.d.sync += [of_records.eq(flags), settled.eq(0)]
            replies.open()
            m.next = "Item"
    with m.State("Item"):
        s.items_from_bytes(m)
        alone = Signal()  # nothing is ahead of the token, or it does not matter
        m.d.comb += alone.eq(~s.want.cycles | ports.record_idle)
        if on_board:
            m.d.comb += request.token.eq(item.value)
        m.d.comb += [
            request.reset.eq(s.fresh | item.begins),
            begins.eq(request.reset | afresh),
            ports.record_shown.eq(~s.last | item.ends),
            request.head.eq(ports.record_head & (ports.record_shown | s.summed)),
            request.last.eq(request.head & (item.last | item.closes | s.want.h | s.want.u | s.want.cycles)),
            ports.core_i.valid.eq(ports.items.valid & alone),
            ports.items.ready.eq(ports.core_i.ready & alone),
        ]
        with m.If(ports.items.valid & ports.items.ready):
            enters(item.last)
            recorded = s.want.h | s.want.u | s.want.cycles | ports.record_head
            m.d.comb += replies.counts.eq(recorded & ports.record_shown)
            with m.If(item.last):
                m.next = "Hand over"
    with m.State("Hand over"):
        s.items_from_bytes(m)
        with m.If(~replies.pending):
            m.d.comb += replies.ends.eq(1)
            count_reply(m, s)
            m.next = "Drop"
    with m.State("Generate"):
        m.d.sync += s.samples.eq(1)
        if on_board:
            m.d.comb += request.token.eq(Mux(s.flags[1], ports.last_choice, s.token))
        m.d.comb += [
            request.reset.eq(s.fresh),
            begins.eq(s.fresh | afresh),
            request.head.eq(1),
            request.last.eq(1),
            request.count.eq(s.choices),
            request.reseed.eq(s.flags[0]),
            ports.core_i.valid.eq(1),
        ]
        with m.If(ports.core_i.ready):
            enters(1)
            m.next = "Records"
    with m.State("Records"):
        given = s.give_from(m, ports.record.valid, ports.record.payload)
        m.d.comb += ports.record.ready.eq(given)
        with m.If(ports.record_done):
            m.d.sync += s.samples.eq(0)
            m.next = "Finish"
