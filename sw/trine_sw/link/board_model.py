"""Board model: the board's side of the protocol over the golden model, which the gateware must equal."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trine_sw.engine import EngineConfig, Geometry
from trine_sw.engine.memory_layout import MemoryLayout, place
from trine_sw.engine.timing import TimingModel
from trine_sw.golden import Golden, State
from trine_sw.golden.sampler import STATE_SEED_0, TAU_BITS, Sampler, seed_state
from trine_sw.link.board_info import board_info, level_values
from trine_sw.link.board_session import BoardSession
from trine_sw.link.items import Items, Refusal, read_items
from trine_sw.link.protocol import Command, Form, Frame, LinkConfig, Reason, Splitter, Want
from trine_sw.link.records import CELL_BYTES, COUNTERS, GENERATE_BYTES, Codec, impossible_cells, link_for
from trine_sw.link.step_records import HEAD, Steps, asked, pack_records
from trine_sw.model import Model

__all__ = ["BoardModel"]

#: Cycles between tokens: more than any token takes, so that each finds the engine idle.
_IDLE = 1 << 24


class BoardModel:
    """Bytes from the host in, bytes to the host out.

    Contract: the gateware's :class:`trine_hw.link.link.Link` on the same engine gives the same frames in the
    same order, where each is sent before the next arrives. Cycles are those of the timing model; an engine
    that folds its cells into more than two groups may take longer, while the link looks at the cells. With
    the fast codec the tokens of a STEP without CYCLES follow each other; the counter of cycles is then that
    of tokens which never wait for the link, and the gateware's is no smaller.

    Parameters
    ----------
    model, engine, link : what the board holds, the buffers exactly so; by default those of a
        :class:`trine_sw.link.board_design.BoardDesign`, whose ``parts`` these all are
    clock_hz, baud : what it says of itself
    layout : where the model lies on the engine, if it is there already

    Members
    -------
    session : whose frames it takes
    counts : since its reset
    """

    def __init__(
        self,
        model: Model,
        engine: EngineConfig,
        link: LinkConfig | None = None,
        *,
        clock_hz: float = 0,
        baud: float = 0,
        layout: MemoryLayout | None = None,
    ) -> None:
        self.model, self.engine = model, engine
        layout = layout or place(model, engine)
        self.link = link or link_for(model, engine, LinkConfig(), layout)
        self.info = board_info(model, engine, self.link, clock_hz=clock_hz, baud=baud, layout=layout)
        self.codec = Codec(self.info)
        self._golden = Golden(model)
        self._levels = level_values(model.config)
        self.reset()

    def reset(self) -> None:
        """As the board's reset, or its configuration: everything is forgotten."""
        self._splitter = Splitter(2 * self.link.slot_bytes)
        self.counts: dict[str, int] = dict.fromkeys(COUNTERS, 0)
        self.session = BoardSession(
            self.link,
            describe=lambda: self.info.pack(),
            begin=self._begin,
            execute=self._execute,
            count=self._count,
        )
        self._begin()
        self._state = self._golden.initial_state()
        self._new = np.zeros((self.info.cells, CELL_BYTES), np.int8)
        self._sampler = Sampler(1.0, 0.0, 0)
        self._sampler.state = STATE_SEED_0
        self._choice = 0
        self._sums = np.zeros(self.info.vocab_size, np.int32)
        self._timing = TimingModel(Geometry(self.model.config, self.engine))
        self._now = 0

    def exchange(self, data: bytes) -> bytes:
        """What the board answers to these bytes."""
        return b"".join(self._answer(part) for part in self._splitter.feed(data))

    def _answer(self, encoded: bytes) -> bytes:
        """A frame is applied as a whole or, where an exception such as Ctrl-C ends this, not at all."""
        timing = self._timing.snapshot()
        parts = [vars(part) for part in (self, self.session, self._sampler)]
        before = [{name: _copied(value) for name, value in of.items()} for of in parts]
        try:
            return self.session.answer(encoded)
        except BaseException:
            for of, values in zip(parts, before, strict=True):
                of.update(values)
            self._timing.restore(timing)
            raise

    def _begin(self) -> None:
        self._fresh = True  # the next token starts from the zero state
        self._written = 0  # cells of a new state that have come

    @property
    def written(self) -> int:
        """Cells of a new state that have come, while others of it are awaited; else 0."""
        return self._written

    def _count(self, event: str) -> None:
        self.counts[event] += 1

    def _execute(self, frame: Frame) -> bytes:
        payload = frame.payload
        if frame.code == Command.STEP:
            return self._step(payload)
        if frame.code == Command.GENERATE:
            return self._generate(payload)
        if frame.code == Command.READ:
            return self._read(payload)
        if frame.code == Command.WRITE:
            return self._write(payload)
        if frame.code not in (Command.RESET, Command.COUNTERS, Command.RESUME):
            raise Refusal(Reason.COMMAND)
        if payload:
            raise Refusal(Reason.LENGTH)
        if frame.code == Command.COUNTERS:
            return b"".join(struct.pack("<I", count % 2**32) for count in self.counts.values())
        if frame.code == Command.RESET:
            self._begin()
        return b""

    def _step(self, payload: bytes) -> bytes:
        asking = asked(payload, self.info)
        want, form, top = asking
        record = self.codec.record_bytes(want, form, top)
        items = read_items(payload[1 + asking.more :], self.codec, record, form)
        x = items.x
        if items.tokens is not None:
            assert self.model.embedding_weight is not None
            x = self.model.embedding_weight[items.tokens]
        assert x is not None
        steps = self._apply(items)
        heads = np.full(len(x), bool(want & HEAD or top))
        if Form.LAST in form and Form.SUM not in form:
            heads &= steps.ends
        # The fast codec gives tokens to the engine behind each other, and asks for their logits in the next
        # token's pass where a record has nothing before them and a token of the same segment follows.
        streams = self.link.fast and Want.CYCLES not in want
        passes = steps.closes | (not streams or bool(want & (Want.H | Want.U)))
        cycles = self._time(x, steps.before, steps.h, heads=heads, lasts=heads & passes, streams=streams)
        logits = self._golden.logits(steps.u[heads]) if heads.any() else None
        if logits is not None:
            # A generation that goes on from the last choice may go on from a step's, asked for or not.
            self._choice = int(logits[-1].argmax())
        if Form.SUM in form:
            assert logits is not None
            symbols = np.arange(logits.shape[1])
            counted = logits.argmax(1)[:, None] == symbols if Form.COUNT in form else logits
            logits = self._add_up(steps, counted)
        elif steps.begins.any():
            self._sums = np.zeros_like(self._sums)
        return pack_records(self.codec, self._levels, asking, steps, cycles, logits)

    def _apply(self, items: Items) -> Steps:
        """The items through the model, and the state that they leave."""
        first = self._starting_state()
        segments, state, start = items.segments, first, 0
        segments = [segments[0]._replace(begins=segments[0].begins or self._fresh), *segments[1:]]
        traces = []
        for segment in segments:
            part = slice(start, start + segment.steps)
            state = self._golden.initial_state() if segment.begins else state
            if items.tokens is not None:
                trace = self._golden.run(items.tokens[part], state, logits=False)
            else:
                assert items.x is not None
                trace = self._golden.run_vectors(items.x[part], state, logits=False)
            traces.append(trace)
            state, start = trace.state, part.stop
        self._arrive(state)
        h, u = (np.concatenate([getattr(trace, name) for trace in traces]) for name in ("h", "u"))
        return Steps.of(first.h[0], h, u, segments)

    def _add_up(self, steps: Steps, logits: NDArray[Any]) -> NDArray[np.int32]:
        """The sums of the logits of all tokens at those that end a sequence, (r, V)."""
        found, start = [], 0
        for end in (np.flatnonzero(steps.closes) + 1).tolist():
            before = np.zeros_like(self._sums) if steps.begins[start] else self._sums
            # As wide as the gateware's; whoever asks for more steps than it can hold gets what it has.
            self._sums = (before + logits[start:end].sum(axis=0, dtype=np.int64)).astype(np.int32)
            found += [self._sums] if steps.ends[end - 1] else []
            start = end
        return np.array(found, np.int32).reshape(len(found), len(self._sums))

    def _generate(self, payload: bytes) -> bytes:
        if len(payload) != GENERATE_BYTES + self.codec.token_bytes:
            raise Refusal(Reason.LENGTH)
        count, tau, flags, seed = struct.unpack_from("<HHBI", payload)
        able = self.info.embedding_on_board and self.info.head_on_board
        if not able or flags > 3 or not count or tau >> TAU_BITS:
            raise Refusal(Reason.VALUE)
        token = int.from_bytes(payload[GENERATE_BYTES:], "little")
        if token >= self.info.vocab_size:
            raise Refusal(Reason.TOKEN)
        if count * self.codec.token_bytes > self.link.max_payload:
            raise Refusal(Reason.ROOM)
        if flags & 1:
            self._sampler.state = seed_state(seed)
        if flags & 2:
            token = self._choice
        self._sampler.tau = tau
        chosen = np.empty(count, np.int64)
        x_table = self.model.embedding_weight
        assert x_table is not None
        for index in range(count):
            state = self._starting_state()
            trace = self._golden.run(np.array([token]), state)
            if self._fresh:
                self._sums = np.zeros_like(self._sums)
            always = np.ones(1, bool)
            self._time(
                x_table[[token]],
                state.h,
                trace.h,
                heads=always,
                lasts=always,
                offered=self._timing.choice if index else None,
                feeds_back=index < count - 1,
            )
            self._arrive(trace.state)
            assert trace.logits is not None
            token = chosen[index] = self._sampler.choose(trace.logits[0])
        self._choice = int(token)
        return self.codec.pack_tokens(chosen)

    def _read(self, payload: bytes) -> bytes:
        if len(payload) != 4:
            raise Refusal(Reason.LENGTH)
        if self._written:
            raise Refusal(Reason.STATE)
        first, count = struct.unpack("<HH", payload)
        if not count or first + count > self.info.cells:
            raise Refusal(Reason.VALUE)
        if 4 + CELL_BYTES * count > self.link.max_payload:
            raise Refusal(Reason.ROOM)
        state = self._starting_state()
        cells = np.stack([state.c[0], state.h[0]], axis=1)[first : first + count]
        generator = self._sampler.state if self.info.head_on_board else 0
        return struct.pack("<I", generator) + cells.tobytes()

    def _write(self, payload: bytes) -> bytes:
        if len(payload) < 2 + CELL_BYTES or len(payload) % CELL_BYTES:
            raise Refusal(Reason.LENGTH)
        first = int.from_bytes(payload[:2], "little")
        cells = np.frombuffer(payload[2:], np.int8).reshape(-1, CELL_BYTES)
        if first and first != self._written:
            raise Refusal(Reason.STATE)
        info, gated = self.info, self.model.config.spec.output_gate
        wrong = impossible_cells(cells[:, 0], cells[:, 1], info.cell_max, info.output_shift, gated=gated)
        end = first + len(cells)
        if end > info.cells or wrong.any():
            raise Refusal(Reason.VALUE)
        self._new[first:end] = cells
        self._written = end % self.info.cells
        if not self._written:
            self._state = State(self._new[:, 1].copy()[None], self._new[:, 0].copy()[None])
            self._fresh = False
        return b""

    def _starting_state(self) -> State:
        return self._golden.initial_state() if self._fresh else self._state

    def _arrive(self, state: State) -> None:
        self._state, self._fresh, self._written = state, False, 0

    def _time(
        self,
        x: NDArray[np.int8],
        before: NDArray[np.int8],
        after: NDArray[np.int8],
        *,
        heads: NDArray[np.bool_],
        lasts: NDArray[np.bool_],
        offered: int | None = None,
        feeds_back: bool = False,
        streams: bool = False,
    ) -> list[int]:
        """Cycles of tokens that each find the engine idle or, if ``streams``, the first does; or of one that
        is fed back. ``before`` and ``after`` are their states, (n, L·H); ``heads`` and ``lasts`` say which
        have logits, and which have them in a pass of their own."""
        timing = self._timing
        counted = (timing.x_counts(x), timing.h_counts(before), timing.h_counts(after), heads, lasts)
        cycles = []
        for index, (of_x, of_h, of_new, head, last) in enumerate(
            zip(*(each.tolist() for each in counted), strict=True)
        ):
            self._now += 0 if streams and index else _IDLE
            cycles.append(
                timing.step(
                    of_x,
                    of_h,
                    of_new,
                    head=head,
                    last=last,
                    offered=self._now if offered is None else offered,
                    feeds_back=feeds_back,
                )
            )
        self.counts["tokens"] += len(x)
        self.counts["cycles"] += sum(cycles)
        self.counts["columns"] = timing.columns
        return cycles


def _copied(value: Any) -> Any:
    """What is changed in place, as it is now; anything else is itself."""
    return value.copy() if isinstance(value, (dict, np.ndarray)) else value
