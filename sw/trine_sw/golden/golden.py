"""The integer golden model: what every other implementation must equal, bit for bit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trine_sw.golden.cells import golden_cell
from trine_sw.model import Model
from trine_sw.model.config import ModelConfig
from trine_sw.support.checks import integer, integer_array, shown, token_array
from trine_sw.support.errors import TrineError

__all__ = ["MAX_COUNT", "Golden", "State", "Trace", "check_head_inputs", "generation_scale"]

MAX_COUNT = 1 << 32
"""Tokens that one call generates at most: weeks of computing."""

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
        if not isinstance(model, Model):
            raise TrineError(f"model must be a Model, not {shown(model)}")
        model.check()  # it may have been changed since it was made
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
        shape = (integer(streams, "the streams", 0, 1 << 31), self.config.cells)
        return State(np.zeros(shape, np.int8), np.zeros(shape, np.int8))

    def run(self, tokens: ArrayLike, state: State | None = None, *, logits: bool = True) -> Trace:
        """Run tokens (T,) or, for N independent streams, (T, N), from ``state`` (or all zero).

        Without ``logits`` the head is left out: of a large vocabulary they fill the memory.
        """
        numbers = token_array(tokens, self.config.vocab_size, (1, 2))
        if self._projected is None:
            raise TrineError("the model has no embedding: it takes input vectors, by run_vectors")
        return self._run(numbers, self._projected, state, logits)

    def run_vectors(self, x: ArrayLike, state: State | None = None, *, logits: bool = True) -> Trace:
        """Run input vectors of trits, (T, E) or (T, N, E), in place of tokens."""
        size = self.config.embedding
        vectors = integer_array(x, "input vectors", f"(T, {size}) or (T, N, {size})", (2, 3))
        if vectors.shape[-1] != size:
            raise TrineError(f"input vectors must be of shape (T, {size}) or (T, N, {size})")
        _check_range("input vectors", vectors, 1)
        projected = vectors.reshape(-1, size).astype(np.float32) @ self._weight_x
        return self._run(np.arange(len(projected)).reshape(vectors.shape[:-1]), projected, state, logits)

    def generate(
        self, prompt: ArrayLike, count: int, temperature: float = 0.0, seed: int = 0
    ) -> NDArray[np.int64]:
        """``count`` tokens that follow the prompt (T,), T >= 1; temperature 0 takes the most likely one."""
        from trine_sw.golden.sampler import Sampler

        scale = generation_scale(self.model)
        given = token_array(prompt, self.config.vocab_size)
        if not given.size:
            raise TrineError("the prompt must be at least one token")
        count = integer(count, "the count", 1)
        if count > MAX_COUNT:
            raise TrineError(f"the count must be at most {MAX_COUNT}, not {shown(count)}")
        sampler = Sampler(scale, temperature, seed)
        trace = self.run(given)
        chosen: list[int] = []
        while len(chosen) < count:
            assert trace.logits is not None
            chosen.append(sampler.choose(trace.logits[-1]))
            trace = self.run(chosen[-1:], trace.state)
        return np.array(chosen, np.int64)

    def logits(self, u: NDArray[np.int8]) -> NDArray[np.int32]:
        """Integer logits (..., V) of head inputs u (..., H)."""
        if self._head is None or self.model.head_bias is None:
            raise TrineError("the model has no head")
        given = check_head_inputs(u, self.config)
        flat = given.reshape(-1, self.config.hidden)
        out = np.empty((len(flat), self.config.vocab_size), np.int32)
        for start in range(0, len(flat), _HEAD_CHUNK):
            part = slice(start, start + _HEAD_CHUNK)
            out[part] = flat[part].astype(np.float32) @ self._head
        out += self.model.head_bias
        return out.reshape(*given.shape[:-1], self.config.vocab_size)

    def _run(
        self, index: NDArray[np.int64], projected: NDArray[np.float32], state: State | None, logits: bool
    ) -> Trace:
        """Run T steps; the x part of step t's sums is projected[index[t]]."""
        alone = index.ndim == 1
        index = index[:, None] if alone else index
        steps, streams = index.shape
        size = self.config.hidden
        shape = (streams, self.config.cells)
        state = self.initial_state(streams) if state is None else self._checked_state(state, shape)
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
                    sums.reshape(streams, sums.shape[1] // size, size),
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

    def _checked_state(self, state: State, shape: tuple[int, int]) -> State:
        """The state as int8, or :class:`TrineError` that says what is wrong in it."""
        if not isinstance(state, State):
            raise TrineError(f"the state must be a State, not {shown(state)}")
        parts = []
        for name, part, limit in (("h", state.h, 1), ("c", state.c, self.config.cell_max)):
            array = integer_array(part, f"{name} of the state", str(shape), (2,))
            if array.shape != shape:
                raise TrineError(f"the state is of shape {array.shape}, and the tokens need {shape}")
            _check_range(f"{name} of the state", array, limit)
            parts.append(array.astype(np.int8, copy=False))
        return State(*parts)


def generation_scale(model: Model) -> float:
    """The scale of the head that a model generates with; :class:`TrineError` where it has none."""
    if model.head_scale is None:
        kind = "no head" if model.host_head_weight is None else "no head but the host's float one"
        raise TrineError(f"the model has {kind}: it cannot generate; give a model with a ternary head")
    return model.head_scale


def check_head_inputs(u: ArrayLike, config: ModelConfig) -> NDArray[np.integer]:
    """Head inputs u (..., H) as an array; :class:`TrineError` for what no cell can give."""
    array = integer_array(u, "u", f"(..., {config.hidden})", tuple(range(1, 8)))
    if array.shape[-1] != config.hidden:
        raise TrineError(f"u must be integers of shape (..., {config.hidden}), not {array.shape}")
    _check_range("u", array, config.head_levels[-1])
    return array


def _check_range(name: str, array: NDArray[np.integer], limit: int) -> None:
    if array.size and not (array.min() >= -limit and array.max() <= limit):
        wrong = array[(array < -limit) | (array > limit)].flat[0]
        raise TrineError(f"{name} must be from {-limit} to {limit}, not {wrong}")
