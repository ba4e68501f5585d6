"""Report of a text through the simulated engine: its perplexity and cycles, as JSON and Markdown."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trine.models import check_embedding
from trine.reports.simulation_report import progress_bar, simulator_version, write_report_files
from trine.simulated_steps import simulate_text
from trine_sw.cluster.job import Cluster
from trine_sw.data import Text
from trine_sw.data.evaluation import golden_logits, logits_of, quality_of, score, split_tokens
from trine_sw.engine import Geometry
from trine_sw.engine.default import default_engine
from trine_sw.engine.placement import Place, Placement
from trine_sw.golden.host_head import head_of
from trine_sw.model import HeadKind, Model
from trine_sw.support.checks import integer
from trine_sw.support.errors import TrineError

__all__ = ["GatewareReport", "measure_gateware", "write_gateware_report"]

_IN_PROCESS = Cluster()


@dataclass(frozen=True)
class GatewareReport:
    """A text through a simulated engine. ``docs/results/README.md`` defines each field."""

    model: str
    digest: str
    description: str
    dataset: str
    split: str
    tokens: int
    lanes: int
    banks: int
    embedding: str
    head: str
    groups: int
    segments: int
    simulator: str
    nats_per_token: float
    perplexity: float
    perplexity_golden: float
    cycles_per_token: float
    cycles_per_token_uncut: float
    columns_per_token: float
    cpu_s: float
    command: str

    def quality(self) -> dict[str, Any]:
        """As :func:`trine_sw.data.evaluation.evaluate` gives it."""
        return dict(quality_of(self.nats_per_token, self.tokens))

    def speed(self) -> dict[str, Any]:
        """What the text took."""
        return {"cycles_per_token": self.cycles_per_token, "columns_per_token": self.columns_per_token}


def measure_gateware(
    model: Model,
    name: str,
    dataset: Text,
    split: str,
    limit: int | None,
    simulator: str,
    *,
    head_kind: HeadKind | None = None,
    cluster: Cluster = _IN_PROCESS,
    lanes: int | None = None,
    banks: int | None = None,
    embedding: Place | None = None,
    head: Place | None = None,
) -> GatewareReport:
    """Run a split through the engine in ``simulator`` and compare everything with the models.

    Parameters
    ----------
    name : the model's.
    head_kind : which one is measured, as in :func:`trine_sw.data.evaluation.evaluate`.
    limit : predict only this many symbols.
    cluster : where segments are simulated.
    lanes, banks, embedding, head : of the engine; where they are not given,
        :func:`trine_sw.engine.default.default_engine` chooses.

    Raises
    ------
    TrineError
        Where anything differs, and for what cannot be measured.
    """
    scale = head_of(model, head_kind)[1]
    check_embedding(model)
    if limit is not None:
        limit = integer(limit, "the limit", 1)
    tokens = split_tokens(model, dataset, split)
    tokens = tokens if limit is None else tokens[: limit + 1]
    given = tokens[:-1]
    engine = default_engine(model, lanes, banks, Placement(embedding, head))
    geometry = Geometry(model.config, engine)
    with progress_bar(len(given)) as advance:
        text = simulate_text(model, given, engine, simulator, cluster=cluster, progress=advance)
    quality = score(tokens, logits_of(model, text.u, head_kind), scale)
    golden = score(tokens, golden_logits(model, head_kind)(given), scale)
    if quality != golden:
        raise TrineError(
            f"the engine's perplexity is {quality['perplexity']}, and not {golden['perplexity']}"
        )
    return GatewareReport(
        model=name,
        digest=model.digest().hex(),
        description=description_of(model),
        dataset=str(dataset),
        split=split,
        tokens=len(given),
        lanes=geometry.lanes,
        banks=engine.banks,
        embedding=engine.embedding,
        head=engine.head,
        groups=geometry.groups,
        segments=text.segments,
        simulator=simulator_version(simulator),
        nats_per_token=quality["nats_per_token"],
        perplexity=quality["perplexity"],
        perplexity_golden=golden["perplexity"],
        cycles_per_token=float(np.mean(text.cycles)),
        cycles_per_token_uncut=float(np.mean(text.cycles_uncut)),
        columns_per_token=text.columns / len(given) / geometry.layer_groups,
        cpu_s=round(text.cpu_s, 1),
        command=shlex.join(["trine", *sys.argv[1:]]),
    )


def description_of(model: Model) -> str:
    """What a model file says of its weights: random ones, or the data that they were trained on."""
    if model.training.get("weights") == "random":
        return "random weights"
    data_set = model.training.get("data_set")
    return f"trained on {data_set}" if isinstance(data_set, str) else ""


def write_gateware_report(report: GatewareReport, folder: Path) -> tuple[Path, Path]:
    """Write ``MODEL-gateware.json`` and ``.md`` to ``folder``, each at once or not at all."""
    return write_report_files(asdict(report), Path(__file__).with_suffix(".md.j2"), folder)
