"""Self-test of a board: its answers compared with the golden model's, for ``trine doctor``."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trine_sw.driver.board import Board
from trine_sw.driver.steps import BoardState, StepBlock
from trine_sw.golden import Golden, Trace
from trine_sw.golden.difference import difference
from trine_sw.golden.sampler import seed_state
from trine_sw.model import Model
from trine_sw.support.errors import TrineError

__all__ = ["SelfTest", "self_test"]

#: So many tokens' states are held in memory.
_MOST_TOKENS = 10_000_000
_ROUND_TRIPS = 20
_GENERATED = 32
_TEMPERATURE = 1.0


@dataclass(frozen=True)
class SelfTest:
    """What a board did in a self-test.

    Members
    -------
    tokens : tokens, or input vectors, that were compared
    compared : names of what was compared, each equal to the golden model's in every value
    difference : the first value that differs, in words; None where all are equal
    stream_tokens_per_s : tokens per second of the stream, measured on the host's clock
    round_trip_ms : median milliseconds of one step alone
    board_counters : what the board counted during the test, by name
    host_counters : what the host counted in this session, by name
    """

    tokens: int
    compared: tuple[str, ...]
    difference: str | None
    stream_tokens_per_s: float
    round_trip_ms: float
    board_counters: dict[str, int]
    host_counters: dict[str, int]


class _Differs(Exception):
    """A value is not the golden model's."""


def self_test(
    board: Board,
    model: Model,
    *,
    tokens: int = 256,
    seed: int = 1,
    tell: Callable[[str], None] = lambda what: None,
) -> SelfTest:
    """Run random tokens, a state's way out and back, and a generation on ``board``; compare every value.

    ``tell`` hears what is being done. The board is left in the zero state.

    Raises
    ------
    TrineError
        If ``tokens`` is less than 1, or the board goes away or refuses what the model allows.
    """
    if not 1 <= tokens <= _MOST_TOKENS:
        raise TrineError(
            f"the number of tokens must be at least 1, and at most {_MOST_TOKENS:,}, not {tokens}"
        )
    seed_state(seed)  # refuses one out of range
    rng = np.random.default_rng(seed)
    golden = Golden(model)
    inputs, trace = _inputs(model, golden, rng, tokens)
    before = asdict(board.counters)
    compared: list[str] = []
    difference, rate, trips = None, 0.0, [0.0]
    try:
        tell(f"{tokens} tokens in a stream")
        rate = _stream(board, golden, inputs, trace, compared)
        tell("the state, out and back")
        _state(board, inputs, trace, compared)
        tell(f"{_ROUND_TRIPS} steps, one at a time")
        trips = _round_trips(board, inputs)
        if model.head_scale is not None and model.embedding_weight is not None:
            tell(f"{_GENERATED} tokens that the board chooses")
            _generation(board, golden, inputs, seed, compared)
    except _Differs as found:
        difference = str(found)
    board.reset()
    after = asdict(board.counters)
    return SelfTest(
        tokens=tokens,
        compared=tuple(compared),
        difference=difference,
        stream_tokens_per_s=round(rate, 1),
        round_trip_ms=round(1e3 * statistics.median(trips), 3),
        board_counters={name: (after[name] - before[name]) % 2**32 for name in after},
        host_counters=asdict(board.host_counters),
    )


def _inputs(
    model: Model, golden: Golden, rng: np.random.Generator, count: int
) -> tuple[NDArray[np.integer], Trace]:
    """Random tokens (T,), or vectors (T, E) for a model without an embedding, and golden's trace of them."""
    if model.embedding_weight is not None:
        tokens = rng.integers(0, model.config.vocab_size, count)
        return tokens, golden.run(tokens)
    vectors = rng.integers(-1, 2, (count, model.config.embedding), dtype=np.int8)
    return vectors, golden.run_vectors(vectors)


def _stream(
    board: Board, golden: Golden, inputs: NDArray[np.integer], trace: Trace, compared: list[str]
) -> float:
    """Tokens per second; every part of a step is asked for, h and u in streams of their own."""
    seconds = 0.0
    size = board.info.hidden
    expected: dict[str, Sequence[Any] | NDArray[Any]] = {"h": trace.h[:, -size:], "u": trace.u}
    if trace.logits is not None:
        expected |= {"logits": trace.logits, "choice": trace.logits.argmax(1)}
    for names in (("h",), tuple(expected)):
        board.reset()
        began = time.monotonic()
        steps = StepBlock.joined(board.stream_blocks(inputs, want=names))
        seconds = seconds or time.monotonic() - began
        for name in names:
            _equal(name, getattr(steps, name), np.asarray(expected[name]))
            if name not in compared:
                compared.append(name)
    return len(inputs) / max(seconds, 1e-9)


def _state(board: Board, inputs: NDArray[np.integer], trace: Trace, compared: list[str]) -> None:
    state = board.state
    _equal("state h", state.h[None], trace.h[-1:])
    _equal("state c", state.c[None], trace.c[-1:])
    board.reset()
    half = len(inputs) // 2
    if half:
        board.state = BoardState(trace.h[half - 1], trace.c[half - 1], state.generator)
    for _ in board.stream_blocks(inputs[half:], want=()):
        pass
    _equal("state after it was written", board.state.c[None], trace.c[-1:])
    compared.append("state")


def _round_trips(board: Board, inputs: NDArray[np.integer]) -> list[float]:
    seconds = []
    for number in range(_ROUND_TRIPS):
        began = time.monotonic()
        board.step(inputs[number % len(inputs)])
        seconds.append(time.monotonic() - began)
    return seconds


def _generation(
    board: Board, golden: Golden, inputs: NDArray[np.integer], seed: int, compared: list[str]
) -> None:
    board.reset()
    prompt = inputs[:4]
    found = board.generate(prompt, _GENERATED, _TEMPERATURE, seed)
    _equal("generated tokens", found, golden.generate(prompt, _GENERATED, _TEMPERATURE, seed))
    compared.append("generation")


def _equal(name: str, found: NDArray[Any], expected: NDArray[Any]) -> None:
    """Raise :exc:`_Differs` at the first value of ``found`` that is not that of ``expected``."""
    told = difference(name, found, expected)
    if told is not None:
        raise _Differs(told)
