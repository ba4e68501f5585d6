"""Jobs for the simulators, and the comparison of what came of them with the golden and the timing model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trine_hw.core.core import Core
from trine_hw.simulation.job import Job, Stalls, TokenRequest
from trine_hw.simulation.run import Run
from trine_sw.engine import EngineConfig, Geometry
from trine_sw.engine.timing import TimingModel
from trine_sw.golden import Golden
from trine_sw.model import Model

__all__ = ["check", "idle_at_boundaries", "stream_job"]

Int64 = npt.NDArray[np.int64]


def stream_job(model: Model, engine: EngineConfig, tokens: Int64, stalls: Stalls | None = None) -> Job:
    """All tokens in advance, their logits wanted, the first from the zero state."""
    final = len(tokens) - 1
    requests = []
    for index, token in enumerate(tokens):
        given = int(token)
        if engine.embedding == "host":
            assert model.embedding_weight is not None
            given = model.embedding_weight[given]
        requests.append(TokenRequest(given, head=True, reset=index == 0, last=index == final))
    return Job(Core(model, engine), requests, stalls=stalls or Stalls())


def check(model: Model, engine: EngineConfig, tokens: Int64, run: Run, *, cycles: bool = True) -> None:
    """Every h, c, u, logit, choice, cycle count and counter; cycles only where no output stalled."""
    trace = Golden(model).run(tokens)
    np.testing.assert_array_equal(run.h, trace.h)
    np.testing.assert_array_equal(run.c, trace.c)
    np.testing.assert_array_equal(run.u, trace.u)
    if engine.head == "board":
        assert trace.logits is not None
        np.testing.assert_array_equal(run.logits, trace.logits)
        np.testing.assert_array_equal(run.choices, trace.logits.argmax(1))
    assert run.token_count == len(tokens)
    timing = TimingModel(Geometry(model.config, engine))
    assert model.embedding_weight is not None
    x = timing.x_counts(model.embedding_weight[tokens]).tolist()
    after = timing.h_counts(trace.h).tolist()
    before = [[0] * len(after[0]), *after[:-1]]
    final = len(tokens) - 1
    predicted = [
        timing.step(
            x[t], before[t], after[t], head=True, last=t == final, reset=t == 0, offered=int(run.offered[t])
        )
        for t in range(len(tokens))
    ]
    assert run.column_count == timing.columns
    if cycles:
        assert run.cycles.tolist() == predicted
    if cycles and not run.offered.any():
        assert run.cycle_count == sum(predicted)


def idle_at_boundaries(run: Run) -> Int64:
    """Cycles without a column between two tokens, for each boundary, of a watched run in one group.

    The first of them is the marker's, which ends the token before. Cycles of other gaps, between columns of x
    and of h, count to the boundary before them.
    """
    assert run.columns is not None
    starts = run.accepted[0] + np.cumsum(run.cycles)
    assert not run.columns[starts].any()
    return np.array(
        [np.count_nonzero(run.columns[a:b] == 0) for a, b in zip(starts[:-1], starts[1:], strict=True)]
    )
