"""The command that makes bitstreams: build."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from trine.cli.hardware import baud_option, engine_options, link_option
from trine.cli.model import json_option, print_json, print_pairs
from trine.cli.outputs import OutputFolder
from trine.cli.side_by_side import as_cluster, cluster_option, processes_option, steps_option
from trine_sw.support.checks import integer
from trine_sw.support.errors import TrineError
from trine_sw.support.interruption import Interrupted

if TYPE_CHECKING:
    from trine.designs import BuildRequest, Design
    from trine.matrix import Cell
    from trine_sw.cluster.job import Cluster

__all__ = ["COMMANDS", "design_of_command"]

#: Seconds after which a step that still runs is told of again, where nobody sees a line that changes.
_TOLD = 60


@click.command()
@click.argument("model_paths", metavar="[MODEL]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--model",
    "more_models",
    metavar="MODEL",
    multiple=True,
    type=click.Path(path_type=Path),
    help="The same as an argument; may be repeated.",
)
@click.option(
    "--board", "board_names", metavar="NAME", multiple=True, help="See trine boards; may be repeated."
)
@click.option("--all-boards", is_flag=True, help="Every board that there is.")
@click.option("--clock", type=float, help="Clock of the engine, MHz.  [default: the board's]")
@baud_option
@click.option(
    "--margin",
    type=float,
    default=5,
    show_default=True,
    help="By how many % the routed clock must exceed the engine's.",
)
@link_option
@click.option(
    "--address",
    "board_address",
    metavar="A.B.C.D",
    help="IPv4 address of a board with the link ethernet.  [default: the board's, 192.168.1.50]",
)
@engine_options
@click.option("--floorplan", is_flag=True, help="Keep where every cell lies, for trine draw floorplan.")
@click.option("--seeds", default=1, show_default=True, help="Seeds of place and route; the best is taken.")
@click.option(
    "--check/--no-check", default=True, help="Run the netlist against the model before it is placed."
)
@click.option(
    "-o",
    "--output",
    type=OutputFolder(),
    help="Folder; of several builds, the folder of theirs.  [default: build/BOARD-MODEL, or build]",
)
@click.option("--results", type=OutputFolder(), help="Folder for a copy of the report.")
@processes_option("Seeds, or builds, that run side by side.", all_of_them=True)
@cluster_option
@steps_option
@json_option
def build(
    floorplan: bool,
    check: bool,
    board_address: str | None,
    output: Path | None,
    results: Path | None,
    processes: int | None,
    address: str | None,
    steps: Path | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Make a board's bitstream and the report of what it reaches. Finished steps are kept and reused.

    Without --lanes and --banks, an engine that turns out too large for the chip is replaced by a smaller one.

    Of several models or boards, or with --all-boards, each model is built for each board, and the page
    matrix.md says what came of it; one that does not fit does not stop the others.
    """
    from trine.building import MOST_SEEDS

    integer(asked["seeds"], "--seeds", 1, MOST_SEEDS)
    cluster = as_cluster(processes, address, steps, all_of_them=True)
    requests = _requests_of(address=board_address, **asked)
    options: dict[str, Any] = {"check": check, "floorplan": floorplan, "results": results}
    if len(requests) == 1 and not asked["all_boards"]:
        _build_one(requests[0], output, cluster, options, as_json)
    else:
        _build_all(requests, output or Path("build"), cluster, options, as_json)


def _requests_of(
    model_paths: Sequence[Path],
    more_models: Sequence[Path],
    board_names: Sequence[str],
    all_boards: bool,
    **asked: Any,
) -> "list[BuildRequest]":
    """What the options of ``trine build`` ask for, by model and then by board.

    Raises
    ------
    TrineError
        Where there is no such board.
    """
    from trine.designs import BuildRequest
    from trine.fitting import as_board
    from trine_boards import BOARDS

    paths = list(dict.fromkeys([*model_paths, *more_models]))
    if not paths:
        raise click.UsageError("Missing argument 'MODEL'.")
    if all_boards and board_names:
        raise TrineError("give --board or --all-boards, not both")
    if not all_boards and not board_names:
        raise click.UsageError("Missing option '--board', or --all-boards.")
    boards = list(BOARDS) if all_boards else list(dict.fromkeys(board_names))
    for name in boards:
        as_board(name)
    return [BuildRequest(path, board, **asked) for path in paths for board in boards]


