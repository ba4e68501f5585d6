"""Report of sequences through the simulated engine: figures and cycles, as JSON and Markdown."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trine.evaluation import limited, measured_windows, quality_of_outputs
from trine.reports.simulation_report import progress_bar, simulator_version, write_report_files
from trine.sequence_backends import outputs_of_u
from trine.simulated_steps import simulate_sequences
from trine_sw.cluster.job import Cluster
from trine_sw.engine import Geometry
from trine_sw.engine.default import default_engine
from trine_sw.engine.placement import Place, Placement
from trine_sw.golden.readout import Readout
from trine_sw.golden.sequences import run_sequences, sequence_trits
from trine_sw.model import HeadKind, Model
from trine_sw.support.errors import TrineError

__all__ = ["SequencesReport", "measure_sequences", "write_sequences_report"]

_IN_PROCESS = Cluster()


@dataclass(frozen=True)
class SequencesReport:
    """Sequences through a simulated engine. ``docs/results/README.md`` defines each field."""

    model: str
    digest: str
    task: str
    head_kind: str
    data: str
    split: str
    sequences: int
    steps: int
    lanes: int
    banks: int
    embedding: str
    head: str
    groups: int
    segments: int
    simulator: str
    quality: dict[str, Any]
    cycles_per_step: float
    cycles_per_sequence: float
    columns_per_step: float
    cpu_s: float
    command: str

    def speed(self) -> dict[str, Any]:
        """What the sequences took."""
        return {name: getattr(self, name) for name in ("cycles_per_step", "cycles_per_sequence")}


def measure_sequences(
    model: Model,
    name: str,
    data: str | os.PathLike[str] | None,
    split: str | None,
    limit: int | None,
    simulator: str,
    *,
    head_kind: HeadKind | None = None,
    cluster: Cluster = _IN_PROCESS,
    lanes: int | None = None,
    banks: int | None = None,
    embedding: Place | None = None,
    head: Place | None = None,
) -> SequencesReport:
    """Run sequences through the engine in ``simulator`` and compare everything with the models.

    Parameters
    ----------
    name : the model's
    data, split, limit, head_kind : as :func:`trine.evaluation.evaluate` takes them
    cluster : where segments are simulated
    lanes, banks, embedding, head : of the engine; where they are not given,
        :func:`trine_sw.engine.default.default_engine` chooses

    Raises
    ------
    TrineError
        Where anything differs, and for what cannot be measured.
    """
    readout = Readout(model, head_kind)
    windows = limited(measured_windows(model, data, split), limit)
    trits = list(sequence_trits(model, windows.x))
    engine = default_engine(model, lanes, banks, Placement(embedding, head))
    geometry = Geometry(model.config, engine)
    lengths = np.array([len(each) for each in trits], np.int64)
    steps = int(lengths.sum())
    with progress_bar(steps, "steps") as advance:
        run = simulate_sequences(model, trits, engine, simulator, cluster=cluster, progress=advance)
    quality = quality_of_outputs(model, windows, outputs_of_u(readout, run.u, lengths))
    golden = quality_of_outputs(model, windows, run_sequences(model, trits, head_kind=readout.kind))
    if quality != golden:
        raise TrineError(f"the engine's figures are {quality}, and not {golden}")
    source = model.data.get("source")
    trained_on = source.get("path") if isinstance(source, dict) else None
    return SequencesReport(
        model=name,
        digest=model.digest().hex(),
        task=model.task,
        head_kind=readout.kind,
        data=str(trained_on if data is None else os.fspath(data)),
        split=split or ("test" if data is None else "all"),
        sequences=len(trits),
        steps=steps,
        lanes=geometry.lanes,
        banks=engine.banks,
        embedding=engine.embedding,
        head=engine.head,
        groups=geometry.groups,
        segments=run.segments,
        simulator=simulator_version(simulator),
        quality=quality,
        cycles_per_step=float(np.mean(run.cycles_uncut)),
        cycles_per_sequence=float(run.cycles_uncut.sum() / len(trits)),
        columns_per_step=run.columns / steps / geometry.layer_groups,
        cpu_s=round(run.cpu_s, 1),
        command=shlex.join(["trine", *sys.argv[1:]]),
    )


def write_sequences_report(report: SequencesReport, folder: Path) -> tuple[Path, Path]:
    """Write ``MODEL-gateware.json`` and ``.md`` to ``folder``, each at once or not at all."""
    template = Path(__file__).with_suffix(".md.j2")
    return write_report_files(asdict(report), template, folder)
