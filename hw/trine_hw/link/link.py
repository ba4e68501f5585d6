"""Link: a core behind two streams of bytes, without a board's clock and pins."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from trine_hw.core.core import Core
from trine_hw.link.executor.executor import Executor
from trine_hw.link.fast.frame_receiver import FastFrameReceiver
from trine_hw.link.fast.input_unpacker import FastInputUnpacker
from trine_hw.link.fast.payload_reader import FastPayloadReader
from trine_hw.link.fast.reply_cache import FastReplyCache
from trine_hw.link.fast.result_packer import FastResultPacker
from trine_hw.link.frame_receiver import FrameReceiver
from trine_hw.link.input_unpacker import InputUnpacker
from trine_hw.link.payload_reader import PayloadReader
from trine_hw.link.reply_cache import ReplyCache
from trine_hw.link.result_packer import ResultPacker
from trine_hw.primitives.byte_fifo import ByteFIFO
from trine_hw.primitives.skid_buffer import SkidBuffer
from trine_hw.primitives.streaming_fifo import StreamingFIFO
from trine_sw.engine import EngineConfig
from trine_sw.engine.config import ICE40
from trine_sw.engine.memory_layout import MemoryLayout
from trine_sw.link.board_info import board_info
from trine_sw.link.memories import CELLS_AT_ONCE
from trine_sw.link.protocol import LinkConfig
from trine_sw.link.records import Codec
from trine_sw.model import Model
from trine_sw.support.errors import TrineError

__all__ = ["Link"]


class Link(wiring.Component):
    """A core and its link.

    Contract: answers as :class:`trine_sw.link.board_model.BoardModel` does. A transport is whatever joins
    ``rx`` and ``tx`` to a wire; if it cannot wait for ``rx.ready`` it says in ``lost`` what it dropped.

    Parameters
    ----------
    model, engine : what the core computes, and how
    link : sizes of the buffers, and the codec
    clock_hz, baud : what the board says of itself
    layout : where the model lies on the engine, if it is there already

    Members
    -------
    rx : :py:`In(stream.Signature(8))`
    tx : :py:`Out(stream.Signature(8))`
    lost, framing_error, lock_lost : :py:`In(1)`
        Counted: a byte was dropped before ``rx``; a byte came damaged and was dropped; the clock was stopped,
        since its PLL had lost its lock.
    busy : :py:`Out(1)`
        A command is under way.
    """

    def __init__(
        self,
        model: Model,
        engine: EngineConfig,
        link: LinkConfig,
        *,
        clock_hz: float = 0,
        baud: float = 0,
        layout: MemoryLayout | None = None,
    ) -> None:
        if link.fast and engine.block_ram in ICE40:
            raise TrineError(
                "the fast codec is not for an iCE40, whose memories all have registers: use codec serial"
            )
        self.core = Core(
            model, engine, loadable=True, state_step=CELLS_AT_ONCE if link.fast else 1, layout=layout
        )
        self.link = link
        self.info = board_info(model, engine, link, clock_hz=clock_hz, baud=baud, layout=self.core.layout)
        super().__init__(
            {
                "rx": In(stream.Signature(8)),
                "tx": Out(stream.Signature(8)),
                "lost": In(1),
                "framing_error": In(1),
                "lock_lost": In(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Joins the parts in the order in which a frame passes them.

        Bytes wait in a FIFO, the receiver makes a frame of them, and the executor reads it back through the
        payload reader; items come from the input unpacker, and records from the result packer. The reply goes
        to the reply cache, which sends it. With the fast codec the parts have other forms, and the same ports
        but for a few.
        """
        m = Module()
        core, link, codec = self.core, self.link, Codec(self.info)
        m.submodules.core = core
        m.submodules.received = received = (StreamingFIFO if link.fast else ByteFIFO)(link.receive_bytes)
        receiver, reader, items, records, slots = (
            _fast_parts(core, codec, link) if link.fast else _parts(core, codec, link)
        )
        m.submodules.receiver = receiver
        m.submodules.reader = reader
        m.submodules.items = items
        m.submodules.records = records
        m.submodules.replies = replies = SkidBuffer(8)
        m.submodules.slots = slots
        m.submodules.executor = executor = Executor(core, codec, link)

        connect(m, flipped(self.rx), received.i)
        connect(m, received.o, receiver.i)
        connect(m, receiver.o, executor.frames)
        connect(m, reader.o, executor.bytes)
        connect(m, executor.item_bytes, items.i)
        connect(m, items.o, executor.items)
        connect(m, executor.reply, replies.i)
        connect(m, replies.o, slots.i)
        connect(m, slots.tx, flipped(self.tx))
        connect(m, core.state, records.state)
        connect(m, records.o, executor.record)
        # From the executor to the core is far. Both hold what they say until a request is handed over, so
        # that a register may do that, a cycle later.
        hand_over = Signal()
        m.d.sync += hand_over.eq(executor.core_i.valid & core.i.ready & ~hand_over)
        if link.fast:
            entered = [
                receiver.read_en.eq(reader.read_en),
                records.enter.eq(executor.record_enter),
                records.final.eq(executor.record_keep),
                records.tokens.eq(executor.record_tokens),
                records.last.eq(executor.record_last),
                records.summed.eq(executor.record_summed),
                records.counted.eq(executor.record_counted),
                records.top.eq(executor.record_top),
                records.shown.eq(executor.record_shown),
                records.begins.eq(executor.record_begins),
                executor.record_idle.eq(records.idle),
                executor.record_given.eq(records.given),
            ]
            stored = [executor.stored.eq(records.stored)]
        else:
            entered = [records.keep.eq(executor.record_keep)]
            stored = [
                executor.store_addr.eq(records.store_addr),
                executor.store_data.eq(records.store_data),
            ]
        m.d.comb += [
            core.i.payload.eq(executor.core_i.payload),
            core.i.valid.eq(hand_over),
            executor.core_i.ready.eq(hand_over),
            receiver.read_addr.eq(reader.read_addr),
            reader.read_data.eq(receiver.read_data),
            reader.start.eq(executor.read_start),
            reader.stop.eq(executor.read_stop),
            reader.at.eq(executor.read_at),
            reader.length.eq(executor.read_length),
            items.clear.eq(executor.items_clear),
            slots.slot.eq(executor.slot),
            slots.start.eq(executor.slot_start),
            slots.finish.eq(executor.slot_finish),
            slots.send.eq(executor.slot_send),
            executor.slot_free.eq(slots.free),
            executor.slot_done.eq(slots.done),
            records.start.eq(executor.record_start),
            records.head.eq(executor.record_head),
            *entered,
            records.want.eq(executor.record_want),
            executor.record_done.eq(records.done),
            *stored,
            executor.store_en.eq(records.store_en),
            executor.last_choice.eq(records.last_choice),
            executor.counts.eq(Cat(core.tokens, core.cycles, core.columns)),
            core.load.eq(executor.load),
            core.state_shift.eq(records.state_shift),
            executor.lost.eq(self.lost),
            executor.framing_error.eq(self.framing_error),
            executor.lock_lost.eq(self.lock_lost),
            self.busy.eq(executor.busy),
        ]
        if core.geometry.head_lanes:
            # The writer is ready or not by what it sends: that must not reach the head in the same cycle.
            m.submodules.logits = logits = SkidBuffer(core.logits.payload.shape())
            connect(m, core.logits, logits.i)
            connect(m, logits.o, records.logits)
            connect(m, core.choice, records.choice)
            m.d.comb += [
                core.tau.eq(executor.tau),
                core.seed.eq(executor.seed),
                executor.generator.eq(core.generator),
            ]
        return m


def _parts(core: Core, codec: Codec, link: LinkConfig) -> tuple[Any, ...]:
    """Receiver, reader, input unpacker, result packer and reply cache of the serial codec."""
    return (
        FrameReceiver(link),
        PayloadReader(link),
        InputUnpacker(codec),
        ResultPacker(core, codec),
        ReplyCache(link),
    )


def _fast_parts(core: Core, codec: Codec, link: LinkConfig) -> tuple[Any, ...]:
    """The same of the fast codec. For tokens the serial input unpacker is fast enough."""
    return (
        FastFrameReceiver(link, codec),
        FastPayloadReader(link),
        InputUnpacker(codec, tagged=True) if codec.info.embedding_on_board else FastInputUnpacker(codec),
        FastResultPacker(core, codec, link),
        FastReplyCache(link),
    )
