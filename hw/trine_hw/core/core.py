"""The engine: tokens in; states, logits and choices out."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from trine_hw.core.cells.base import level_bits
from trine_hw.core.cells.blocks import CellBlocks
from trine_hw.core.column_issue import ColumnIssue
from trine_hw.core.lanes import Lanes
from trine_hw.core.logit_stream import LogitBeat, LogitStream
from trine_hw.core.sampler import Sampler
from trine_hw.core.scanner import Scanner
from trine_hw.core.sequencer import Sequencer
from trine_hw.core.state_beats import LoadState, StateOutput
from trine_hw.core.state_queue import StateBeat, StateQueue
from trine_hw.core.state_scanner import StateScanner
from trine_hw.core.token_source import Request, TokenSource
from trine_hw.primitives.column_rom import ColumnROM
from trine_hw.primitives.fanout import fanout
from trine_sw.engine import ROM_LATENCY, EngineConfig
from trine_sw.engine.memories import form_bits
from trine_sw.engine.memory_layout import MemoryLayout, place
from trine_sw.golden.sampler import STATE_BITS, TAU_BITS
from trine_sw.model import Model

__all__ = ["COUNT_LATENCY", "Core"]

#: Cycles after which the counters count something, all alike: source, issue and sequencer may be far apart.
COUNT_LATENCY = 2
#: Block RAMs of a bank that share a copy of their address in an engine with relays.
_PART = 8


class Core(wiring.Component):
    """A ternary recurrent engine for one model.

    Contract: states, logits and choices equal :class:`trine_sw.golden.Golden` in every bit, and cycles equal
    :func:`trine_sw.engine.timing.cycles`, for every model, engine and order of tokens.

    Throughput: a token takes as many cycles as the fullest bank has active columns, plus one for the
    marker, once a group; see :mod:`trine_sw.engine.timing`. Latency from the acceptance of a token to its
    state: the same, plus 17 cycles.

    Area: measured figures for the boards are in docs/results.

    Parameters
    ----------
    model : :class:`trine_sw.model.Model`
    engine : :class:`trine_sw.engine.EngineConfig`
    loadable : :class:`bool`
        Whether states can be put in place, while no token is in the engine.
    state_step : :class:`int`
        If ``loadable``: cells by which ``state_shift`` moves a beat.
    layout : :class:`trine_sw.engine.memory_layout.MemoryLayout`
        The model's on the engine, where it is there already.

    Members
    -------
    i : In(stream of :class:`trine_hw.core.token_source.Request`)
    state : Out(stream of :class:`trine_hw.core.state_beats.StateOutput`)
        One beat a group. Tie ``ready`` to 1 if it is not wanted.
    logits : Out(stream of :class:`trine_hw.core.logit_stream.LogitBeat`)
        Of tokens that want them, with the head on the board.
    choice : Out(stream of tokens)
        Likewise: one for each such token.
    tau, seed : In
        Of the sampler (:mod:`trine_sw.golden.sampler`).
    generator : Out(32)
        The sampler's random state.
    load : In(:class:`trine_hw.core.state_beats.LoadState`)
        If ``loadable``.
    state_shift : In(1)
        If ``loadable``: moves the cells of the beat at ``state`` down by ``state_step``, while it is not
        taken.
    tokens, cycles, columns : Out(32)
        Counters, modulo 2^32: steps ended; cycles in which a token was in the engine; columns issued.
    """

    def __init__(
        self,
        model: Model,
        engine: EngineConfig,
        *,
        loadable: bool = False,
        state_step: int = 1,
        layout: MemoryLayout | None = None,
    ) -> None:
        self.model = model
        self.engine = engine
        self.loadable = loadable
        self.state_step = state_step if loadable else 0
        self.layout: MemoryLayout = layout or place(model, engine)
        self.geometry = geometry = self.layout.geometry
        members: dict[str, object] = {
            "i": In(stream.Signature(Request(model.config, engine))),
            "state": Out(stream.Signature(StateOutput(StateBeat(geometry)))),
            "tokens": Out(32),
            "cycles": Out(32),
            "columns": Out(32),
        }
        if geometry.head_lanes:
            token = unsigned(max(1, (model.config.vocab_size - 1).bit_length()))
            members |= {
                "logits": Out(stream.Signature(LogitBeat(engine.sampler_ways, self.layout.logit_width))),
                "choice": Out(stream.Signature(token)),
                "tau": In(TAU_BITS),
                "seed": In(STATE_BITS),
                "generator": Out(STATE_BITS),
            }
        if loadable:
            members |= {"load": In(LoadState(model, geometry.groups)), "state_shift": In(1)}
        super().__init__(members)  # pyright: ignore[reportArgumentType]

    def elaborate(self, platform: object) -> Module:
        """Connects the parts in the order in which a token passes them.

        The token source gives x; the state vector gives the h that is fed back. One scanner for each bank and
        slot turns them into active columns, column issue addresses the banks' ROMs with these, and the lanes
        add the words that are read. Cells make the new state of the sums; it leaves through the state queue,
        and returns to the scanners of h. The head's sums leave as logits, and through the sampler as a choice
        that the token source may take as the next token. The sequencer tells the scanners when to load, and
        sends a marker behind the last column of each group: signs and markers are delayed here by as many
        cycles as a ROM needs for its word, so that all three reach the lanes together.
        """
        m = Module()
        model, engine, geometry, layout = self.model, self.engine, self.geometry, self.layout
        banks = engine.banks
        bits = level_bits(model.config)

        table = model.embedding_weight if engine.embedding == "board" else None
        m.submodules.source = source = TokenSource(model.config, engine, table)
        m.submodules.sequencer = sequencer = Sequencer(geometry)
        m.submodules.issue = issue = ColumnIssue(geometry, bits)
        m.submodules.lanes = lanes = Lanes(layout, bits)
        m.submodules.cells = cells = CellBlocks(geometry, loadable=self.loadable)
        m.submodules.queue = queue = StateQueue(geometry, step=self.state_step)
        connect(m, flipped(self.i), source.i)

        # Scanners: x is captured from the source, h from the cells, slot by slot.
        h, committed = self._state_vector(m, cells)
        slot_a, slot_b = self._slots(sequencer, source, h)
        x_idle, h_idle = Signal(banks), Signal(banks)
        for bank in range(banks):
            of_x, of_h = geometry.bank_x(bank), geometry.bank_h(bank)
            m.submodules[f"scan_x{bank}"] = x_scan = Scanner(len(of_x))
            h_scan = self._state_scanner(m, cells) if geometry.state_in_memory else Scanner(len(of_h), bits)
            m.submodules[f"scan_h{bank}"] = h_scan
            connect(m, x_scan.o, getattr(issue, f"x{bank}"))
            connect(m, h_scan.o, getattr(issue, f"h{bank}"))
            m.d.comb += [
                *(x_scan.trits[at].as_value().eq(slot_a[j]) for at, j in enumerate(of_x)),
                *(h_scan.trits[at].as_value().eq(slot_b[j]) for at, j in enumerate(of_h) if h),
                x_scan.load.eq(sequencer.x_load),
                x_scan.again.eq(sequencer.x_again),
                x_scan.clear.eq(sequencer.x_clear),
                h_scan.load.eq(sequencer.h_load),
                h_scan.again.eq(sequencer.h_again),
                h_scan.clear.eq(sequencer.h_clear),
                x_idle[bank].eq(x_scan.idle),
                h_idle[bank].eq(h_scan.idle),
            ]

        m.d.comb += [
            sequencer.token_valid.eq(source.valid),
            sequencer.token_flags.eq(source.flags),
            source.take.eq(sequencer.take),
            sequencer.feeds_back.eq(source.feeds_back),
            sequencer.x_idle.eq(x_idle.all()),
            sequencer.h_idle.eq(h_idle.all()),
            sequencer.committed.eq(committed),
            sequencer.issue_done.eq(issue.done),
            sequencer.state_taken.eq(queue.taken),
            issue.begin.eq(sequencer.begin),
            issue.with_x.eq(sequencer.with_x),
            issue.with_h.eq(sequencer.with_h),
            issue.base.eq(sequencer.base),
        ]

        if geometry.model.spec.shares_trits and model.config.layers > 1:
            m.d.comb += issue.above.eq(sequencer.above)

        # Column ROMs; signs, magnitudes and markers keep step with their words. The lanes have the register
        # that is theirs with relays.
        delayed = [issue.trits.as_value(), Cat(sequencer.marker, sequencer.reseed)]
        if geometry.model.spec.shares_trits:
            delayed.append(issue.fed)
        for stage in range(ROM_LATENCY):
            stages = [Signal(len(value), name=f"rom_stage_{stage}_{i}") for i, value in enumerate(delayed)]
            m.d.sync += [signal.eq(value) for signal, value in zip(stages, delayed, strict=True)]
            delayed = list(stages)
        for bank in range(banks):
            self._roms(m, bank, issue.addr[bank], lanes.words[bank].as_value())
        m.d.comb += [lanes.trits.as_value().eq(delayed[0]), lanes.marker.as_value().eq(delayed[1][:-1])]
        if geometry.model.spec.shares_trits:
            m.d.comb += lanes.fed.eq(delayed[2])
        reseed = delayed[1][-1]
        for stage in range(1 + engine.relays):
            later = Signal(name=f"reseed_{stage}")
            m.d.sync += later.eq(reseed)
            reseed = later

        m.d.comb += [
            cells.decisions.eq(lanes.decisions),
            cells.markers.eq(lanes.markers_o),
            queue.i.cells.eq(cells.o),
            queue.i.last.eq(self._ends_token(cells.o_last, cells.o_group)),
            queue.put.eq(cells.put),
            self.state.valid.eq(queue.o.valid),
            self.state.payload.cells.eq(queue.o.payload.cells),
            self.state.payload.last.eq(queue.o.payload.last),
            queue.o.ready.eq(self.state.ready),
        ]
        if self.loadable:
            m.d.comb += [
                cells.load.eq(self.load.cells),
                cells.load_group.eq(self.load.group),
                cells.load_commit.eq(self.load.commit),
                queue.shift.eq(self.state_shift),
            ]
        ended = self._ends_token(sequencer.marker.last, sequencer.marker.group)
        self._count(m, source.accepted, ended, issue.events)
        if geometry.head_lanes:
            self._head(m, source, sequencer, lanes, reseed)
        return m

    def _roms(self, m: Module, bank: int, addr: Value, words: Value) -> None:
        """A bank's column ROM; with relays in parts, each with the address in a register of its own."""
        engine, contents = self.engine, self.layout.banks[bank]
        trits = contents.shape[1]
        block = form_bits("ecp5", self.geometry.depth)  # block RAMs are counted as an ECP5's
        size = _PART * block // 2 if engine.relays else trits
        starts = range(0, trits, size)
        addresses = [addr]
        if engine.relays:
            options = dict(name=f"addr_{bank}", block_ram=engine.block_ram, init=self.geometry.zero_address)
            addresses = fanout(m, addr, len(starts), **options)
        for part, (start, address) in enumerate(zip(starts, addresses, strict=True)):
            rom = ColumnROM(contents[:, start : start + size], block_ram=engine.block_ram)
            m.submodules[f"rom_{bank}_{part}" if engine.relays else f"rom_{bank}"] = rom
            m.d.comb += [rom.addr.eq(address), words[2 * start :][: 2 * rom.trits].eq(rom.o.as_value())]

    def _ends_token(self, last: Value, group: Value) -> Value:
        """Whether a layer's last group is its token's."""
        return last if self.model.config.layers == 1 else last & (group == self.geometry.groups - 1)

    def _slots(
        self, sequencer: Sequencer, source: TokenSource, h: list[Signal]
    ) -> tuple[list[Value], list[Value]]:
        """What the scanners of slots A and B capture, an element after the other."""
        config = self.model.config
        above = range(
            config.hidden, config.cells, config.hidden
        )  # the first cell of each layer but the first
        slot_a: list[Value] = []
        for j in range(self.geometry.slot_a):
            x = source.x[j].as_value() if j < config.embedding else Const(0, 2)
            own = [h[first + j][:2] if j < config.hidden else Const(0, 2) for first in above]
            slot_a.append(Array([x, *own])[sequencer.x_layer] if own else x)
        slot_b: list[Value] = []
        for j in range(config.hidden if h else 0):
            layers = h[j :: config.hidden]
            slot_b.append(Array(layers)[sequencer.h_layer] if above else layers[0])
        return slot_a, slot_b

    def _state_scanner(self, m: Module, cells: CellBlocks) -> StateScanner:
        """The scanner of h that keeps it in memory."""
        geometry, bits = self.geometry, level_bits(self.model.config)
        scanner = StateScanner(geometry.model.hidden, geometry.units, geometry.groups, bits)
        m.d.comb += [scanner.put.eq(cells.o_valid), scanner.group.eq(cells.o_group)]
        for unit in range(geometry.units):
            cell = cells.o[unit]
            m.d.comb += scanner.cells[unit].as_value().eq(Cat(cell.h, cell.u))
        return scanner

    def _state_vector(self, m: Module, cells: CellBlocks) -> tuple[list[Signal], Value]:
        """h of all layers as the scanners capture it, with the group that the cells give in the same cycle
        or, with relays, gave in the one before, unless they keep it themselves; and whether that was a
        layer's last."""
        geometry, bits = self.geometry, level_bits(self.model.config)
        width = 2 + bits
        vector = []
        for index in range(0 if geometry.state_in_memory else geometry.model.cells):
            group, unit = divmod(index, geometry.units)
            held = Signal(width, name=f"h_{index}")
            seen = Signal(width, name=f"h_seen_{index}")
            cell = cells.o[unit]
            here = cells.valid_at(unit) & (cells.o_group == group)
            m.d.comb += seen.eq(Mux(here, Cat(cell.h, cell.u), held))
            m.d.sync += held.eq(seen)
            vector.append(held if self.engine.relays else seen)
        committed = Signal()
        domain = m.d.sync if self.engine.relays else m.d.comb
        domain += committed.eq(cells.o_valid & cells.o_last)
        return vector, committed

    def _head(
        self, m: Module, source: TokenSource, sequencer: Sequencer, lanes: Lanes, reseed: Signal
    ) -> None:
        width = self.layout.logit_width
        m.submodules.head = head = LogitStream(self.geometry, width)
        m.submodules.sampler = sampler = Sampler(
            self.model.config.vocab_size,
            width,
            self.engine.sampler_ways,
            block_ram=self.engine.block_ram,
        )
        m.d.comb += [
            head.sums.eq(lanes.logits),
            head.group.eq(lanes.marker_o.group),
            head.load.eq(lanes.marker_o.head),
            sequencer.logits_drained.eq(head.drained),
            sampler.tau.eq(self.tau),
            sampler.seed.eq(self.seed),
            sampler.reseed.eq(reseed),
            self.generator.eq(sampler.generator),
        ]
        # Each beat goes to the user and to the sampler; it leaves the head when both have it.
        sent = Signal(2)
        branches = (self.logits, sampler.i)
        done = [sent[i] | branch.ready for i, branch in enumerate(branches)]
        m.d.comb += head.o.ready.eq(done[0] & done[1])
        for i, branch in enumerate(branches):
            m.d.comb += [branch.payload.eq(head.o.payload), branch.valid.eq(head.o.valid & ~sent[i])]
            m.d.sync += sent[i].eq(head.o.valid & done[i] & ~head.o.ready)
        connect(m, sampler.o, source.choice_i)
        connect(m, source.choice_o, flipped(self.choice))

    def _count(self, m: Module, accepted: Signal, ended: Value, events: Signal) -> None:
        entered, left, issued = accepted, ended, events
        for stage in range(COUNT_LATENCY):
            later = [
                Signal(len(value), name=f"counted_{stage}_{n}")
                for n, value in enumerate((entered, left, issued))
            ]
            m.d.sync += [
                signal.eq(value) for signal, value in zip(later, (entered, left, issued), strict=True)
            ]
            entered, left, issued = later
        inside = Signal(3)  # tokens accepted whose step has not ended
        since = Signal(32)  # cycles since the last step ended, or since an idle engine accepted a token
        token_cycles = Signal(32)
        m.d.comb += self.state.payload.cycles.eq(token_cycles)
        m.d.sync += [
            inside.eq(inside + entered - left),
            since.eq(Mux(left | (inside == 0), 1, since + 1)),
            self.cycles.eq(self.cycles + (inside != 0)),
            self.tokens.eq(self.tokens + left),
            self.columns.eq(self.columns + issued),
        ]
        with m.If(left):
            m.d.sync += token_cycles.eq(since)
