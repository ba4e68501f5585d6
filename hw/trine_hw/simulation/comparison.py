"""The comparison of a simulated core's run with the golden and the timing model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trine_hw.simulation.run import Run
from trine_sw.engine import EngineConfig, Geometry
from trine_sw.engine.timing import TimingModel
from trine_sw.golden import State, Trace
from trine_sw.golden.difference import difference
from trine_sw.model import Model

__all__ = ["run_difference"]

Int64 = npt.NDArray[np.int64]


def run_difference(
    model: Model,
    engine: EngineConfig,
    tokens: npt.NDArray[np.integer],
    run: Run,
    trace: Trace,
    *,
    before: State | None = None,
    first: int = 0,
    timed: bool = True,
    starts: npt.NDArray[np.bool_] | None = None,
    heads: npt.NDArray[np.bool_] | None = None,
) -> str | None:
    """The first value of a run of tokens (T,) or vectors (T, E) that is not the models', in words; None where
    all are equal.

    Compared are every h, c, u, logit, choice, cycle count and counter.

    Parameters
    ----------
    trace : the golden model's, of these tokens
    before : the state of one stream that the first one found; by default the zero state
    first : the number of the first token, for the message
    timed : whether cycles are compared; not where an output stalled
    starts, heads : bool (T,), which tokens were to start from the zero state, and which had ``head``; by
        default none and all
    """
    count = len(tokens)
    starts = np.zeros(count, np.bool_) if starts is None else starts
    heads = np.full(count, engine.head == "board") if heads is None else heads & (engine.head == "board")
    expected = {"h": trace.h, "c": trace.c, "u": trace.u}
    if engine.head == "board":
        assert trace.logits is not None
        logits = trace.logits[heads]
        expected |= {"logits": logits, "choices": logits.argmax(1)}
    for name, values in expected.items():
        told = difference(name, getattr(run, name), values, first)
        if told is not None:
            return told
    # A state is loaded before the first token is offered, and found by an idle engine.
    offered = run.offered - (0 if before is None else run.offered[0])
    x = tokens if tokens.ndim == 2 else _embedded(model, tokens)
    cycles, columns = _predicted(model, engine, x, offered, trace, before, starts, heads)
    counters = [("token", run.token_count, len(tokens)), ("column", run.column_count, columns)]
    if timed:
        told = difference("cycles", run.cycles, cycles, first)
        if told is not None:
            return told
    if timed and not offered.any():
        counters.append(("cycle", run.cycle_count, int(cycles.sum())))
    wrong = (
        difference(f"the {name} counter after token {first + len(tokens) - 1}", found, right)
        for name, found, right in counters
    )
    return next(filter(None, wrong), None)


def _embedded(model: Model, tokens: Int64) -> npt.NDArray[np.int8]:
    assert model.embedding_weight is not None
    return model.embedding_weight[tokens]


def _predicted(
    model: Model,
    engine: EngineConfig,
    vectors: npt.NDArray[np.int8],
    offered: Int64,
    trace: Trace,
    before: State | None,
    starts: npt.NDArray[np.bool_],
    heads: npt.NDArray[np.bool_],
) -> tuple[Int64, int]:
    """Cycles (T,) of tokens that are offered in these cycles to an idle engine, and columns issued."""
    timing = TimingModel(Geometry(model.config, engine))
    x = timing.x_counts(vectors).tolist()
    zero = np.zeros_like(trace.h[:1])
    states = timing.h_counts(np.concatenate([zero if before is None else before.h, trace.h])).tolist()
    final, nothing = len(x) - 1, [0] * len(states[0])
    cycles = [
        timing.step(
            x[t],
            nothing if starts[t] else states[t],
            states[t + 1],
            head=bool(heads[t]),
            last=t == final or bool(starts[t + 1]),
            offered=int(offered[t]),
        )
        for t in range(len(x))
    ]
    return np.array(cycles, np.int64), timing.columns
