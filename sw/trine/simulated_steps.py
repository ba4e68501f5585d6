"""A whole text, or many sequences, through the simulated engine, in segments that run side by side.

A segment starts from the golden model's state before its first token, which is put in place in the core, and
must end in the golden model's state after its last one: the state that the next segment starts from. So all
segments together show what one run over everything would.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trine.engine_steps import EngineSteps
from trine_sw.cluster.job import Cluster, Job, Outcome, Tick
from trine_sw.cluster.jobs import check_reached, run_jobs
from trine_sw.engine import EngineConfig
from trine_sw.engine.timing import vector_cycles
from trine_sw.golden import Golden, Trace
from trine_sw.model import Model
from trine_sw.support.atomic_file import atomic_write, check_folder, make_folder
from trine_sw.support.checks import integer, token_array
from trine_sw.support.errors import TrineError
from trine_sw.support.file_lock import exclusive
from trine_sw.support.interruption import Interrupted

if TYPE_CHECKING:
    from trine_hw.core.core import Core
    from trine_hw.simulation.run import Run

__all__ = ["SEGMENT", "SimulatedSteps", "simulate_sequences", "simulate_text"]

#: Tokens of a segment: enough that its simulator's start does not count, few enough to lose little by Ctrl-C.
SEGMENT = 2048

_IN_PROCESS = Cluster()

Int8 = npt.NDArray[np.int8]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SimulatedSteps:
    """What the engine made of T tokens. All of it equals the golden and the timing model, or there is none.

    Members
    -------
    u : int8 (T, H), what the head sees
    cycles : int64 (T,), each segment's first token on an idle engine
    cycles_uncut : int64 (T,), predicted for one run of all tokens
    columns : issued in all
    segments : how many there were
    cpu_s : seconds of processor time in simulators
    """

    u: Int8
    cycles: Int64
    cycles_uncut: Int64
    columns: int
    segments: int
    cpu_s: float


@dataclass(frozen=True)
class _Segment:
    """Steps from ``start`` on, before ``stop``."""

    start: int
    stop: int


@dataclass(frozen=True)
class _Steps:
    """What all segments have in common."""

    model: Model
    engine: EngineConfig
    steps: EngineSteps
    simulator: str

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "core"}

    @cached_property
    def core(self) -> Core:
        """The gateware, made once in each process."""
        from trine_hw.core.core import Core

        return Core(self.model, self.engine, loadable=True)


def simulate_text(
    model: Model,
    tokens: Int64,
    engine: EngineConfig,
    simulator: str,
    *,
    cluster: Cluster = _IN_PROCESS,
    segment: int = SEGMENT,
    runs: Path = Path("runs"),
    progress: Callable[[int], object] = lambda tokens: None,
) -> SimulatedSteps:
    """Run tokens (T,), from the zero state, and compare every h, c, u, logit, cycle count and counter.

    Parameters
    ----------
    cluster : where segments are simulated.
    segment : tokens of a segment.
    runs : the folder in which finished segments are kept until all are: the same call goes on from there.
    progress : called with the number of tokens of each finished segment.

    Raises
    ------
    TrineError
        Where anything differs: names the first token. Where a tool is missing or fails.
    """
    segment = integer(segment, "the segment", 1)
    tokens = token_array(tokens, model.config.vocab_size)
    if not tokens.size:
        raise TrineError("there are no tokens to simulate; give at least one")
    check_folder(runs)  # better now than after the compilation
    steps = EngineSteps.of_tokens(model, engine, tokens)
    return _simulated(model, steps, engine, simulator, cluster, segment, runs, progress)


def simulate_sequences(
    model: Model,
    sequences: Sequence[Int8],
    engine: EngineConfig,
    simulator: str,
    *,
    cluster: Cluster = _IN_PROCESS,
    segment: int = SEGMENT,
    runs: Path = Path("runs"),
    progress: Callable[[int], object] = lambda steps: None,
) -> SimulatedSteps:
    """The same of sequences of trits (T, E), each from the zero state."""
    segment = integer(segment, "the segment", 1)
    if not sequences:
        raise TrineError("there are no sequences to simulate; give at least one")
    check_folder(runs)
    steps = EngineSteps.of_sequences(model, sequences)
    return _simulated(model, steps, engine, simulator, cluster, segment, runs, progress)


def _simulated(
    model: Model,
    steps: EngineSteps,
    engine: EngineConfig,
    simulator: str,
    cluster: Cluster,
    segment: int,
    runs: Path,
    progress: Callable[[int], object],
) -> SimulatedSteps:
    from trine_hw.simulation.build import build

    check_reached(cluster)
    common = _Steps(model, replace(engine, block_ram="inferred"), steps, simulator)
    compiled = build([common.core], simulator)  # once, before there are several processes
    of_steps = (np.ascontiguousarray(array).tobytes() for array in (steps.given, steps.starts, steps.heads))
    key = hashlib.sha256(f"{compiled.name} {segment} ".encode() + b"".join(of_steps))
    folder = runs / f"simulated-{key.hexdigest()[:24]}"
    bounds = [(start, min(start + segment, len(steps))) for start in range(0, len(steps), segment)]
    parts: dict[int, Path] = {}
    todo: list[_Segment] = []

    def done(number: int, outcome: Outcome) -> None:
        part = todo[number]
        _save(parts[part.start], outcome.result())
        progress(part.stop - part.start)

    with exclusive(folder.with_name(f".{folder.name}.lock"), f"the folder {folder}"):
        make_folder(folder)
        for start, stop in bounds:
            parts[start] = folder / f"{start:09}.npz"
            if parts[start].exists():
                progress(stop - start)
            else:
                todo.append(_Segment(start, stop))
        jobs = [Job(f"steps {part.start} to {part.stop}", _simulate, part) for part in todo]
        tools = ["verilator"] if simulator == "verilator" else ["iverilog", "vvp"]
        try:
            run_jobs(jobs, cluster, common=common, tools=tools, done=done)
        except (Interrupted, KeyboardInterrupt):
            raise Interrupted(_left(folder, list(parts.values()))) from None
        heads = steps.heads if engine.head == "board" else False
        uncut = vector_cycles(model, engine, steps.x, steps.trace.h, head=heads, starts=steps.starts).cycles
        found = _joined([parts[start] for start, _ in bounds], uncut)
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _left(folder: Path, parts: list[Path]) -> str:
    """What an interrupted command says; a folder without a finished segment is removed."""
    finished = sum(part.exists() for part in parts)
    if not finished:
        shutil.rmtree(folder, ignore_errors=True)
        return "interrupted before the first segment was finished: nothing is kept"
    return (
        f"interrupted; {finished} of {len(parts)} segments are finished and kept in {folder}, and the same "
        "command goes on from them"
    )


def _simulate(common: _Steps, part: _Segment, tick: Tick) -> Run:
    """Run one segment and check it."""
    from trine_hw.simulation.comparison import run_difference
    from trine_hw.simulation.job import Job as CoreJob
    from trine_hw.simulation.run import simulate

    core, steps = common.core, common.steps
    model, engine = core.model, core.engine
    head, expected = engine.head == "board", slice(part.start, part.stop)
    requests = steps.requests(part.start, part.stop, head=head)
    before = steps.state_before(part.start)
    state = None if steps.starts[part.start] else before
    (run,) = simulate([CoreJob(core, requests, state=state)], common.simulator)
    trace = steps.trace
    u = trace.u[expected]
    logits = Golden(model).logits(u) if head else None
    golden = Trace(trace.h[expected], trace.c[expected], u, logits, trace.state)
    told = run_difference(
        *(model, engine, steps.x[expected], run, golden),
        before=before,
        first=part.start,
        starts=steps.starts[expected],
        heads=steps.heads[expected],
    )
    if told is not None:
        raise TrineError(f"the simulated engine differs: {told}")
    return run


def _save(path: Path, run: Run) -> None:
    with atomic_write(path) as file:
        np.savez_compressed(
            file, u=run.u.astype(np.int8), cycles=run.cycles, columns=run.column_count, cpu_s=run.cpu_s
        )


def _joined(paths: list[Path], uncut: Int64) -> SimulatedSteps:
    u, cycles, columns, cpu_s = [], [], 0, 0.0
    for path in paths:
        with np.load(path) as part:
            u.append(part["u"])
            cycles.append(part["cycles"])
            columns += int(part["columns"])
            cpu_s += float(part["cpu_s"])
    return SimulatedSteps(np.concatenate(u), np.concatenate(cycles), uncut, columns, len(paths), cpu_s)