def design_of_command(command: str) -> "Design":
    """The design of a ``trine build`` command, as a report keeps it, without its build.

    Raises
    ------
    TrineError
        If it is another command, of more than one build, or can be run no more.
    """
    from dataclasses import fields

    from trine.designs import BuildRequest

    words = shlex.split(command)
    if words[:2] != ["trine", "build"]:
        raise TrineError(f"{command!r} is no command of trine build")
    options = {field.name: field.name for field in fields(BuildRequest)} | {"address": "board_address"}
    which = ("model_paths", "more_models", "board_names", "all_boards")
    try:
        asked = build.make_context("trine build", words[2:]).params
        decisive = {name: asked[option] for name, option in options.items() if option in asked}
        requests = _requests_of(**{name: asked[name] for name in which}, **decisive)
    except click.ClickException as error:
        raise TrineError(error.format_message()) from None
    if len(requests) > 1:
        raise TrineError(f"{command!r} is of more than one build")
    return requests[0].design()


def _build_one(
    request: "BuildRequest", output: Path | None, cluster: "Cluster", options: dict[str, Any], as_json: bool
) -> None:
    from trine.designs import build_design

    design = request.design()
    folder = output or Path("build") / request.folder
    console = Console(stderr=True)
    with _progress(console, f"logs in {folder}", folder) as progress:
        built = build_design(
            request,
            design,
            folder,
            lambda line: console.print(line, soft_wrap=True, highlight=False),
            processes=cluster.processes,
            cluster=cluster.address,
            steps=cluster.steps,
            progress=progress,
            **options,
        )
    facts = {"bitstream": str(built.bitstream)} | asdict(built.report)
    if as_json:
        print_json(facts)
    else:
        print_pairs(facts)


def _build_all(
    requests: "list[BuildRequest]",
    folder: Path,
    cluster: "Cluster",
    options: dict[str, Any],
    as_json: bool,
) -> None:
    from trine.matrix import build_matrix, matrix_paths

    console = Console(stderr=True)

    def done(cell: "Cell") -> None:
        said = cell.why.split("\n")[0]
        if cell.report is not None:
            said = f"{cell.report['fmax_mhz']} MHz, {cell.report['tokens_per_s']:,} tokens/s"
        line = f"{cell.board}-{cell.model}: {cell.state}{': ' if said else ''}{said}"
        console.print(line, soft_wrap=True, highlight=False)

    with _progress(console, f"logs in folders of {folder}", folder) as progress:
        cells = build_matrix(requests, folder, cluster=cluster, progress=progress, done=done, **options)
    if as_json:
        print_json([asdict(cell) for cell in cells])
    else:
        click.echo(f"{matrix_paths(folder)[1]}")
    failed = sum(cell.state == "failed" for cell in cells)
    if failed:
        raise TrineError(f"{failed} of {len(cells)} builds failed; {matrix_paths(folder)[1]} says why")


@contextmanager
def _progress(console: Console, where: str, folder: Path) -> Iterator[Callable[[str, str, float], None]]:
    """Shows which steps run, and since when; an interruption says what is kept in `folder`."""
    running: dict[str, float] = {}
    try:
        with console.status("elaboration") as status:

            def progress(step: str, what: str, seconds: float) -> None:
                if what == "said":
                    console.print(step, soft_wrap=True, highlight=False)
                elif what == "restarted":
                    console.print(f"{step}: its worker was lost, and it starts again")
                elif what in ("done", "kept", "failed"):
                    running.pop(step, None)
                    console.print(f"{step}: {what}", highlight=False)
                else:
                    if not console.is_terminal and seconds >= running.get(step, 0) // _TOLD * _TOLD + _TOLD:
                        console.print(f"{step}: running, {seconds:.0f} s", highlight=False)
                    running[step] = seconds
                shown = ", ".join(f"{name} {at:.0f} s" for name, at in sorted(running.items()))
                status.update(f"{shown}; {where}")

            yield progress
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; finished steps are kept in {folder}, and the same command goes on from them"
        ) from None


COMMANDS = (build,)
