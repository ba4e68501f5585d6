"""Jobs for the simulators, and the comparison of what came of them with the golden and the timing model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trine_hw.core.core import Core
from trine_hw.simulation.comparison import run_difference
from trine_hw.simulation.job import Job, Stalls, TokenRequest
from trine_hw.simulation.run import Run
from trine_sw.engine import EngineConfig
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
    told = run_difference(model, engine, tokens, run, Golden(model).run(tokens), timed=cycles)
    assert told is None, told


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
