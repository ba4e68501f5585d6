"""Registers and actions that the executor's states share: session and current frame."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib.memory import Memory

from trine_hw.core.core import Core
from trine_hw.link.event_counters import EventCounters
from trine_hw.link.fast.kept_cells import KeptCells
from trine_hw.link.fast.segment_reader import SegmentReader
from trine_hw.link.result_packer import KeptCell, WantFlags
from trine_sw.link.memories import counter_memory, kept_memory
from trine_sw.link.protocol import HEADER_BYTES, LinkConfig, Reason
from trine_sw.link.records import COUNTERS, GENERATE_BYTES, Codec

__all__ = ["ExecutorState"]


class ExecutorState:
    """The registers of :class:`trine_hw.link.executor.executor.Executor`, made within its ``elaborate``.

    Parameters
    ----------
    m : the executor's module
    ports : the executor, whose members the states drive
    core, codec, link : as the executor's

    Members
    -------
    session, expected : of the open session, its number and the sequence number that comes next
    ended : the session that the open one has replaced: a late OPEN of it opens nothing
    cached : replies that are kept
    halted : a command was refused, and none is done until RESUME
    fresh : the next token starts from the zero state
    written : cells of a new state that have come
    header, frame_session, sequence, code : the frame's
    length : bytes of its payload
    count : of bytes that are taken or given
    arguments : the last byte taken on top; ``choices, tau, flags, seed`` as GENERATE has them
    samples : with the fast codec: a generation is under way, whose temperature is that of the sampler
    replies : with the fast codec, :class:`trine_hw.link.executor.replies.StepReplies`
    sequences, last, summed, counted : with the fast codec, of the :class:`trine_sw.link.protocol.Form` of a
        STEP
    more, top : a byte behind a STEP's first says what else is wanted; largest logits of a token
    want, token, left : what a record holds; a generation's first token; choices, or cells, still to come
    refused, reason : the reply says no, and why
    kept : the reply goes to the slot of its sequence number
    slot : where the reply goes; the last slot, of replies that are not kept, until numbers are compared
    used : bytes that the records of the items so far will have
    cell, stored : a cell's number, and two cycles later the cell as it is kept
    cell_c, second : of a cell in a payload: its c, and whether the byte at hand is its h
    write_cell, written_cell : puts a cell at ``cell`` into the state that is kept
    kept_cells : with the fast codec, instead of ``stored`` and ``write_cell``
    events : one cycle each for the counters of that name
    counters, counter_index, counter_word : the link's, and a half of one of all counters, lower halves first
    """

    replies: Any

    def __init__(self, m: Module, ports: Any, core: Core, codec: Codec, link: LinkConfig) -> None:
        self.ports, self.core, self.codec, self.link = ports, core, codec, link
        cells, geometry = codec.info.cells, core.geometry
        self.session, self.expected, self.ended = Signal(16), Signal(16), Signal(16)
        self.cached = Signal(range(link.window + 1))
        self.halted = Signal()
        self.fresh = Signal(init=1)
        self.written = Signal(range(cells + 1))
        self.header = Signal(8 * HEADER_BYTES)
        self.frame_session, self.sequence, self.code = self.header[:16], self.header[16:32], self.header[32:]
        self.length = Signal(range(link.max_payload + 1))
        self.count = Signal(range(max(16, 2 * codec.token_bytes)))
        self.arguments = Signal(8 * GENERATE_BYTES)
        self.choices, self.tau = self.arguments[0:16], self.arguments[16:32]
        self.flags, self.seed = self.arguments[32:40], self.arguments[40:72]
        self.want = Signal(WantFlags())
        self.token = Signal(8 * codec.token_bytes)
        self.left = Signal(range(link.max_payload + 1))
        self.reason = Signal(Reason.HALTED.bit_length())
        self.refused, self.kept = Signal(), Signal()
        self.slot = Signal(ports.slot.shape(), init=link.window)
        self.used = Signal(range(2 * link.slot_bytes))
        self.cell = Signal(range(max(cells, geometry.units * geometry.groups) + 1))
        self.cell_c, self.second = Signal(signed(8)), Signal()
        if link.fast:
            self.kept_cells = KeptCells(m, self)
            self.sequences, self.last, self.summed, self.samples = (Signal() for _ in range(4))
            self.more, self.counted, self.top = Signal(), Signal(), Signal(range(codec.info.top + 1))
            m.submodules.segments = self._segments = SegmentReader(codec)
            m.d.comb += [
                self._segments.sequences.eq(self.sequences),
                self._segments.clear.eq(ports.items_clear),
            ]
        else:
            self._keep_cells(m)
        self._count_events(m)

    def _keep_cells(self, m: Module) -> None:
        """Memory of the state after the last frame, written by the result packer and by WRITE."""
        shape, ports = KeptCell(self.core), self.ports
        built = kept_memory(self.core.model.config, self.core.engine.block_ram, self.link)
        m.submodules.store_spram = store = Memory(shape=shape, depth=built.depth, init=[], attrs=built.attrs)
        write, read = store.write_port(), store.read_port()
        self.write_cell, self.written_cell = Signal(), Signal(shape)
        self.stored = Signal(shape)
        address = Signal.like(read.addr)
        written, given = self.written_cell.as_value(), ports.store_data.as_value()
        # One address, and never read where it is written: a memory of a single port will do.
        m.d.comb += [
            address.eq(Mux(ports.store_en, ports.store_addr, self.cell)),
            write.addr.eq(address),
            write.data.eq(Mux(ports.store_en, given, written)),
            write.en.eq(ports.store_en | self.write_cell),
            *(read.addr.eq(address), read.en.eq(~write.en)),
        ]
        with m.If(~ports.reply.valid):  # a byte of it may be offered
            m.d.sync += self.stored.eq(read.data)

    def _count_events(self, m: Module) -> None:
        ports = self.ports
        self.events = {name: Signal(name=f"event_{name}") for name in COUNTERS[3:]}
        built = counter_memory(len(self.events), self.core.engine.block_ram)
        m.submodules.counters = self.counters = EventCounters(len(self.events), attrs=built.attrs)
        halves = [ports.counts.word_select(n, 16) for n in range(6)]
        self.counter_index = Signal(range(2 * len(COUNTERS) + 1))
        self.counter_word = Signal(16)
        of_core = self.counter_index < len(halves)
        m.d.comb += [
            self.events["overflows"].eq(ports.lost),
            self.events["framing_errors"].eq(ports.framing_error),
            self.events["lock_losses"].eq(ports.lock_lost),
            self.counters.events.eq(Cat(*self.events.values())),
            self.counters.index.eq(self.counter_index - len(halves)),
            self.counter_word.eq(Mux(of_core, Array(halves)[self.counter_index[:3]], self.counters.word)),
        ]

    def settled(self, m: Module, condition: Value | int, name: str) -> Signal:
        """A condition in a register: to be read no sooner than two cycles after what it is of was assigned.

        A state that looks at many conditions is slow if it makes them too.
        """
        verdict = Signal(name=name)
        m.d.sync += verdict.eq(condition)
        return verdict

    # -- small actions, each within a state ----------------------------------------------------------------

    def refuse(self, m: Module, reason: Reason) -> None:
        """The reply to this frame says no."""
        m.d.sync += [self.reason.eq(reason), self.refused.eq(1)]
        m.next = "Reply"

    def restart(self, m: Module, at: int) -> None:
        """Read the frame from byte ``at`` on."""
        m.d.comb += [self.ports.read_start.eq(1), self.ports.read_at.eq(at)]

    def give(self, m: Module, value: Value) -> Value:
        """Offer a byte of the reply; 1 in the cycle in which it is taken."""
        return self.give_from(m, 1, value)

    def give_from(self, m: Module, valid: Value | int, value: Value) -> Value:
        """Offer a byte of the reply where there is one, and no reply to a STEP is under way."""
        reply = self.ports.reply
        rests = self.replies.rests if self.link.fast else 1
        with m.If(rests):
            m.d.comb += [reply.valid.eq(valid), reply.payload.eq(value)]
        return reply.ready & rests

    def items_from_bytes(self, m: Module) -> None:
        """The payload's bytes go to the input unpacker."""
        ports = self.ports
        given = ports.bytes
        if self.link.fast:
            through, given = self._segments.i, self._segments.o
            m.d.comb += [
                through.valid.eq(ports.bytes.valid),
                through.payload.eq(ports.bytes.payload),
                ports.bytes.ready.eq(through.ready),
            ]
        m.d.comb += [
            ports.item_bytes.valid.eq(given.valid),
            ports.item_bytes.payload.eq(given.payload),
            given.ready.eq(ports.item_bytes.ready),
        ]
