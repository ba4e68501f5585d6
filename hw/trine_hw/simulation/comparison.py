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
    tokens: Int64,
    run: Run,
    trace: Trace,
    *,
    before: State | None = None,
    first: int = 0,
    timed: bool = True,
) -> str | None:
    """The first value of a run of tokens (T,) that is not the models', in words; None if all are equal.

    Compared are every h, c, u, logit, choice, cycle count and counter.

    Parameters
    ----------
    trace : the golden model's, of these tokens
    before : the state of one stream that the first one found; by default the zero state
    first : the number of the first token, for the message
    timed : whether cycles are compared; not where an output stalled
    """
    expected = {"h": trace.h, "c": trace.c, "u": trace.u}
    if engine.head == "board":
        assert trace.logits is not None
        expected |= {"logits": trace.logits, "choices": trace.logits.argmax(1)}
    for name, values in expected.items():
        told = difference(name, getattr(run, name), values, first)
        if told is not None:
            return told
    # A state is loaded before the first token is offered, and found by an idle engine.
    offered = run.offered - (0 if before is None else run.offered[0])
    cycles, columns = _predicted(model, engine, tokens, offered, trace, before)
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


def _predicted(
    model: Model, engine: EngineConfig, tokens: Int64, offered: Int64, trace: Trace, before: State | None
) -> tuple[Int64, int]:
    """Cycles (T,) of tokens that are offered in these cycles to an idle engine, and columns issued."""
    assert model.embedding_weight is not None
    timing = TimingModel(Geometry(model.config, engine))
    x = timing.x_counts(model.embedding_weight[tokens]).tolist()
    zero = np.zeros_like(trace.h[:1])
    states = timing.h_counts(np.concatenate([zero if before is None else before.h, trace.h])).tolist()
    final, head = len(tokens) - 1, engine.head == "board"
    cycles = [
        timing.step(x[t], states[t], states[t + 1], head=head, last=t == final, offered=int(offered[t]))
        for t in range(len(tokens))
    ]
    return np.array(cycles, np.int64), timing.columns
