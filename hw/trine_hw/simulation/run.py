"""Runs requests through cores in a simulator, and returns everything that came out."""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trine_hw.core.cells.base import level_bits
from trine_hw.core.core import COUNT_LATENCY
from trine_hw.simulation.beats import array_field
from trine_hw.simulation.beats import field as beat_field
from trine_hw.simulation.build import build
from trine_hw.simulation.job import Job, describe, patience
from trine_hw.simulation.launch import run_cocotb
from trine_hw.simulation.simulators import WAVE_FILES
from trine_hw.simulation.waves import check_waves, view_path, write_view
from trine_sw.support.atomic_file import atomic_write, check_writable
from trine_sw.support.errors import TrineError
from trine_sw.support.interruption import Interrupted
from trine_sw.support.json_text import json_text

__all__ = ["Run", "simulate"]

Int64 = npt.NDArray[np.int64]
_TESTBENCH = "trine_hw.simulation.testbench"
#: Where cocotb has Verilator put waveforms, and where Icarus puts them.


@dataclass(frozen=True)
class Run:
    """What a core gave. Cycles are counted from the first after reset.

    Members
    -------
    h, c, u : int8, int8, int16 (T, H), each token's new state and what the head sees of it
    cycles : int64 (T,), as the core reports them
    logits : int32 (L, V), of the tokens that wanted them
    choices : int64 (L,)
    offered : int64 (requests,), the first cycle in which a request was offered
    accepted : int64 (requests,), the cycle in which it was taken
    chosen : int64 (L,), the cycle in which a choice was taken
    token_count, cycle_count, column_count : the core's counters at the end
    columns : int64 (cycles,), columns issued in each cycle, if watched
    cpu_s : seconds of processor time that the whole simulation took
    """

    h: npt.NDArray[np.int8]
    c: npt.NDArray[np.int8]
    u: npt.NDArray[np.int16]
    cycles: Int64
    logits: npt.NDArray[np.int32]
    choices: Int64
    offered: Int64
    accepted: Int64
    chosen: Int64
    token_count: int
    cycle_count: int
    column_count: int
    columns: Int64 | None = None
    cpu_s: float = 0.0


def simulate(
    jobs: Sequence[Job],
    simulator: str = "verilator",
    *,
    cache: Path | None = None,
    on_choice: Callable[[int], None] | None = None,
    waves: Path | None = None,
) -> list[Run]:
    """Run jobs side by side, each on its own core, in one simulation.

    Parameters
    ----------
    jobs : at least one.
    simulator : ``"verilator"`` or ``"icarus"``.
    cache : where compiled simulators are kept, if not in the usual place.
    on_choice : called with each choice of the first job, in another thread, soon after it is made.
    waves : file for waveforms (VCD from Verilator, FST from Icarus); a ``.gtkw`` is put beside it.

    Raises
    ------
    TrineError
        If a tool is missing, the build or the simulation fails (with the log's end), or is interrupted.
    """
    if waves is not None:
        check_waves(waves, simulator)
        for path in (waves, view_path(waves)):
            check_writable(path)
    folder = build([job.core for job in jobs], simulator, cache=cache, waves=waves is not None)
    with tempfile.TemporaryDirectory(prefix="trine-") as work_name:
        work = Path(work_name)
        (work / "choices").touch()
        description = {
            "cores": [describe(job) for job in jobs],
            "patience": max(patience(job) for job in jobs),
            "results": str(work / "results.npz"),
            "choices": str(work / "choices"),
        }
        (work / "job.json").write_text(json_text(description), encoding="utf-8")
        with _Tail(work / "choices", on_choice):
            _run(folder, simulator, work, waves=waves is not None)
        if waves is not None:
            with atomic_write(waves) as file, (work / WAVE_FILES[simulator]).open("rb") as made:
                shutil.copyfileobj(made, file)
            write_view(waves, (folder / "top.v").read_text(encoding="utf-8"))
        with np.load(work / "results.npz") as results:
            return [
                _decode(
                    job, {key.split(".", 1)[1]: results[key] for key in results if key.startswith(f"{n}.")}
                )
                for n, job in enumerate(jobs)
            ]


