"""The command that compares reports of routed boards with the source: reports."""

from pathlib import Path

import click
from rich.console import Console

from trine.cli.build import design_of_command
from trine.cli.model import json_option, print_json
from trine_sw.support.errors import TrineError

__all__ = ["COMMANDS"]

_RESULTS = Path("docs/results")


@click.command()
@click.argument("folder", metavar="[FOLDER]", type=click.Path(path_type=Path), default=_RESULTS)
@click.option("--check", is_flag=True, help="Fail where a page or a table does not show what is stale.")
@click.option("--mark", "write", is_flag=True, help="Mark what is stale in pages and tables.")
@json_option
def reports(folder: Path, check: bool, write: bool, as_json: bool) -> None:
    """Say which reports of routed boards are stale: whether the source still elaborates to their netlist.

    FOLDER holds the reports, docs/results if none is given; run it where their commands were run. Tables of
    README.md, of docs and of FOLDER that quote a report are looked at, too.
    """
    from dataclasses import asdict

    from trine.reports.stale_reports import mark, states

    console = Console(stderr=True)
    with console.status("elaboration") as status:
        found = states(folder, _digest_now, lambda name: status.update(f"elaboration: {name}"))
    pages = [path for path in (Path("README.md"), *sorted(Path("docs").glob("*.md"))) if path.is_file()]
    pages += [path for path in (folder / "README.md",) if path.is_file()]
    wrong = mark(found, folder, pages, write=write)
    if as_json:
        print_json({"reports": [asdict(state) for state in found], "marks": [str(path) for path in wrong]})
    else:
        for state in found:
            click.echo(f"{state.name}: {'stale' if state.stale else 'current'}, {state.reason}")
        for path in wrong:
            click.echo(f"{path}: {'marks were corrected' if write else 'its marks are wrong'}")
    if check and wrong and not write:
        raise TrineError("marks of stale reports are wrong; trine reports --mark corrects them")


def _digest_now(command: str) -> str:
    """The digest of the netlist that a ``trine build`` command elaborates to."""
    from trine_boards.build.netlist_digest import elaborated_digest

    design = design_of_command(command)
    return elaborated_digest(design.top, design.board)


COMMANDS = (reports,)
