"""Jobs that run side by side: seeds, matrices of builds, segments of a simulation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from trine_sw.cluster.job import Cluster, ClusterError, Job, Outcome, Tick
from trine_sw.support.errors import TrineError
from trine_sw.support.interruption import Interrupted

__all__ = ["check_reached", "run_jobs"]


def check_reached(cluster: Cluster) -> None:
    """Connect to a cluster's scheduler once, for callers that work for minutes before they have jobs.

    Raises
    ------
    ClusterError
        Where the scheduler cannot be reached.
    """
    if cluster.address is not None:
        from trine_sw.cluster.dask_jobs import check_scheduler

        check_scheduler(cluster)


def run_jobs(
    jobs: Sequence[Job],
    cluster: Cluster,
    *,
    common: Any = None,
    tools: Sequence[str] = (),
    tick: Tick = lambda step, what, seconds: None,
    done: Callable[[int, Outcome], None] = lambda number, outcome: None,
) -> list[Outcome]:
    """Run all jobs on `cluster`; what came of each, in their order.

    A job whose worker is lost is run again on another. An exception in this thread, from `done` or by a
    signal, cancels all jobs, ends the programs that they run, and leaves no process behind.

    Parameters
    ----------
    common : the first argument of every job; sent once to each worker.
    tools : names in :data:`trine_sw.support.toolchain.TOOLS` that every worker must have as they are here.
    tick : called for all jobs; "restarted" says that the worker of a job was lost, whose name it gives.
        "cluster" is "waiting" while a scheduler has no worker.
    done : called in this thread with the number of each job that has ended, and what came of it.

    Raises
    ------
    ClusterError
        Where the scheduler cannot be reached, or a worker is of another version of Trine or lacks a tool.
    """
    if not jobs:
        return []
    if cluster.in_process(len(jobs)):
        outcomes = []
        for number, job in enumerate(jobs):
            outcomes.append(_outcome(job, common, tick))
            done(number, outcomes[-1])
        return outcomes
    from trine_sw.cluster.dask_jobs import run_on_dask

    return run_on_dask(jobs, cluster, common, tools, tick, done)


def _outcome(job: Job, common: Any, tick: Tick) -> Outcome:
    try:
        return Outcome(job.function(common, job.argument, tick))
    except (ClusterError, Interrupted):
        raise
    except TrineError as error:
        return Outcome(error=error)
