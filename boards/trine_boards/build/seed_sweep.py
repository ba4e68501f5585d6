"""Seed sweep: place and route of one netlist with several seeds, side by side on a cluster's workers."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trine_boards.build.cached_step import Step, is_kept, run_step
from trine_boards.build.step_store import StepStore
from trine_sw.cluster.job import Cluster, ClusterError, Job, Outcome, Tick
from trine_sw.cluster.jobs import run_jobs
from trine_sw.cluster.shared_folder import SharedFolder, shared, unpack
from trine_sw.support.cache import cache_folder
from trine_sw.support.errors import TrineError
from trine_sw.support.interruption import Interrupted

__all__ = ["run_steps"]


@dataclass(frozen=True)
class _Sweep:
    """What the steps have in common: their folder, and where finished ones are kept beside it."""

    folder: SharedFolder
    steps: Path | None


@dataclass(frozen=True)
class _Ran:
    """What came of a step: files for a client that does not see the worker's folder, and what went wrong."""

    files: bytes | None
    error: str | None = None


def run_steps(
    steps: Sequence[Step], folder: Path, cluster: Cluster, tick: Tick
) -> dict[str, TrineError | None]:
    """Run steps of `folder`, which do not need each other, on `cluster`; the error of each that failed, or
    None, by its name.

    Those that an earlier run has finished are kept. A seed that cannot be placed says nothing of the next:
    the others go on.

    Raises
    ------
    ClusterError
        Where the cluster cannot do any.
    """
    errors: dict[str, TrineError | None] = {}
    todo = []
    for step in steps:
        if is_kept(step, folder):
            errors[step.name] = None
            tick(step.name, "kept", 0)
        else:
            todo.append(step)
    if not todo:
        return errors

    def done(number: int, outcome: Outcome) -> None:
        ran = outcome.result()
        unpack(ran.files, folder)
        said = None if ran.error is None else ran.error.replace(os.path.abspath(folder), str(folder))
        errors[todo[number].name] = None if said is None else TrineError(said)

    inputs = dict.fromkeys(name for step in todo for name in step.inputs)
    tools = list(dict.fromkeys(step.tool.name for step in todo))
    with shared(folder, cluster, inputs) as offered:
        run_jobs(
            [Job(step.name, _run, step) for step in todo],
            cluster,
            common=_Sweep(offered, cluster.steps),
            tools=tools,
            tick=tick,
            done=done,
        )
    return {step.name: errors[step.name] for step in steps}


def _run(sweep: _Sweep, step: Step, tick: Tick) -> _Ran:
    """Run a step in the folder, or in a copy of it."""
    with sweep.folder.here() as copy:
        if sweep.folder.token:  # on a worker that was not started by the client
            step = step.here()
        store = None if sweep.steps is None else StepStore(sweep.steps)
        if store is None and copy.own:
            store = StepStore(cache_folder("steps"))
        tick(step.name, "started", 0)
        try:
            ran = run_step(step, copy.path, lambda seconds: tick(step.name, "running", seconds), store)
        except (ClusterError, Interrupted):
            raise
        except TrineError as error:
            said = str(error).replace(str(copy.path), sweep.folder.path)
            tick(step.name, "failed", 0)
            return _Ran(copy.changes(), said)
        tick(step.name, "done" if ran else "kept", 0)
        return _Ran(copy.changes())
