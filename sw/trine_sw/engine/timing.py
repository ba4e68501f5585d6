"""The exact timing model: when the engine does what, predicted in plain Python and asserted in simulation.

A *slot* is a cycle of column issue. A bank's columns of a group take one slot each, x's first, then h's, at
least one slot for either; a group's marker takes the slot after the last column of the fullest bank. What
may delay them is a vector that is not there yet: h comes out of the cells a fixed number of cycles after
the last marker of the step before. In a layer above the first, its own h of the step before is in x's place,
and the new h of the layer below in h's (:class:`trine_sw.engine.Geometry`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from trine_sw.engine import (
    CELL_LATENCY,
    EMBEDDING_LATENCY,
    SCAN_LATENCY,
    EngineConfig,
    Geometry,
)
from trine_sw.golden import Golden
from trine_sw.golden.sampler import sampler_latency
from trine_sw.model import Model
from trine_sw.model.config import ModelConfig
from trine_sw.support.checks import token_array
from trine_sw.support.errors import TrineError

__all__ = ["TimingModel", "Timing", "generation_cycles", "head_room", "token_cycles", "vector_cycles"]

#: Cycles from a state at the cells' outputs to the first marker that may use its place in the queue: queue,
#: room counted, slot.
_QUEUE = 3


def head_room(geometry: Geometry) -> int:
    """Cycles from a head marker to the next, less the beats of logits: sums, register, drained, slot."""
    return geometry.sum_latency + 2


@dataclass(frozen=True)
class Timing:
    """Cycles of each token, int64 (T,), and the columns issued in all."""

    cycles: npt.NDArray[np.int64]
    columns: int


class _Scanners:
    """The scanners of x or of h in all banks: when they can be loaded, when their entries are issued."""

    def __init__(self, banks: int) -> None:
        self.idle = 0
        self.final = [0] * banks  # slot of each bank's last entry

    def scan(self, load: int, counts: Sequence[int], earliest: Sequence[int]) -> list[int]:
        """Load in cycle ``load`` vectors with ``counts`` active columns a bank; slots of the last ones."""
        # Most of the time of the solver is spent here: comparisons are several times as fast as max.
        ends = []
        idle, final, there = load + 3, self.final, load + SCAN_LATENCY
        for bank, (count, end) in enumerate(zip(counts, earliest, strict=True)):
            if end < there:
                end = there
            if count > 1:
                end += count - 1
                free = end - 1
            else:
                free = final[bank]
            # The scanner is idle as its last entry moves to the output, when the one before it is taken.
            if free > idle:
                idle = free
            final[bank] = end
            ends.append(end)
        self.idle = idle
        return ends

    def move(self, later: int) -> None:
        """To a later time, all else being alike."""
        self.idle += later
        self.final = [slot + later for slot in self.final]


class TimingModel:
    """Follows an engine token by token; states, logits and choices are taken as soon as they are offered.

    Parameters
    ----------
    geometry : the engine.
    """

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        banks = geometry.engine.banks
        # From a step's marker: the new state at the cells' outputs; where the scanners capture it.
        self._sum = geometry.sum_latency
        state = self._sum + CELL_LATENCY
        self._commit = state + geometry.engine.relays
        self._state_room = state + _QUEUE
        self._x, self._h = _Scanners(banks), _Scanners(banks)
        self._source_latency = EMBEDDING_LATENCY if geometry.engine.embedding == "board" else 1
        self._source_free = 0  # the next token can be accepted
        self._marker = 0  # slot of the last marker
        self._steps = [0, 0]  # slots of the last markers of the two last steps
        # Likewise of as many layers as there are, each layer of each step counted.
        self._layers = [-self._commit] * geometry.model.layers
        self._state_markers = [-self._state_room] * geometry.state_buffer
        self._head_free = 0  # first slot that may have a head marker
        self._head_groups = geometry.head_groups
        self._layer_groups = geometry.layer_groups
        self._first = True
        self._head_left = False  # the last token's logits come with the next step
        self._h_summed = False
        self.choice = 0  # cycle in which the last choice is offered
        self.columns = 0

    def snapshot(self) -> tuple[dict[str, Any], ...]:
        """All that :meth:`step` changes, for :meth:`restore`."""
        return tuple(
            {name: value.copy() if isinstance(value, list) else value for name, value in vars(part).items()}
            for part in (self, self._x, self._h)
        )

    def restore(self, snapshot: tuple[dict[str, Any], ...]) -> None:
        """Be as at the :meth:`snapshot`."""
        for part, values in zip((self, self._x, self._h), snapshot, strict=True):
            vars(part).update(values)

    def x_counts(self, x: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
        """Active columns a bank, (T, K), of vectors (T, E)."""
        return self._counts(x, 0)

    def h_counts(self, h: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
        """Active columns a bank, (T, (2 L - 1) K), of states (T, L·H): K of each layer's h in slot B, then K
        of that of each layer but the first in slot A."""
        config = self.geometry.model
        layers = h.reshape(len(h), config.layers, config.hidden).swapaxes(0, 1)
        late = [self._counts(layer, self.geometry.slot_a) for layer in layers]
        return np.concatenate([*late, *(self._counts(layer, 0) for layer in layers[1:])], axis=1)

    def _counts(self, trits: npt.NDArray[np.int8], offset: int) -> npt.NDArray[np.int64]:
        banks = np.array(self.geometry.banks_of)[offset : offset + trits.shape[1]]
        member = np.eye(self.geometry.engine.banks, dtype=np.int64)[banks]
        return (trits != 0).astype(np.int64) @ member

    def step(
        self,
        x: Sequence[int],
        h: Sequence[int],
        h_new: Sequence[int],
        *,
        head: bool,
        last: bool,
        reset: bool = False,
        offered: int = 0,
        feeds_back: bool = False,
    ) -> int:
        """One token; returns its cycles.

        Parameters
        ----------
        x, h, h_new : active columns of its x, of the state before it, and of the state after it, as
            :meth:`x_counts` and :meth:`h_counts` give them
        head, last, reset : as in its request
        offered : first cycle in which the request is there (0: in advance)
        feeds_back : its choice becomes the next token
        """
        geometry = self.geometry
        banks, layers = geometry.engine.banks, geometry.model.layers
        head = head and geometry.head_lanes > 0
        last = last or layers > 1  # a stack leaves no logits for the next step
        if reset:
            h = [0] * len(h)
        accepted = max(offered, self._source_free)
        load = max(accepted + self._source_latency, self._x.idle, self._steps[-2])
        self._source_free = load + 1
        known = max(load + 1, self._steps[-1])  # the token is the one at hand
        early = [x, *(h[at * banks :][:banks] for at in range(layers, 2 * layers - 1))]
        late = [h[:banks], *(h_new[at * banks :][:banks] for at in range(layers - 1))]
        group, before = 0, None
        groups = geometry.groups
        while group < groups:
            layer, replay = divmod(group, self._layer_groups)
            if replay:
                load, ready = self._x.idle, self._h.idle
            elif layer == 0:
                ready = max(self._layers[0] + self._commit, known, self._h.idle)
            else:  # its own h is that of the step before; the one below has just been summed
                load = max(self._layers[0] + self._commit, known, self._x.idle)
                ready = max(self._layers[-1] + self._commit, self._h.idle)
            first = self._marker + 1
            ends = self._x.scan(load, early[layer], [first] * banks)
            self.columns += sum(early[layer])
            if not self._h_summed:
                ends = self._h.scan(ready, late[layer], [end + 1 for end in ends])
                self.columns += sum(late[layer])
            marker = max(max(ends) + 1, self._state_markers[0] + self._state_room)
            marker = self._mark(marker, group, head=self._head_left)
            self._state_markers = [*self._state_markers[1:], marker]
            if replay == self._layer_groups - 1:
                self._layers = [*self._layers[1:], marker]
            group += 1
            alike = self._groups_alike(group)
            now = self._behind_the_marker() if alike else None
            if replay and now is not None and now == before:
                self._repeat(alike, marker + 1 - first)
                self.columns += alike * (sum(early[layer]) + sum(late[layer]))
                group += alike
            before = now
        cycles = self._marker - (accepted if self._first else max(accepted, self._steps[-1]))
        self._steps = [self._steps[-1], self._marker]
        self._first = self._h_summed = False
        self._head_left = head
        if head and last:
            self._head_pass(h_new[(layers - 1) * banks :][:banks])
            self._head_left = False
            self._h_summed = feeds_back and geometry.groups == 1
        return cycles

    def _groups_alike(self, group: int) -> int:
        """How many groups from this one on replay the same columns, and are not the last to do so."""
        ends = group + -group % self._layer_groups
        if self._head_left and group <= self._head_groups:
            ends = min(ends, self._head_groups)
        return max(0, ends - 1 - group)

    def _behind_the_marker(self) -> list[int]:
        """All that decides when the next replay ends, from the last marker on. If a replay leaves it as it
        was, those that follow do so too."""
        kept = [self._x.idle, *self._x.final, self._h.idle, *self._h.final, *self._state_markers]
        return [slot - self._marker for slot in (*kept, *([self._head_free] if self._head_left else ()))]

    def _repeat(self, count: int, cycles: int) -> None:
        """``count`` more replays of as many cycles as the last one."""
        later = count * cycles
        self._x.move(later)
        self._h.move(later)
        self._state_markers = [slot + later for slot in self._state_markers]
        self._marker += later
        if self._head_left:
            self._head_free += later

    def _head_pass(self, h: Sequence[int]) -> None:
        for group in range(self._head_groups):
            ready = self._h.idle if group else max(self._layers[-1] + self._commit, self._h.idle)
            ends = self._h.scan(ready, h, [self._marker + 1] * len(h))
            self.columns += sum(h)
            self._mark(max(ends) + 1, group, head=True)

    def _mark(self, slot: int, group: int, *, head: bool) -> int:
        if head and group < self._head_groups:
            slot = max(slot, self._head_free)
            beats = self.geometry.head_beats(group)
            self._head_free = slot + head_room(self.geometry) + beats
            self.choice = (
                slot + self.geometry.sum_latency + beats + sampler_latency(self.geometry.engine.sampler_ways)
            )
        self._marker = slot
        return slot


def _embedded(model: Model, tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
    if model.embedding_weight is None:
        raise TrineError("the model has no embedding: give its input vectors to TimingModel")
    return model.embedding_weight[tokens]


def token_cycles(
    model: Model,
    engine: EngineConfig,
    tokens: npt.ArrayLike,
    *,
    h: npt.NDArray[np.int8] | None = None,
    head: bool = True,
) -> Timing:
    """Cycles of tokens (T,) given in advance to an engine just reset, the last one marked ``last``.

    ``h`` is the golden model's, int8 (T, L·H), if it is at hand; ``head`` says whether all tokens' logits are
    wanted.
    """
    ids = token_array(tokens, model.config.vocab_size)
    x = _embedded(model, ids)
    if h is None:
        h = Golden(model).run(ids, logits=False).h
    return vector_cycles(model, engine, x, h, head=head)


class _Shaped(Protocol):
    @property
    def config(self) -> ModelConfig: ...


def vector_cycles(
    model: _Shaped,
    engine: EngineConfig,
    x: npt.NDArray[np.int8],
    h: npt.NDArray[np.int8],
    *,
    head: bool | npt.NDArray[np.bool_] = True,
    starts: npt.NDArray[np.bool_] | None = None,
) -> Timing:
    """The same of tokens with the vectors x (T, E), after which the states are h (T, L·H), of any model of
    this ``config``.

    ``head`` may be bool (T,), and ``starts``, bool (T,), says where tokens begin anew from the zero state;
    the one before each is marked ``last``.
    """
    timing = TimingModel(Geometry(model.config, engine))
    active, after = timing.x_counts(x).tolist(), timing.h_counts(h).tolist()
    zero = [[0] * len(row) for row in after[:1]]
    before = zero + after[:-1]
    count = len(active)
    first = [t == 0 for t in range(count)] if starts is None else [True, *starts[1:].tolist()][:count]
    wanted = np.broadcast_to(head, (count,)).tolist()
    cycles = [
        timing.step(
            active[t],
            zero[0] if first[t] else before[t],
            after[t],
            head=wanted[t],
            last=t == count - 1 or first[t + 1],
            reset=first[t],
        )
        for t in range(count)
    ]
    return Timing(np.array(cycles, np.int64), timing.columns)


def generation_cycles(
    model: Model, engine: EngineConfig, prompt: npt.ArrayLike, chosen: npt.ArrayLike
) -> Timing:
    """Cycles of the prompt (P,) and of all but the last of the chosen tokens (N,), as the engine generates
    them.

    The prompt is given in advance, to an engine just reset, without ``head`` but for its last token, which
    has ``count`` N.
    """
    given, made = (token_array(each, model.config.vocab_size) for each in (prompt, chosen))
    if not given.size or not made.size:
        raise TrineError("a generation has at least one token that is given, and one that is chosen")
    ids = np.concatenate([given, made[:-1]])
    timing = TimingModel(Geometry(model.config, engine))
    x = timing.x_counts(_embedded(model, ids)).tolist()
    after = timing.h_counts(Golden(model).run(ids, logits=False).h).tolist()
    before = [[0] * len(after[0]), *after[:-1]]
    cycles = []
    for t in range(len(ids)):
        generates = t >= len(given) - 1
        cycles.append(
            timing.step(
                x[t],
                before[t],
                after[t],
                head=generates,
                last=generates,
                reset=t == 0,
                offered=timing.choice if t >= len(given) else 0,
                feeds_back=generates and t < len(ids) - 1,
            )
        )
    return Timing(np.array(cycles, np.int64), timing.columns)
