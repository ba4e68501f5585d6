"""Executor: applies each command once, by session, sequence number and checks."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from trine_hw.core.core import Core
from trine_hw.link.executor.cells import load_states, read_states, seek_states, write_states
from trine_hw.link.executor.checks import argument_states, cell_check_states, item_check_states, value_states
from trine_hw.link.executor.replies import StepReplies
from trine_hw.link.executor.reply import body_states, header_states
from trine_hw.link.executor.session import closing_states, frame_states
from trine_hw.link.executor.state import ExecutorState
from trine_hw.link.executor.streaming import stream_states
from trine_hw.link.executor.tokens import token_states
from trine_hw.link.fast.cell_reader import CellWord
from trine_hw.link.frame_receiver import FrameEnd
from trine_hw.link.input_unpacker import Item
from trine_hw.link.payload_reader import FrameByte, ItemByte
from trine_hw.link.result_packer import KeptCell, WantFlags
from trine_sw.golden.sampler import TAU_BITS
from trine_sw.link.protocol import Command, LinkConfig
from trine_sw.link.records import Codec

__all__ = ["Executor"]


class Executor(wiring.Component):
    """Takes frames one after the other and makes the replies.

    Contract: as :class:`trine_sw.link.board_model.BoardModel`, frame for frame. A frame is looked through
    to its end before anything is done, and a reply is complete before anything else is, so that what is
    applied, answered and counted never differs. With the fast codec a STEP need not wait for the reply to the
    STEP before, if the same is wanted of both: its tokens follow in the engine.

    One state machine, whose states stand in the order in which a frame meets them: :mod:`.session`,
    :mod:`.checks`, :mod:`.reply`, :mod:`.tokens` or :mod:`.streaming`, :mod:`.cells`, and :mod:`.session`
    again; with the fast codec another one, :mod:`.replies`, for the replies to STEP.

    Area (synth_ecp5, of shakespeare, its memories in logic counted): about 1,670 LUT4 and 460 FF.

    Parameters
    ----------
    core : :class:`trine_hw.core.core.Core`, ``loadable``
    codec : :class:`trine_sw.link.records.Codec`
    link : :class:`trine_sw.link.protocol.LinkConfig`

    Members
    -------
    frames : from :class:`trine_hw.link.frame_receiver.FrameReceiver`
    read_start, read_stop, read_at, read_length, bytes : :class:`trine_hw.link.payload_reader.PayloadReader`
    item_bytes, items, items_clear : to and from :class:`trine_hw.link.input_unpacker.InputUnpacker`
    slot, slot_start, slot_finish, slot_send, slot_free, slot_done, reply : to and from
        :class:`trine_hw.link.reply_cache.ReplyCache`
    record_start, record_head, record_keep, record_want, record_done, record : to and from
        :class:`trine_hw.link.result_packer.ResultPacker`, with store_addr, store_data, store_en, last_choice
    record_enter, record_last, record_summed, record_counted, record_top, record_shown, record_begins,
    record_tokens
        With the fast codec, to :class:`trine_hw.link.fast.result_packer.FastResultPacker`.
    record_idle, record_given, stored
        And from it, in place of store_addr and store_data.
    core_i, core_counts, tau, seed, generator, load : to and from the core
    lost, framing_error, lock_lost : In(1)
        For the counters: a byte was lost for want of room; a byte came without its stop bit; the clock was
        stopped.
    busy : Out(1)
        A command is under way.
    """

    def __init__(self, core: Core, codec: Codec, link: LinkConfig) -> None:
        self.core, self.codec, self.link = core, codec, link
        slots, kept = range(link.window + 1), KeptCell(core)
        cells = range(core.model.config.cells)
        stored: dict[str, object] = {"store_addr": In(cells), "store_data": In(kept)}
        if link.fast:
            stored = {
                **dict.fromkeys(("record_enter", "record_last", "record_summed", "record_counted"), Out(1)),
                **dict.fromkeys(("record_shown", "record_begins"), Out(1)),
                "record_top": Out(range(codec.info.top + 1)),
                "record_tokens": Out(range(link.max_payload + 1)),
                "record_idle": In(1),
                "record_given": In(1),
                "stored": In(CellWord(core)),
            }
        members: dict[str, object] = {
            "frames": In(stream.Signature(FrameEnd(link))),
            "read_start": Out(1),
            "read_stop": Out(1),
            "read_at": Out(range(link.slot_bytes)),
            "read_length": Out(range(link.max_payload + 1)),
            "bytes": In(stream.Signature(FrameByte())),
            "item_bytes": Out(stream.Signature(ItemByte() if link.fast else FrameByte())),
            "items": In(stream.Signature(Item(codec, tagged=link.fast))),
            "items_clear": Out(1),
            "slot": Out(slots),
            "slot_start": Out(1),
            "slot_finish": Out(1),
            "slot_send": Out(1),
            "slot_free": In(1),
            "slot_done": In(1),
            "reply": Out(stream.Signature(8)),
            "record_start": Out(1),
            "record_head": Out(1),
            "record_keep": Out(1),
            "record_want": Out(WantFlags()),
            "record_done": In(1),
            "record": In(stream.Signature(8)),
            **stored,
            "store_en": In(1),
            "last_choice": In(8 * codec.token_bytes),
            "core_i": Out(stream.Signature(core.i.payload.shape())),
            "counts": In(32 * 3),
            "tau": Out(TAU_BITS),
            "seed": Out(32),
            "generator": In(32),
            "load": Out(core.load.shape()),
            "lost": In(1),
            "framing_error": In(1),
            "lock_lost": In(1),
            "busy": Out(1),
        }
        super().__init__(members)  # pyright: ignore[reportArgumentType]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        s = ExecutorState(m, self, self.core, self.codec, self.link)
        slot, busy, samples = s.slot, self.frames.valid, s.code == Command.GENERATE
        if self.link.fast:
            s.replies = StepReplies(m, s)
            # In a register: from the states through it to whether it is free, and back, is a long way. Each
            # state that looks at the slot is the second one after its number was assigned, or later.
            of_states, slot = slot, Signal.like(slot)
            m.d.sync += slot.eq(Mux(s.replies.rests, of_states, s.replies.slot))
            busy |= ~s.replies.quiet
            samples = s.samples
        m.d.comb += [
            self.read_length.eq(s.length),
            self.slot.eq(slot),
            self.record_want.eq(s.want),
            self.busy.eq(busy),
            self.tau.eq(Mux(samples, s.tau, 0)),
            self.seed.eq(s.seed),
        ]
        with m.FSM():
            frame_states(m, s)
            argument_states(m, s)
            value_states(m, s)
            item_check_states(m, s)
            cell_check_states(m, s)
            header_states(m, s)
            body_states(m, s)
            (stream_states if self.link.fast else token_states)(m, s)
            (seek_states if self.link.fast else read_states)(m, s)
            write_states(m, s)
            load_states(m, s)
            closing_states(m, s)
        return m
