"""States of STEP and GENERATE with the fast codec: tokens through the engine, behind each other."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value

from trine_hw.link.executor.state import ExecutorState
from trine_sw.link.protocol import Command

__all__ = ["stream_states"]


def stream_states(m: Module, s: ExecutorState) -> None:
    """Tokens enter as the engine takes them, while the records of those before are given.

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
        ports.record_begins.eq(begins),
        ports.record_tokens.eq(Mux(s.code == Command.GENERATE, s.choices, 1)),
    ]

    def records() -> None:
        m.d.comb += [
            ports.reply.valid.eq(ports.record.valid),
            ports.reply.payload.eq(ports.record.payload),
            ports.record.ready.eq(ports.reply.ready),
        ]

    def enters(final: Value | int) -> None:
        m.d.comb += [ports.record_enter.eq(1), ports.record_keep.eq(final)]
        m.d.sync += [s.fresh.eq(0), s.written.eq(0), afresh.eq(begins & ~s.summed)]

    on_board = s.codec.info.embedding_on_board
    if not on_board:
        m.d.comb += request.x.as_value().eq(item.value)
    with m.State("Item"):
        records()
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
            with m.If(item.last):
                m.next = "Records"
    with m.State("Generate"):
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
        s.items_from_bytes(m)
        records()
        with m.If(ports.record_done):
            m.next = "Finish"
