"""The integer golden model: what every other implementation must equal, bit for bit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trine_sw.errors import TrineError
from trine_sw.model import Model

__all__ = ["Golden", "State", "Trace"]

_CELLS = np.arange(-128, 128)  # every int8, in the order of its table
_HEAD_CHUNK = 1 << 15  # tokens whose logits are made at once


@dataclass
class State:
    """Recurrent state of N streams: ``h`` int8 trits (N, H) and ``c`` int8 (N, H)."""

    h: NDArray[np.int8]
    c: NDArray[np.int8]

    def copy(self) -> "State":
        return State(self.h.copy(), self.c.copy())


@dataclass
class Trace:
    """Everything a run gave, token by token; without the stream axis N where the tokens had none.

    Members
    -------
    h, c, u : int8 (T, N, H)
    logits : int32 (T, N, V), or None for a model without a head
    state : the state after the last token
    """

    h: NDArray[np.int8]
    c: NDArray[np.int8]
    u: NDArray[np.int8]
    logits: NDArray[np.int32] | None
    state: State


class Golden:
    """The model in exact integer arithmetic.

    Sums are made by single-precision matrix products, which are exact here: every sum of trits stays far
    below 2**24. About 100,000 tokens/s in total for 300 units and 64 streams on one core.

    Parameters
    ----------
    model : the model; it is not changed, and later changes to it are not seen.
    """

    def __init__(self, model: Model) -> None:
        config = model.config
        self.model = model
        self.config = config
        size, split = config.hidden, config.embedding
        weight = model.layers[0].weight.astype(np.float32)
        self._weight_x = np.ascontiguousarray(weight[:, :split].T)
        self._weight_h = np.ascontiguousarray(weight[:, split:].T)
        # A threshold beyond the reach of the sums decides the same one step beyond it, exact in float32.
        reach = config.columns + 1
        threshold = np.clip(model.layers[0].threshold, -reach, reach).astype(np.float32)
        self._low, self._high = threshold.reshape(4, size, 2).transpose(2, 0, 1).copy()
        self._three_state_forget = bool((self._low[1] != self._high[1]).any())
        magnitude = np.minimum(np.abs(_CELLS) >> config.output_shift, len(config.head_levels) - 1)
        self._h_of_c = (np.sign(_CELLS) * (magnitude >= 1)).astype(np.int8)
        self._u_of_c = (np.sign(_CELLS) * np.array(config.head_levels)[magnitude]).astype(np.int8)
        self._projected: NDArray[np.float32] | None = None
        if model.embedding_weight is not None:
            self._projected = model.embedding_weight.astype(np.float32) @ self._weight_x
        self._head: NDArray[np.float32] | None = None
        if model.head_weight is not None:
            self._head = np.ascontiguousarray(model.head_weight.astype(np.float32).T)

    def initial_state(self, streams: int = 1) -> State:
        """The state before the first token: all zero."""
        shape = (streams, self.config.hidden)
        return State(np.zeros(shape, np.int8), np.zeros(shape, np.int8))

    def run(self, tokens: ArrayLike, state: State | None = None) -> Trace:
        """Run tokens (T,) or, for N independent streams, (T, N), from ``state`` (or all zero)."""
        numbers = np.asarray(tokens)
        if numbers.ndim not in (1, 2) or (numbers.size and numbers.dtype.kind not in "iu"):
            raise TrineError("tokens must be integers of shape (T,) or (T, N)")
        if self._projected is None:
            raise TrineError("the model has no embedding: it takes input vectors, by run_vectors")
        numbers = numbers.astype(np.int64)
        size = self.config.vocab_size
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < size:
            wrong = numbers[(numbers < 0) | (numbers >= size)][0]
            raise TrineError(f"token {wrong} is out of range: the model has {size} symbols")
        return self._run(numbers, self._projected, state)

    def run_vectors(self, x: ArrayLike, state: State | None = None) -> Trace:
        """Run input vectors of trits, (T, E) or (T, N, E), in place of tokens."""
        vectors = np.asarray(x)
        if vectors.ndim not in (2, 3) or vectors.shape[-1] != self.config.embedding:
            raise TrineError(f"input vectors must be of shape (T, {self.config.embedding}) or (T, N, ...)")
        projected = vectors.reshape(-1, self.config.embedding).astype(np.float32) @ self._weight_x
        return self._run(np.arange(len(projected)).reshape(vectors.shape[:-1]), projected, state)

    def generate(
        self, prompt: ArrayLike, count: int, temperature: float = 0.0, seed: int = 0
    ) -> NDArray[np.int64]:
        """``count`` tokens that follow the prompt (T,), T >= 1; temperature 0 takes the most likely one."""
        from trine_sw.sampler import Sampler

        if self.model.head_scale is None:
            raise TrineError("the model has no head: it cannot generate")
        if not np.size(prompt):
            raise TrineError("the prompt must be at least one token")
        if count < 1:
            raise TrineError(f"the count must be at least 1, not {count}")
        sampler = Sampler(self.model.head_scale, temperature, seed)
        trace = self.run(prompt)
        chosen = np.empty(count, np.int64)
        for index in range(count):
            assert trace.logits is not None
            chosen[index] = sampler.choose(trace.logits[-1])
            trace = self.run(chosen[index : index + 1], trace.state)
        return chosen

    def logits(self, u: NDArray[np.int8]) -> NDArray[np.int32]:
        """Integer logits (..., V) of head inputs u (..., H)."""
        if self._head is None or self.model.head_bias is None:
            raise TrineError("the model has no head")
        flat = u.reshape(-1, self.config.hidden)
        out = np.empty((len(flat), self.config.vocab_size), np.int32)
        for start in range(0, len(flat), _HEAD_CHUNK):
            part = slice(start, start + _HEAD_CHUNK)
            out[part] = flat[part].astype(np.float32) @ self._head
        out += self.model.head_bias
        return out.reshape(*u.shape[:-1], -1)

    def _run(self, index: NDArray[np.int64], projected: NDArray[np.float32], state: State | None) -> Trace:
        """Run T steps; the x part of step t's sums is projected[index[t]]."""
        alone = index.ndim == 1
        index = index.reshape(len(index), -1)
        steps, streams = index.shape
        state = self.initial_state(streams) if state is None else state
        shape = (streams, self.config.hidden)
        if state.h.shape != shape or state.c.shape != shape:
            raise TrineError(f"the state is of shape {state.h.shape}, and the tokens need {shape}")
        h_all, c_all, u_all = (np.empty((steps, *shape), np.int8) for _ in range(3))
        h, c = state.h, state.c
        for step in range(steps):
            sums = h.astype(np.float32) @ self._weight_h
            sums += projected[index[step]]
            h, c = self._cell(sums.reshape(streams, 4, -1), c, h_all[step], c_all[step], u_all[step])
        state = State(h.copy(), c.copy())
        if alone:
            h_all, c_all, u_all = h_all[:, 0], c_all[:, 0], u_all[:, 0]
        return Trace(h_all, c_all, u_all, None if self._head is None else self.logits(u_all), state)

    def _cell(
        self,
        sums: NDArray[np.float32],
        c: NDArray[np.int8],
        h_out: NDArray[np.int8],
        c_out: NDArray[np.int8],
        u_out: NDArray[np.int8],
    ) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """One step of N cells: sums (N, 4, H), c (N, H) -> h, c in h_out and c_out, u in u_out."""
        config = self.config
        a_i, a_f, a_g, a_o = (sums[:, gate] for gate in range(4))
        i = (a_i >= self._high[0]).view(np.int8)
        o = (a_o >= self._high[3]).view(np.int8)
        g = (a_g >= self._high[2]).view(np.int8) - (a_g <= self._low[2]).view(np.int8)
        keep = (a_f >= self._high[1]).view(np.int8)
        kept = c * keep
        if self._three_state_forget:
            half = (a_f >= self._low[1]).view(np.int8) - keep  # 1 where f2 = 1, as lo <= hi
            kept += ((c + (c < 0)) >> 1) * half
        moved = kept.astype(np.int16) + ((i * g).astype(np.int16) << config.cell_shift)
        np.clip(moved, -config.cell_max, config.cell_max, out=moved)
        c_out[...] = moved
        position = moved + 128
        np.multiply(self._h_of_c[position], o, out=h_out)
        np.multiply(self._u_of_c[position], o, out=u_out)
        return h_out, c_out
