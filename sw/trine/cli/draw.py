"""The command draw and what it draws."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from trine.cli.model import model_argument
from trine.cli.outputs import OutputFile
from trine.cli.placement import placement_options
from trine_sw.support.errors import TrineError

if TYPE_CHECKING:
    from trine_sw.engine.placement import Place

__all__ = ["COMMANDS"]

output_option = click.option("-o", "--output", type=OutputFile(), required=True, help="SVG to write.")
folder_argument = click.argument("folder", metavar="BUILD", type=click.Path(path_type=Path))


@click.group()
def draw() -> None:
    """Draw a picture, as SVG, of a build, of reports or of a model."""


@draw.command()
@folder_argument
@output_option
def floorplan(folder: Path, output: Path) -> None:
    """Where the components of a design built with --floorplan lie on the chip."""
    from trine_boards.report.pictures import draw_floorplan

    placed = sorted(folder.glob("route-*.placed.json"))
    if not placed:
        raise TrineError(f"{folder} holds no floorplan: make one with trine build --floorplan")
    draw_floorplan(placed[0], output, folder.name)
    click.echo(f"wrote {output}")


@draw.command()
@folder_argument
@output_option
def resources(folder: Path, output: Path) -> None:
    """What the components of a built design take of LUT4, flip-flops and block RAMs."""
    from trine_boards.report.pictures import draw_resources

    draw_resources(folder / "top.json", output, f"{folder.name}, after synthesis")
    click.echo(f"wrote {output}")


@draw.command()
@click.argument("reports", metavar="REPORTS", type=click.Path(path_type=Path), default="docs/results")
@output_option
def roofline(reports: Path, output: Path) -> None:
    """What the routed engines in a folder of reports reach of their chips' memory ports."""
    from trine.reports.engine_figures import draw_roofline, read_reports
    from trine_boards import BOARDS

    found = read_reports(reports)
    draw_roofline(found, {name: board.block_ram_bits for name, board in BOARDS.items()}, output)
    click.echo(f"wrote {output}")


@draw.command()
@model_argument
@click.option("--dataset", help="Text to run, such as shakespeare or ptb, of a language model.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="A text file or, of sequences, a .npz, .csv or .ts file, an audio file or a folder of them.",
)
@click.option(
    "--split",
    help="Which part of the data, cut as in training; without --data, of what the model file names.  "
    "[default: valid of a text, all of the sequences of --data]",
)
@click.option("--count", default=2000, show_default=True, help="Tokens or steps of it.")
@placement_options
@output_option
def activity(
    model_path: Path,
    dataset: str | None,
    data: Path | None,
    split: str | None,
    count: int,
    embedding: "Place | None",
    head: "Place | None",
    output: Path,
) -> None:
    """Columns that each step activates, and the cycles it takes on three banks with a lane for every row.

    Without --dataset, --data and --split, the steps are text that a language model writes or, of other
    models, the sample in the model file, or the test split of the data that it names.
    """
    from trine.reports.engine_figures import draw_activity
    from trine.samples import sample_of
    from trine_sw.engine.default import default_engine
    from trine_sw.engine.placement import Placement
    from trine_sw.model import Model

    if count < 1:
        raise TrineError(f"--count must be at least 1, not {count}")
    model = Model.load(model_path)
    engine = default_engine(model, placement=Placement(embedding, head))
    sample = sample_of(model, count, dataset=dataset, data=data, split=split)
    draw_activity(model, engine, sample, output, sample.source)
    click.echo(f"wrote {output}")


COMMANDS = (draw,)
"""What :mod:`trine.cli` adds."""
