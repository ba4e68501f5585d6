"""The command that makes a bitstream: build."""

import shlex
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from trine.cli.hardware import baud_option, board_option, engine_options, link_option
from trine.cli.model import json_option, model_argument, print_json, print_pairs
from trine.cli.outputs import OutputFolder
from trine_sw.fit.sample import ACTIVITY
from trine_sw.support.checks import integer
from trine_sw.support.errors import TrineError
from trine_sw.support.interruption import Interrupted

if TYPE_CHECKING:
    from trine_boards.board_spec import BoardSpec
    from trine_boards.build.bitstream import TooLarge
    from trine_boards.top import BoardTop
    from trine_sw.engine.placement import Place
    from trine_sw.fit import Fit
    from trine_sw.model import Model

__all__ = ["COMMANDS", "Design", "build", "prepared"]


@dataclass(frozen=True)
class Design:
    """What the options of ``trine build`` ask for. `margin` is a fraction of the clock."""

    model: "Model"
    fit: "Fit"
    board: "BoardSpec"
    clock_mhz: float
    margin: float

    @cached_property
    def top(self) -> "BoardTop":
        """The board's gateware."""
        from trine_boards.top import BoardTop

        return BoardTop(self.model, self.fit.engine, self.board, self.clock_mhz, self.margin)


def prepared(
    model_path: Path,
    board_name: str,
    clock: float | None,
    margin: float,
    link: str | None,
    baud: int | None,
    **engine: Any,
) -> Design:
    """The design that the options ask for; `margin` is in %, and `engine` as :func:`trine.fit` takes it.

    Raises
    ------
    TrineError
        If the model cannot be read, or the board does not hold it at that clock.
    """
    from trine.fitting import as_board
    from trine.fitting import fit as choose
    from trine_boards.clock.choice import board_clock
    from trine_sw.model import Model

    board = as_board(board_name, baud, link)
    clock = board_clock(board, board.clock_mhz if clock is None else clock)
    if not 0 <= margin < 100:
        raise TrineError(f"--margin must be 0 % or more, and less than 100, not {margin:g}")
    model = Model.load(model_path)
    fit = choose(model, board, **engine)
    return Design(model, fit, board, clock, margin / 100)


@click.command()
@model_argument
@board_option
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
@engine_options
@click.option("--floorplan", is_flag=True, help="Keep where every cell lies, for trine draw floorplan.")
@click.option("--seeds", default=1, show_default=True, help="Seeds of place and route; the best is taken.")
@click.option(
    "--check/--no-check", default=True, help="Run the netlist against the model before it is placed."
)
@click.option("-o", "--output", type=OutputFolder(), help="Folder.  [default: build/BOARD-MODEL]")
@click.option("--results", type=OutputFolder(), help="Folder for a copy of the report.")
@json_option
def build(
    model_path: Path,
    board_name: str,
    clock: float | None,
    margin: float,
    link: str | None,
    baud: int | None,
    lanes: int | None,
    banks: int | None,
    balance: bool,
    embedding: "Place | None",
    head: "Place | None",
    activity: float,
    floorplan: bool,
    seeds: int,
    check: bool,
    output: Path | None,
    results: Path | None,
    as_json: bool,
) -> None:
    """Make a board's bitstream and the report of what it reaches. Finished steps are kept and reused.

    Without --lanes and --banks, an engine that turns out too large for the chip is replaced by a smaller one.
    """
    from trine.building import MOST_SEEDS
    from trine.building import build as make
    from trine_boards.board_spec import MARGIN
    from trine_boards.build.bitstream import TooLarge

    integer(seeds, "--seeds", 1, MOST_SEEDS)
    chosen: dict[str, Any] = {
        "balance": balance,
        "embedding": embedding,
        "head": head,
        "activity": activity,
    }
    design = prepared(
        *(model_path, board_name, clock, margin, link, baud), lanes=lanes, banks=banks, **chosen
    )
    board, clock, margin = design.board, design.clock_mhz, design.margin
    name = model_path.stem
    folder = output or Path("build") / f"{board.name}-{name}"
    words = ["trine", "build", str(model_path), "--board", board.name, "--clock", f"{clock:.7g}"]
    if margin != MARGIN:
        words += ["--margin", f"{100 * margin:g}"]
    words += [] if link is None else ["--link", link]
    words += [] if baud is None else ["--baud", str(baud)]
    words += ["--balance"] if balance else []
    words += [
        part for name, at in (("embedding", embedding), ("head", head)) if at for part in (f"--{name}", at)
    ]
    words += ["--activity", f"{activity:g}"] if activity != ACTIVITY else []
    words += ["--seeds", str(seeds)]
    console = Console(stderr=True)
    if check and board.transport.pin_host(board.clock_mhz) is None:
        console.print(f"check: not made, there is no model of the pins of the link {board.transport.name}")
    running: dict[str, float] = {}
    own = [] if lanes is None else ["--lanes", str(lanes), "--banks", str(banks)]
    try:
        with console.status("elaboration") as status:

            def progress(step: str, what: str, seconds: float) -> None:
                if what in ("done", "kept"):
                    running.pop(step, None)
                    console.print(f"{step}: {what}")
                else:
                    running[step] = seconds
                shown = ", ".join(f"{name} {at:.0f} s" for name, at in sorted(running.items()))
                status.update(f"{shown}; logs in {folder}")

            while True:
                try:
                    built = make(
                        design.model,
                        design.fit,
                        folder,
                        name=name,
                        clock=clock,
                        margin=margin,
                        seeds=seeds,
                        check=check,
                        floorplan=floorplan,
                        results=results,
                        command=shlex.join([*words, *own]),
                        progress=progress,
                    )
                    break
                except TooLarge as error:
                    if lanes is not None:
                        raise
                    design = _smaller(design, error, console, **chosen)
                    engine = design.fit.engine
                    own = ["--lanes", str(engine.lanes), "--banks", str(engine.banks)]
                    own += [] if embedding else ["--embedding", engine.embedding]
                    own += [] if head else ["--head", engine.head]
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; finished steps are kept in {folder}, and the same command goes on from them"
        ) from None
    facts = {"bitstream": str(built.bitstream)} | asdict(built.report)
    if as_json:
        print_json(facts)
    else:
        print_pairs(facts)


def _smaller(design: Design, error: "TooLarge", console: Console, **options: Any) -> Design:
    """The design with an engine that takes so much less as the first one took too much."""
    from trine.fitting import fit_again

    taken = design.fit.cost.lut4
    fit = fit_again(design.model, design.fit, error.used, **options)
    console.print(
        f"the engine of {design.fit.engine.lanes} lanes takes {error.used:,} logic cells, where {taken:,} "
        f"were expected and the chip has {error.available:,}: going on with {fit.engine.lanes} lanes",
        soft_wrap=True,
        highlight=False,
    )
    return replace(design, fit=fit)


COMMANDS = (build,)
