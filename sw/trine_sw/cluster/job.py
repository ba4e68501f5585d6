"""What a job is, and where jobs run."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trine_sw.support.checks import integer
from trine_sw.support.errors import TrineError

__all__ = ["Cluster", "ClusterError", "Job", "Outcome", "Tick", "processors"]

#: Told what is being done: a step's name, "started", "running", "done", "kept" or "restarted", and seconds
#: since the start. Called from threads of its own while jobs run in other processes.
Tick = Callable[[str, str, float], None]


class ClusterError(TrineError):
    """A scheduler or a worker that cannot do any job: not reached, of another version, without a tool."""


@dataclass(frozen=True)
class Cluster:
    """Where jobs run.

    Members
    -------
    processes : worker processes on this machine, of one thread each; with 1, jobs run in this process
    address : of a Dask scheduler, ``tcp://HOST:PORT`` or the path of its scheduler file, whose workers are
        taken instead
    steps : folder of finished build steps by their content, which builds and machines may share; workers that
        do not see the build's folder keep theirs in Trine's cache where it is not given

    Raises
    ------
    TrineError
        For a count below 1.

    Examples
    --------
    >>> from trine_sw.cluster.job import Cluster
    >>> Cluster(processes=2).in_process(1), Cluster(processes=2).in_process(7)
    (True, False)
    >>> Cluster(address="tcp://build-server:8786").in_process(1)
    False
    """

    processes: int = 1
    address: str | None = None
    steps: Path | None = None

    def __post_init__(self) -> None:
        integer(self.processes, "the processes", 1)

    def in_process(self, jobs: int) -> bool:
        """Whether so many jobs run in this process, without Dask."""
        return self.address is None and min(self.processes, jobs) <= 1


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Job:
    """``function(common, argument, tick)``: a function of a module, and what it takes, which can be pickled.

    `common` is the same for all jobs that are run together, `tick` a :data:`Tick`. The function must end soon
    once :func:`trine_sw.support.interruption.cancelled` is true; programs that
    :func:`trine_sw.support.processes.run_logged` runs do.
    """

    name: str
    function: Callable[[Any, Any, Tick], Any]
    argument: Any = None


@dataclass(frozen=True)
class Outcome:
    """What a job returned, or the error that it raised."""

    value: Any = None
    error: TrineError | None = None

    def result(self) -> Any:
        """The value. Raises the error."""
        if self.error is not None:
            raise self.error
        return self.value
