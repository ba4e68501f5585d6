"""The command that compares reports of routed boards with the source: reports."""

import shlex
from pathlib import Path

import click
from rich.console import Console

from trine.cli.build import build, requests_of
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
    from dataclasses import fields

    from trine.designs import BuildRequest
    from trine_boards.build.netlist_digest import elaborated_digest

    words = shlex.split(command)
    if words[:2] != ["trine", "build"]:
        raise TrineError(f"{command!r} is no command of trine build")
    decisive = {field.name for field in fields(BuildRequest)} - {"model_path", "board_name"}
    which = ("model_paths", "more_models", "board_names", "all_boards")
    try:
        asked = build.make_context("trine build", words[2:]).params
        requests = requests_of(**{name: asked[name] for name in (*which, *decisive)})
    except click.ClickException as error:
        raise TrineError(error.format_message()) from None
    if len(requests) > 1:
        raise TrineError(f"{command!r} is of more than one build")
    design = requests[0].design()
    return elaborated_digest(design.top, design.board)


COMMANDS = (reports,)
