"""The integer golden model: what every other implementation must equal, bit for bit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trine_sw.errors import TrineError
from trine_sw.golden_cells import golden_cell
from trine_sw.model import Model

__all__ = ["Golden", "State", "Trace"]

_HEAD_CHUNK = 1 << 15  # tokens whose logits are made at once


@dataclass
class State:
    """Recurrent state of N streams: ``h`` int8 trits and ``c`` int8, (N, L·H), the first layer's first."""

    h: NDArray[np.int8]
    c: NDArray[np.int8]

    def copy(self) -> "State":
        return State(self.h.copy(), self.c.copy())


@dataclass
class Trace:
    """Everything a run gave, token by token; without the stream axis N where the tokens had none.

    Members
    -------
    h, c : int8 (T, N, L·H) of the cells of all L layers, the first layer's first
    u : int8 (T, N, H), what the head sees of the last layer
    logits : int32 (T, N, V), or None for a model without a ternary head, or where they were not asked for
    state : the state after the last token
    """

    h: NDArray[np.int8]
    c: NDArray[np.int8]
    u: NDArray[np.int8]
    logits: NDArray[np.int32] | None
    state: State


class _Layer:
    """One layer's weights as float32, transposed, and its cell."""

    def __init__(self, model: Model, number: int) -> None:
        config, layer = model.config.of_layer(number), model.layers[number]
        weight = layer.weight.astype(np.float32)
        self.weight_x = np.ascontiguousarray(weight[:, : config.embedding].T)
        self.weight_h = np.ascontiguousarray(weight[:, config.embedding :].T)
        self.cell = golden_cell(layer, config)


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
        self._layers = [_Layer(model, number) for number in range(config.layers)]
        self._weight_x = self._layers[0].weight_x
        self._projected: NDArray[np.float32] | None = None
        if model.embedding_weight is not None:
            self._projected = model.embedding_weight.astype(np.float32) @ self._weight_x
        self._head: NDArray[np.float32] | None = None
        if model.head_weight is not None:
            self._head = np.ascontiguousarray(model.head_weight.astype(np.float32).T)

    def initial_state(self, streams: int = 1) -> State:
        """The state before the first token: all zero."""
        shape = (streams, self.config.cells)
        return State(np.zeros(shape, np.int8), np.zeros(shape, np.int8))

    def run(self, tokens: ArrayLike, state: State | None = None, *, logits: bool = True) -> Trace:
        """Run tokens (T,) or, for N independent streams, (T, N), from ``state`` (or all zero).

        Without ``logits`` the head is left out: of a large vocabulary they fill the memory.
        """
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
        return self._run(numbers, self._projected, state, logits)

    def run_vectors(self, x: ArrayLike, state: State | None = None) -> Trace:
        """Run input vectors of trits, (T, E) or (T, N, E), in place of tokens."""
        vectors = np.asarray(x)
        if vectors.ndim not in (2, 3) or vectors.shape[-1] != self.config.embedding:
            raise TrineError(f"input vectors must be of shape (T, {self.config.embedding}) or (T, N, ...)")
        projected = vectors.reshape(-1, self.config.embedding).astype(np.float32) @ self._weight_x
        return self._run(np.arange(len(projected)).reshape(vectors.shape[:-1]), projected, state, True)

    def generate(
        self, prompt: ArrayLike, count: int, temperature: float = 0.0, seed: int = 0
    ) -> NDArray[np.int64]:
        """``count`` tokens that follow the prompt (T,), T >= 1; temperature 0 takes the most likely one."""
        from trine_sw.sampler import Sampler

        if self.model.head_scale is None:
            kind = "no head" if self.model.host_head_weight is None else "no head but the host's float one"
            raise TrineError(f"the model has {kind}: it cannot generate")
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

    def _run(
        self, index: NDArray[np.int64], projected: NDArray[np.float32], state: State | None, logits: bool
    ) -> Trace:
        """Run T steps; the x part of step t's sums is projected[index[t]]."""
        alone = index.ndim == 1
        index = index.reshape(len(index), -1)
        steps, streams = index.shape
        state = self.initial_state(streams) if state is None else state
        size = self.config.hidden
        shape = (streams, self.config.cells)
        if state.h.shape != shape or state.c.shape != shape:
            raise TrineError(f"the state is of shape {state.h.shape}, and the tokens need {shape}")
        h_all, c_all = (np.empty((steps, *shape), np.int8) for _ in range(2))
        u_all = np.empty((steps, streams, size), np.int8)
        h, c = state.h, state.c
        for step in range(steps):
            for number, layer in enumerate(self._layers):
                own = slice(number * size, (number + 1) * size)
                sums = h[:, own].astype(np.float32) @ layer.weight_h
                if number == 0:
                    sums += projected[index[step]]
                else:
                    below = h_all[step, :, own.start - size : own.start]
                    sums += below.astype(np.float32) @ layer.weight_x
                # What a head would see of a lower layer is written over by the layers above.
                layer.cell.step(
                    sums.reshape(streams, 4, -1),
                    c[:, own],
                    h_all[step, :, own],
                    c_all[step, :, own],
                    u_all[step],
                )
            h, c = h_all[step], c_all[step]
        state = State(h.copy(), c.copy())
        if alone:
            h_all, c_all, u_all = h_all[:, 0], c_all[:, 0], u_all[:, 0]
        with_head = logits and self._head is not None
        return Trace(h_all, c_all, u_all, self.logits(u_all) if with_head else None, state)
