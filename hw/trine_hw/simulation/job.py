"""Job of a simulated core: its requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from trine_hw.core.core import Core
from trine_hw.simulation.beats import pack
from trine_hw.simulation.loading import load_values
from trine_hw.simulation.watchdog import core_patience
from trine_sw.golden import State

__all__ = ["Job", "Stalls", "TokenRequest", "describe", "patience"]


@dataclass(frozen=True)
class TokenRequest:
    """A request to a core: :class:`trine_hw.core.token_source.Request` in Python.

    ``token`` is its number in the vocabulary or, with the embedding on the host, its trits (E,).
    """

    token: int | npt.NDArray[np.int8]
    reset: bool = False
    head: bool = False
    last: bool = False
    count: int = 0
    reseed: bool = False


@dataclass(frozen=True)
class Stalls:
    """How steady each stream is: the probability that the bench lets it move in a cycle. 1 never stalls."""

    i: float = 1.0
    state: float = 1.0
    logits: float = 1.0
    choice: float = 1.0
    seed: int = 0

    @property
    def outputs(self) -> bool:
        """Whether any output stalls."""
        return min(self.state, self.logits, self.choice) < 1


@dataclass(frozen=True)
class Job:
    """Requests for one core, ``tau`` and ``seed`` of its sampler, and how its streams stall.

    A core that is ``loadable`` may start from ``state``, of one stream, in place of zero: its first request
    must not reset it then. ``watch`` notes the counter of columns in every cycle, which takes time.
    """

    core: Core
    requests: Sequence[TokenRequest]
    tau: int = 0
    seed: int = 0
    stalls: Stalls = field(default_factory=Stalls)
    watch: bool = False
    state: State | None = None

    @property
    def steps(self) -> int:
        """Tokens that the core will go through, T."""
        return sum(max(request.count, 1) for request in self.requests)

    @property
    def choices(self) -> int:
        """Choices, and sets of logits, that it will give, L."""
        if not self.core.geometry.head_lanes:
            return 0
        return sum(request.count or bool(request.head) for request in self.requests)


def describe(job: Job) -> dict[str, object]:
    """The job as :mod:`trine_hw.simulation.testbench` reads it, in JSON."""
    core, geometry = job.core, job.core.geometry
    layout = core.i.payload.shape()
    first = "token" if core.engine.embedding == "board" else "x"
    requests = []
    for request in job.requests:
        values: dict[str, int | npt.NDArray[np.int8]] = {first: request.token}
        for name in ("reset", "head", "last", "count", "reseed"):
            values[name] = int(getattr(request, name))
        requests.append(f"{pack(layout, values):x}")
    beats = {"state": job.steps * geometry.groups}
    steady = {"i": job.stalls.i, "state": job.stalls.state}
    constants = {}
    if geometry.head_lanes:
        per_token = sum(geometry.head_beats(group) for group in range(geometry.head_groups))
        beats |= {"logits": job.choices * per_token, "choice": job.choices}
        steady |= {"logits": job.stalls.logits, "choice": job.stalls.choice}
        constants = {"tau": job.tau, "seed": job.seed}
    return {
        "requests": requests,
        "beats": beats,
        "steady": steady,
        "constants": constants,
        "stall_seed": job.stalls.seed,
        "watch": job.watch,
        "load": load_values(job.core, job.state),
    }


def patience(job: Job) -> int:
    """Most cycles between two transfers of the job's core, if it works."""
    stalls = job.stalls
    return core_patience(job.core.geometry, min(stalls.i, stalls.state, stalls.logits, stalls.choice))
