"""The command that measures how well a model predicts a text."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from trine.cli.model import backend_option, json_option, model_argument, print_json, print_pairs
from trine.cli.outputs import OutputFolder
from trine_hw.simulation.simulators import SIMULATORS
from trine_sw.support.atomic_file import check_writable
from trine_sw.support.errors import TrineError

if TYPE_CHECKING:
    from trine_sw.model import HeadKind

__all__ = ["COMMANDS"]


@click.command("eval")
@model_argument
@click.option("--dataset", help="Name of a data set, such as shakespeare or ptb.  [default: the model's own]")
@click.option("--data", type=click.Path(), help="A text file, of which splits are as in training.")
@click.option("--split", default="valid", show_default=True)
@click.option(
    "--head",
    type=click.Choice(["float", "ternary"]),
    help="Which head, of a model that has two.  [default: float]",
)
@backend_option
@click.option("--limit", type=int, help="Predict only this many symbols.")
@click.option("--processes", default=1, show_default=True, help="Simulators that run side by side.")
@click.option("--lanes", type=int, help="Accumulators of the simulated engine at most.  [default: one a row]")
@click.option("--banks", type=int, help="Its column ROMs read at once.  [default: 3]")
@click.option("--results", type=OutputFolder(), help="Folder for a report of the simulation.")
@json_option
def evaluate(
    model_path: Path,
    dataset: str | None,
    data: str | None,
    split: str,
    head: "HeadKind | None",
    backend: str,
    limit: int | None,
    processes: int,
    lanes: int | None,
    banks: int | None,
    results: Path | None,
    as_json: bool,
) -> None:
    """Measure how well a model predicts a text. In a simulator, each state and cycle is checked too, and what
    was interrupted goes on where it stopped."""
    from trine.evaluation import evaluate as measure
    from trine_sw.data.evaluation import split_tokens, text_of
    from trine_sw.golden.host_head import head_of
    from trine_sw.model import Model

    model = Model.load(model_path)
    head_of(model, head)  # refuses a head that is not there
    head = head or model.heads[0]
    if dataset is not None and data is not None:
        raise TrineError("give --dataset or --data, not both")
    source = dataset or text_of(model, data)
    if backend in SIMULATORS:
        from trine.reports.simulated_text_report import measure_gateware, report_paths, write_gateware_report

        for path in () if results is None else report_paths(results, model_path.stem):
            check_writable(path)  # better now than after hours

        report = measure_gateware(
            *(model, model_path.stem, source, split, limit, backend),
            head=head,
            processes=processes,
            lanes=lanes,
            banks=banks,
        )
        if results is not None:
            write_gateware_report(report, results)
        quality = report.quality() | report.speed()
    elif results is not None or lanes is not None or banks is not None or processes != 1:
        raise TrineError(
            "--processes, --lanes, --banks and --results are for an engine in a simulator: "
            "add --backend verilator"
        )
    else:
        tokens = split_tokens(model, source, split)
        quality = dict(measure(model, tokens, head=head, limit=limit, backend=backend))
    if as_json:
        print_json({"dataset": str(source), "split": split, "head": head, "backend": backend} | quality)
    else:
        print_pairs(
            {name: round(value, 5) if isinstance(value, float) else value for name, value in quality.items()},
            f"{model_path} on {source}, {split}, {head} head",
        )


COMMANDS = (evaluate,)
"""What :mod:`trine.cli` adds."""