def _run(folder: Path, simulator: str, work: Path, *, waves: bool) -> None:
    try:
        ran, failed = run_cocotb(
            folder,
            simulator,
            work,
            _TESTBENCH,
            waves=waves,
            plusargs=[f"+waves={WAVE_FILES[simulator]}"] if waves and simulator == "icarus" else [],
            variables={"TRINE_JOB": str(work / "job.json")},
        )
    except KeyboardInterrupt:
        raise Interrupted("the simulation was interrupted; nothing of it was kept") from None
    if (ran, failed) != (1, 0):
        log = (work / "simulation.log").read_text(encoding="utf-8", errors="replace")
        lines = [line.strip() for line in log.splitlines() if line.strip()]
        errors = [line for line in lines if re.search(r"\w*Error\b", line)] or lines
        raise TrineError(f"the simulation in {simulator} failed: {' / '.join(errors[-3:]) or 'no output'}")


class _Tail:
    """Calls a function with the choices of core 0 as they are written to a file."""

    def __init__(self, path: Path, tell: Callable[[int], None] | None) -> None:
        self._path, self._tell = path, tell
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> None:
        if self._tell:
            self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._done.set()
        if self._tell:
            self._thread.join()

    def _follow(self) -> None:
        assert self._tell
        with self._path.open(encoding="utf-8") as lines:
            rest = ""
            while True:
                finished = self._done.wait(0.02)
                *whole, rest = (rest + lines.read()).split("\n")
                for line in whole:
                    core, choice = map(int, line.split())
                    if core == 0:
                        self._tell(choice)
                if finished:
                    return


def _decode(job: Job, results: dict[str, npt.NDArray]) -> Run:
    core, geometry, config = job.core, job.core.geometry, job.core.model.config
    state = core.state.payload.shape()
    beats = results["state"]
    ends = beat_field(beats, state, "last").reshape(job.steps, geometry.groups)
    if ends[:, :-1].any() or not ends[:, -1].all():
        raise TrineError("the core marked the wrong beats of its states as the last of their tokens")

    def cells(member: str) -> Int64:
        """(T, L·H); padding cells are zero."""
        values = array_field(beats, state, "cells", member).reshape(job.steps, -1)
        if values[:, config.cells :].any():
            raise TrineError("a cell that the model does not have left its zero state")
        return values[:, : config.cells]

    h = cells("h")
    u = (np.sign(h) * cells("u") if level_bits(config) else h)[:, -config.hidden :]
    if job.choices:
        logits_layout = core.logits.payload.shape()
        values = array_field(results["logits"], logits_layout, "logit")
        mask = beat_field(results["logits"], logits_layout, "mask")[:, None] >> np.arange(values.shape[1]) & 1
        ends = beat_field(results["logits"], logits_layout, "last").reshape(job.choices, -1)
        if ends[:, :-1].any() or not ends[:, -1].all():
            raise TrineError("the core marked the wrong beats of its logits as the last of their tokens")
        logits = values[mask.astype(bool)].reshape(job.choices, config.vocab_size)
        choices = results["choice"].astype(np.int64) @ (1 << 8 * np.arange(results["choice"].shape[1]))
        chosen = results["choice.moved"]
    else:
        logits, choices, chosen = (
            np.zeros((0, config.vocab_size)),
            np.zeros(0, np.int64),
            np.zeros(0, np.int64),
        )
    watched = results.get("watched")
    return Run(
        h=h.astype(np.int8),
        c=cells("c").astype(np.int8),
        u=u.astype(np.int16),
        cycles=beat_field(beats, state, "cycles").reshape(job.steps, -1)[:, -1],
        logits=logits.astype(np.int32),
        choices=choices,
        offered=results["offered"],
        accepted=results["i.moved"],
        chosen=chosen,
        token_count=int(results["count.tokens"]),
        cycle_count=int(results["count.cycles"]),
        column_count=int(results["count.columns"]),
        columns=None if watched is None else np.diff(watched)[COUNT_LATENCY:],
        cpu_s=float(results["cpu_s"]),
    )
