"""The command bench."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trine.cli.model import json_option, model_argument, print_json
from trine.cli.outputs import OutputFile
from trine.cli.placement import PLACES
from trine_sw.support.errors import TrineError
from trine_sw.support.json_text import json_text

if TYPE_CHECKING:
    from trine_sw.engine.placement import Place

__all__ = ["COMMANDS"]


@click.command()
@model_argument
@click.option(
    "--reports",
    type=click.Path(path_type=Path),
    default="docs/results",
    show_default=True,
    help="Folder with the reports of routed engines.",
)
@click.option(
    "--embedding", type=PLACES, help="Where the counted engines have the embedding.  [default: on the host]"
)
@click.option(
    "--head",
    type=PLACES,
    help="Where the counted engines have the ternary head.  [default: on the host: the layer alone counts]",
)
@click.option("--seconds", default=1.0, show_default=True, help="To spend on each way of computing.")
@click.option("--figure", type=OutputFile(), help="SVG to draw.")
@click.option("--output", type=OutputFile(), help="JSON to write.")
@json_option
def bench(
    model_path: Path,
    reports: Path,
    embedding: "Place | None",
    head: "Place | None",
    seconds: float,
    figure: Path | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Compare a model's routed engine with this CPU and with published engines, and count cycles."""

    from trine.bench.bench import run_bench
    from trine_sw.engine.placement import Placement
    from trine_sw.support.atomic_file import atomic_write

    if not 0 < seconds < float("inf"):
        raise TrineError(f"--seconds must be above 0, not {seconds:g}")
    if figure is not None:
        from trine_sw.support.plotting import pyplot

        pyplot()  # says what is missing before a minute is spent
    with Console(stderr=True).status("bench") as status:
        found = run_bench(
            model_path,
            reports,
            seconds=seconds,
            placement=Placement(embedding, head),
            tell=lambda what: status.update(what),
        )
    if figure is not None:
        from trine.bench.figure import draw_bench

        draw_bench(found, figure)
    if output is not None:
        with atomic_write(output) as file:
            file.write((json_text(found.as_json(), indent=2) + "\n").encode())
    if as_json:
        print_json(found.as_json())
        return
    console = Console()
    shape = f"{found.hidden} units, {found.embedding} inputs"
    active = f"{found.activity_x:.1%} of x and {found.activity_h:.1%} of h active"
    table = Table(title=f"{found.model}: {shape}, {active}; {found.cpu}", title_justify="left")
    for name in ("", "us", "steps/s", "dense GOp/s", "effective", "per kLUT", "ROM ports"):
        table.add_column(name, justify="left" if not name else "right", overflow="fold")
    notes: list[str] = []

    def noted(name: str, note: str) -> str:
        if note not in notes:
            notes.append(note)
        return f"{name} [{notes.index(note) + 1}]"

    def number(value: float | None, form: str) -> str:
        return "" if value is None else format(value, form)

    for row in found.rows:
        table.add_row(
            escape(noted(row.name, row.note)),
            *(number(row.us, ".2f"), number(row.tokens_per_s, ",.0f"), number(row.dense_gops, ",.1f")),
            *(number(row.effective_gops, ",.1f"), number(row.dense_gops_per_klut, ".1f")),
            number(row.rom_share, ".0%"),
        )
    table.add_section()
    for each in found.anchors:
        steps = 1 / each.seconds if each.seconds else None
        table.add_row(
            escape(noted(f"{each.name}, {each.chip}: {each.what}", each.source)),
            *(number(each.seconds and each.seconds * 1e6, ".2f"), number(steps, ",.0f")),
            *(number(each.gops, ",.1f"), "", number(each.gops_per_klut, ".1f"), ""),
        )
    console.print(table)
    for index, note in enumerate(notes):
        console.print(f"{escape(f'[{index + 1}]')} {escape(note)}", soft_wrap=True)
    for title, points in (
        ("Cycles a token as the layer grows", found.hidden_sweep),
        (f"... and as {found.model}'s engine does", found.engine_sweep),
    ):
        sweep = Table(title=title, title_justify="left")
        for name in ("units", "lanes", "banks", "groups", "cycles", "all columns"):
            sweep.add_column(name, justify="right")
        for p in points:
            counts = (p.hidden, p.lanes, p.banks, p.groups)
            sweep.add_row(*map(str, counts), f"{p.cycles:.1f}", str(p.dense))
        console.print(sweep)


COMMANDS = (bench,)
"""What :mod:`trine.cli` adds."""
