"""States of STEP and GENERATE: tokens through the engine, one at a time."""

from __future__ import annotations

from amaranth.hdl import Module, Mux

from trine_hw.link.executor.state import ExecutorState

__all__ = ["token_states"]


def token_states(m: Module, s: ExecutorState) -> None:
    """One token at a time: it goes in when the one before has given everything."""
    ports = s.ports
    request, item = ports.core_i.payload, ports.items.payload
    first = "token" if s.codec.info.embedding_on_board else "x"

    def records() -> None:
        m.d.comb += [
            ports.reply.valid.eq(ports.record.valid),
            ports.reply.payload.eq(ports.record.payload),
            ports.record.ready.eq(ports.reply.ready),
        ]

    def accepted() -> None:
        m.d.comb += [ports.record_start.eq(1)]
        m.d.sync += [s.fresh.eq(0), s.written.eq(0)]

    m.d.comb += request.reset.eq(s.fresh)
    if first == "x":
        m.d.comb += request.x.as_value().eq(item.value)
    with m.State("Item"):
        s.items_from_bytes(m)
        if first == "token":
            m.d.comb += request.token.eq(item.value)
        m.d.comb += [
            request.head.eq(ports.record_head),
            request.last.eq(ports.record_head),
            ports.core_i.valid.eq(ports.items.valid),
            ports.items.ready.eq(ports.core_i.ready),
            ports.record_keep.eq(item.last),
        ]
        with m.If(ports.items.valid & ports.core_i.ready):
            accepted()
            m.d.sync += s.left.eq(item.last)
            m.next = "Record"
    with m.State("Record"):
        s.items_from_bytes(m)
        records()
        with m.If(ports.record_done):
            m.next = "Item"
            with m.If(s.left[0]):
                m.next = "Finish"
    with m.State("Generate"):
        if first == "token":
            m.d.comb += request.token.eq(Mux(s.flags[1], ports.last_choice, s.token))
        m.d.comb += [
            request.head.eq(1),
            request.last.eq(1),
            request.count.eq(s.choices),
            request.reseed.eq(s.flags[0]),
            ports.core_i.valid.eq(1),
            ports.record_keep.eq(s.left == 1),
        ]
        with m.If(ports.core_i.ready):
            accepted()
            m.next = "Choice"
    with m.State("Choice"):
        records()
        with m.If(ports.record_done):
            m.d.sync += s.left.eq(s.left - 1)
            m.next = "Next choice"
            with m.If(s.left == 1):
                m.next = "Finish"
    with m.State("Next choice"):
        m.d.comb += [ports.record_start.eq(1), ports.record_keep.eq(s.left == 1)]
        m.next = "Choice"
