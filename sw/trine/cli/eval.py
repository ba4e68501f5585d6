"""The command that measures a model: how well it predicts a text, or says what sequences are."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trine.cli.model import backend_option, json_option, model_argument, print_json, print_pairs
from trine.cli.outputs import OutputFolder
from trine.cli.placement import head_kind_option, placement_options
from trine.cli.side_by_side import as_cluster, cluster_option, processes_option
from trine_hw.simulation.simulators import SIMULATORS
from trine_sw.support.atomic_file import check_writable
from trine_sw.support.errors import TrineError

if TYPE_CHECKING:
    from trine_sw.data import Text
    from trine_sw.engine.placement import Place
    from trine_sw.model import HeadKind, Model

__all__ = ["COMMANDS"]


@click.command("eval")
@model_argument
@click.option("--dataset", help="Name of a data set, such as shakespeare or ptb.  [default: the model's own]")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="A text file or, of sequences with their targets, a .npz, .csv or .ts file or a folder of audio "
    "files.  [default: the model's own]",
)
@click.option(
    "--split",
    help="Which part of the data, cut as in training.  [default: valid of a text, test of the model's own "
    "sequences, all of those of --data]",
)
@head_kind_option
@backend_option
@placement_options
@click.option("--limit", type=int, help="Predict only this many symbols, or take only this many sequences.")
@processes_option("Simulators that run side by side.")
@cluster_option
@click.option("--lanes", type=int, help="Accumulators of the simulated engine at most.  [default: one a row]")
@click.option("--banks", type=int, help="Its column ROMs read at once.  [default: 3]")
@click.option("--results", type=OutputFolder(), help="Folder for a report of the simulation.")
@json_option
def evaluate(
    model_path: Path,
    dataset: str | None,
    data: Path | None,
    split: str | None,
    head_kind: "HeadKind | None",
    backend: str,
    embedding: "Place | None",
    head: "Place | None",
    limit: int | None,
    processes: int | None,
    address: str | None,
    lanes: int | None,
    banks: int | None,
    results: Path | None,
    as_json: bool,
) -> None:
    """Measure how well a model predicts a text, or says what sequences are. In a simulator, each state and
    cycle is checked too, and what was interrupted goes on where it stopped."""
    from trine_sw.model import Model

    model = Model.load(model_path)
    name = model_path.stem
    places: dict[str, Any] = {"embedding": embedding, "head": head}
    for_simulators = (processes, address, lanes, banks, results)
    if backend not in SIMULATORS and any(given is not None for given in for_simulators):
        raise TrineError(
            "--processes, --cluster, --lanes, --banks and --results are for an engine in a simulator: "
            "add --backend verilator"
        )
    engine = {"cluster": as_cluster(processes, address), "lanes": lanes, "banks": banks}
    if model.task == "language":
        from trine_sw.data.evaluation import text_of

        if dataset is not None and data is not None:
            raise TrineError("give --dataset or --data, not both")
        source, split = dataset or text_of(model, data), split or "valid"
        told = {"dataset": str(source), "split": split}
        asked = (model, name, source, split, head_kind, backend, limit)
        kind, quality = _of_text(*asked, places, engine, results)
    else:
        if dataset is not None:
            raise TrineError(f"the model's task is {model.task!r}: its sequences are given by --data")
        split = split or (None if data is not None else "test")
        where = model.data.get("source", {})
        told = {"data": str(data or (where.get("path") if isinstance(where, dict) else None))}
        told["split"] = split or "all"
        asked = (model, name, data, split, head_kind, backend, limit)
        kind, quality = _of_sequences(*asked, places, engine, results)
    if as_json:
        print_json(told | {"head_kind": kind, "backend": backend} | quality)
    else:
        print_pairs(
            {name: round(value, 5) if isinstance(value, float) else value for name, value in quality.items()},
            f"{model_path} on {', '.join(told.values())}, {kind} head",
        )


def _of_text(
    model: "Model",
    name: str,
    source: "Text",
    split: str,
    head_kind: "HeadKind | None",
    backend: str,
    limit: int | None,
    places: dict[str, Any],
    engine: dict[str, Any],
    results: Path | None,
) -> "tuple[HeadKind, dict[str, Any]]":
    from trine.evaluation import evaluate as measure
    from trine_sw.data.evaluation import split_tokens
    from trine_sw.golden.host_head import head_of

    head_of(model, head_kind)  # refuses a head that is not there
    kind = head_kind or model.heads[0]
    if backend not in SIMULATORS:
        tokens = split_tokens(model, source, split)
        return kind, measure(model, tokens, head_kind=kind, limit=limit, backend=backend, **places)
    from trine.reports.simulated_text_report import measure_gateware, write_gateware_report
    from trine.reports.simulation_report import report_paths

    for path in () if results is None else report_paths(results, name):
        check_writable(path)  # better now than after hours
    report = measure_gateware(
        *(model, name, source, split, limit, backend), head_kind=kind, **places, **engine
    )
    if results is not None:
        write_gateware_report(report, results)
    return kind, report.quality() | report.speed()


def _of_sequences(
    model: "Model",
    name: str,
    data: Path | None,
    split: str | None,
    head_kind: "HeadKind | None",
    backend: str,
    limit: int | None,
    places: dict[str, Any],
    engine: dict[str, Any],
    results: Path | None,
) -> "tuple[HeadKind, dict[str, Any]]":
    from trine.evaluation import evaluate as measure
    from trine_sw.golden.readout import Readout

    kind = Readout(model, head_kind).kind  # refuses a head that is not there
    if backend not in SIMULATORS:
        asked: dict[str, Any] = {"split": split, "head_kind": kind, "limit": limit, "backend": backend}
        return kind, measure(model, data, **asked, **places)
    from trine.reports.simulated_sequences_report import measure_sequences, write_sequences_report
    from trine.reports.simulation_report import report_paths

    for path in () if results is None else report_paths(results, name):
        check_writable(path)
    report = measure_sequences(
        *(model, name, data, split, limit, backend), head_kind=kind, **places, **engine
    )
    if results is not None:
        write_sequences_report(report, results)
    return kind, report.quality | report.speed()


COMMANDS = (evaluate,)
