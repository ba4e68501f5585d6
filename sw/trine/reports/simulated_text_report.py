"""Report of a text through the simulated engine: its perplexity and cycles, as JSON and Markdown."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from trine.simulated_steps import simulate_text
from trine_sw.data import Text
from trine_sw.data.evaluation import golden_logits, logits_of, quality_of, score, split_tokens
from trine_sw.engine import Geometry
from trine_sw.engine.default import default_engine
from trine_sw.golden.host_head import head_of
from trine_sw.model import HeadKind, Model
from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.checks import integer
from trine_sw.support.errors import TrineError
from trine_sw.support.json_text import json_text

__all__ = [
    "GatewareReport",
    "measure_gateware",
    "progress_bar",
    "report_paths",
    "simulator_version",
    "write_gateware_report",
    "write_report_files",
]


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
    head: HeadKind | None = None,
    processes: int = 1,
    lanes: int | None = None,
    banks: int | None = None,
) -> GatewareReport:
    """Run a split through the engine in ``simulator`` and compare everything with the models.

    Parameters
    ----------
    name : the model's.
    head : which one is measured, as in :func:`trine_sw.data.evaluation.evaluate`.
    limit : predict only this many symbols.
    processes : simulators side by side.
    lanes, banks : of the engine; :func:`trine_sw.engine.default.default_engine` where they are not given.

    Raises
    ------
    TrineError
        Where anything differs, and for what cannot be measured.
    """
    scale = head_of(model, head)[1]
    if limit is not None:
        limit = integer(limit, "the limit", 1)
    tokens = split_tokens(model, dataset, split)
    tokens = tokens if limit is None else tokens[: limit + 1]
    given = tokens[:-1]
    engine = default_engine(model)
    engine = replace(
        engine,
        lanes=engine.lanes if lanes is None else lanes,
        banks=engine.banks if banks is None else banks,
    )
    geometry = Geometry(model.config, engine)
    with progress_bar(len(given)) as advance:
        text = simulate_text(model, given, engine, simulator, processes=processes, progress=advance)
    quality = score(tokens, logits_of(model, text.u, head), scale)
    golden = score(tokens, golden_logits(model, head)(given), scale)
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


@contextmanager
def progress_bar(total: int, unit: str = "tokens") -> Iterator[Callable[[int], None]]:
    """A bar on standard error, if that is a terminal; the function moves it on by some tokens or steps."""
    columns = (
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} " + unit),
        BarColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total)
        yield lambda tokens: progress.advance(task, tokens)


def simulator_version(simulator: str) -> str:
    """A simulator's name and version, for a report."""
    from trine_sw.support import toolchain

    tool = toolchain.require("verilator" if simulator == "verilator" else "iverilog")
    return f"{tool.name} {tool.version}"


def report_paths(folder: Path, model: str) -> tuple[Path, Path]:
    """Where :func:`write_gateware_report` writes the report of a model of this name."""
    return folder / f"{model}-gateware.json", folder / f"{model}-gateware.md"


def write_gateware_report(report: GatewareReport, folder: Path) -> tuple[Path, Path]:
    """Write ``MODEL-gateware.json`` and ``.md`` to ``folder``, each at once or not at all."""
    return write_report_files(asdict(report), Path(__file__).with_suffix(".md.j2"), folder)


def write_report_files(report: dict[str, Any], template_path: Path, folder: Path) -> tuple[Path, Path]:
    """Write a report's fields as JSON, and as Markdown by a template."""
    environment = jinja2.Environment(
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    environment.filters["thousands"] = "{:,}".format
    template = environment.from_string(template_path.read_text(encoding="utf-8"))
    written = []
    texts = json_text(report, indent=2) + "\n", template.render(report)
    for path, text in zip(report_paths(folder, report["model"]), texts, strict=True):
        with atomic_write(path) as file:
            file.write(text.encode())
        written.append(path)
    return written[0], written[1]
