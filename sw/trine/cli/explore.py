"""The command explore: every engine that the boards hold for a model, as a page, JSON or CSV."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import Progress

from trine.cli.hardware import activity_option
from trine.cli.model import json_option, model_argument, print_json
from trine.cli.outputs import OutputFile
from trine.cli.placement import placement_options
from trine_sw.support.errors import TrineError
from trine_sw.support.reading import read_text

if TYPE_CHECKING:
    from trine_sw.engine.placement import Place

__all__ = ["COMMANDS"]

_STEPS = 2000


def _given_folder(context: click.Context, parameter: click.Parameter, folder: Path) -> Path:
    """The folder; one that was asked for must be there."""
    asked = context.get_parameter_source(str(parameter.name)) is not ParameterSource.DEFAULT
    if asked and not folder.is_dir():
        raise TrineError(f"there is no folder {folder}: --reports is where trine build wrote its reports")
    return folder


@click.command()
@model_argument
@click.option("-o", "--output", type=OutputFile(), help="Page to write.  [default: MODEL.html, here]")
@click.option("--board", "names", metavar="NAME", multiple=True, help="Only this board; may be repeated.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="To measure the activity of columns on: a text file or, of sequences, a .npz, .csv or .ts file, an "
    "audio file or a folder of them.  [default: a sample of the model's own]",
)
@click.option(
    "--reports",
    type=click.Path(path_type=Path),
    default="docs/results",
    show_default=True,
    callback=_given_folder,
    help="Folder with reports of what was built, and floorplans beside them.",
)
@placement_options
@activity_option
@click.option("--csv", "csv_path", type=OutputFile(), help="Write the rows as CSV, too.")
@json_option
def explore(
    model_path: Path,
    output: Path | None,
    names: tuple[str, ...],
    data: Path | None,
    reports: Path,
    embedding: "Place | None",
    head: "Place | None",
    activity: float,
    csv_path: Path | None,
    as_json: bool,
) -> None:
    """Write a page of every engine that the boards should hold: cost, speed, and what a host gets.

    The page is one file that needs no server and no network. --json prints the rows and writes no page.
    """
    from dataclasses import asdict

    from trine.exploring.page import activity_of, board_facts, built_facts, page, plotly_source
    from trine.exploring.rows import as_csv, what_is_short
    from trine.exploring.rows import explore as rows_of
    from trine.fitting import as_board
    from trine.reports.engine_figures import reports_in
    from trine.samples import sample_of
    from trine_boards import BOARDS
    from trine_sw.engine.default import default_engine
    from trine_sw.engine.placement import Placement
    from trine_sw.fit.figures import Figures
    from trine_sw.model import Model
    from trine_sw.support.atomic_file import atomic_write, check_apart, check_writable

    if output is not None and as_json:
        raise TrineError("give --output or --json, not both")
    if not as_json:
        plotly_source()  # says what is missing before a minute is spent
    output = output or Path(f"{model_path.stem}.html")
    if not as_json:
        check_writable(output)
    check_apart([None if as_json else output, csv_path], [model_path, data])
    model, placement = Model.load(model_path), Placement(embedding, head)
    boards = [as_board(name) for name in dict.fromkeys(names or BOARDS)]
    placement.of(model)  # refuses what the file lacks
    sample = None if as_json else sample_of(model, _STEPS, data=data)
    built = [] if as_json else built_facts(reports_in(reports), model_path.stem)  # there may be none
    pictures = _floorplans(reports, [str(each["report"]) for each in built])
    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("engines")
        figures = Figures(model, activity=activity)
        rows = rows_of(
            *(figures, str(model_path), boards, placement),
            progress=lambda done, of: shown.update(task, completed=done, total=of),
        )
    if csv_path is not None:
        with atomic_write(csv_path) as file:
            file.write(as_csv(rows).encode())
    if as_json:
        print_json(
            {"model": str(model_path), "counted_on": figures.sample.source, "rows": list(map(asdict, rows))}
        )
        return
    assert sample is not None
    holding = {row.board for row in rows}
    short = {
        board.name: what_is_short(figures, board, placement) for board in boards if board.name not in holding
    }
    text = page(
        *(model_path.stem, str(model_path), model, rows, board_facts(boards, short), built),
        pictures=pictures,
        activity=activity_of(model, default_engine(model, placement=placement), sample),
        sample=figures.sample.source,
    )
    with atomic_write(output) as file:
        file.write(text.encode())
    click.echo(f"wrote {output}: {len(rows)} engines on {len(holding)} of {len(boards)} boards")


def _floorplans(folder: Path, reports: list[str]) -> dict[str, str]:
    """SVG of the floorplans that lie beside reports, as REPORT-floorplan.svg."""
    found = {name: folder / f"{name}-floorplan.svg" for name in reports}
    return {
        f"where the components of {name} lie on the chip": read_text(path)
        for name, path in found.items()
        if path.is_file()
    }


COMMANDS = (explore,)
"""What :mod:`trine.cli` adds."""
