"""Everything that ``trine bench`` shows: rows of speed, and sweeps of cycles."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trine.bench.anchors import ANCHORS, Anchor
from trine.bench.cpu import measure_cpu
from trine.bench.sweeps import Point, sweep_engine, sweep_hidden
from trine_sw.engine.placement import ANYWHERE, Placement
from trine_sw.fit import sample_text
from trine_sw.fit.sample import Sample
from trine_sw.model import Model
from trine_sw.support.errors import TrineError

__all__ = ["Bench", "Row", "run_bench"]

_TOKENS = 400
_SWEPT = 200


@dataclass(frozen=True)
class Row:
    """One way of computing the layer, batch 1; None where it does not apply or cannot run.

    Members
    -------
    name, note : what it is; why it could not run, or what it comes from
    us : microseconds a step, ``tokens_per_s`` steps a second
    dense_gops : two operations for each weight of the layer, active or not, in thousands of millions a second
    effective_gops : two for each weight of an active column
    dense_gops_per_klut : over thousands of LUT4
    rom_share : of the chip's block-RAM read ports, those that give weights in each cycle
    """

    name: str
    us: float | None
    tokens_per_s: float | None
    dense_gops: float | None
    effective_gops: float | None
    dense_gops_per_klut: float | None
    rom_share: float | None
    note: str


@dataclass(frozen=True)
class Bench:
    """What one run found."""

    model: str
    hidden: int
    embedding: int
    activity_x: float
    activity_h: float
    cpu: str
    rows: list[Row]
    anchors: tuple[Anchor, ...]
    hidden_sweep: list[Point]
    engine_sweep: list[Point]

    def as_json(self) -> dict[str, Any]:
        """For a program to read."""
        return asdict(self)


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _row(name: str, seconds: float | None, dense: float, effective: float, note: str) -> Row:
    if seconds is None:
        return Row(name, None, None, None, None, None, None, note)
    rates = dense / seconds / 1e9, effective / seconds / 1e9
    return Row(name, seconds * 1e6, 1 / seconds, *rates, None, None, note)


#: What a program asks a board for, by the names of a report's ``host_rates``.
_ASKED = {"choice": "next token", "values": "values", "h": "state"}


def _of_hosts(report: dict[str, Any], path: Path) -> list[Row]:
    """What a program gets of a routed engine through driver and link, where its report says it."""
    rows = []
    for name, rate in report.get("host_rates", {}).items():
        share = rate["tokens_per_s"] / report["tokens_per_s"]
        rows.append(
            Row(
                f"Trine on {report['board']}, what a host gets, {_ASKED.get(name, name)}",
                1e6 / rate["tokens_per_s"],
                rate["tokens_per_s"],
                report["dense_gops"] * share,
                report["effective_gops"] * share,
                None,
                None,
                f"limited by the {rate['limit']}; {path}",
            )
        )
    return rows


def _engines(reports: Path, model: Path) -> list[Row]:
    """Rows of a model's routed engines and of what hosts get of them, from reports; or one that says that
    there is none."""
    rows = []
    for path in sorted(reports.glob(f"*-{model.stem}.json")):
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            rows.append(
                Row(
                    f"Trine on {report['board']}, {report['clock_mhz']:g} MHz, routed",
                    1e6 / report["tokens_per_s"],
                    report["tokens_per_s"],
                    report["dense_gops"],
                    report["effective_gops"],
                    report["dense_gops"] / report["lut4"] * 1e3,
                    report["rom_ports_used"] / report["rom_ports"],
                    f"{report['cycles_per_token']:g} cycles a token; {path}",
                )
            )
            rows += _of_hosts(report, path)
        except (ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
            raise TrineError(f"{path} is no report of trine build: {error}") from None
    if not rows:
        note = f"no routed report in {reports}: trine build {model} --board NAME --results {reports}"
        rows.append(Row("Trine", None, None, None, None, None, None, note))
    return rows


def _sample(model: Model, tokens: npt.NDArray[np.int64] | None) -> Sample:
    """These tokens, random ones or, of a model without an embedding, its sample."""
    if model.embedding_weight is None:
        return sample_text(model, _TOKENS)
    if tokens is None:
        tokens = np.random.default_rng(1).integers(0, model.config.vocab_size, _TOKENS)
    return Sample.of(model, tokens)


def run_bench(
    path: Path,
    reports: Path,
    tokens: npt.NDArray[np.int64] | None = None,
    *,
    seconds: float = 1.0,
    placement: Placement = ANYWHERE,
    tell: Callable[[str], object] = lambda what: None,
) -> Bench:
    """Measure and count for the model in ``path``; ``tell`` hears what is being done.

    The sweep of the model's engine has embedding and head on the host where ``placement`` has nothing else.

    Raises
    ------
    TrineError
        If the model has more than one layer, a report cannot be read, or the popcount kernel differs from the
        golden model.
    """
    model = Model.load(path)
    config = model.config
    if config.layers > 1:
        raise TrineError(f"{path} has {config.layers} layers, and one layer is what is compared here")
    placement.of(model)  # refuses what the model file lacks
    sample = _sample(model, tokens)
    active_x, active_h = (float(np.count_nonzero(trits)) / len(trits) for trits in (sample.x, sample.h))
    of_column = 2.0 * config.spec.trits * config.hidden
    dense, effective = of_column * config.columns, of_column * (active_x + active_h)
    rows = _engines(reports, path)
    tell("this CPU")
    for each in measure_cpu(model, sample.x, seconds):
        rows.append(_row(each.name, each.seconds, dense, effective, each.note or "layer alone, one thread"))
        tell(each.name)
    tell("sweeps of the timing model")
    return Bench(
        model=path.stem,
        hidden=config.hidden,
        embedding=config.embedding,
        activity_x=round(active_x / config.embedding, 4),
        activity_h=round(active_h / config.hidden, 4),
        cpu=_cpu_name(),
        rows=rows,
        anchors=ANCHORS,
        hidden_sweep=list(sweep_hidden()),
        engine_sweep=list(sweep_engine(model, sample.first(_SWEPT), placement=placement)),
    )
