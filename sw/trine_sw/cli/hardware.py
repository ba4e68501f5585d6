"""Commands about gateware and boards: tools, boards, fit, verilog, build, program."""

import math
import shlex
import signal
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trine_sw.cli.model import json_option, model_argument, print_json, print_pairs
from trine_sw.errors import TrineError
from trine_sw.whole_file import make_folder, replacing

if TYPE_CHECKING:
    from trine_boards.board import Board
    from trine_sw.fit import Fit
    from trine_sw.model import Model

__all__ = ["COMMANDS"]

board_option = click.option("--board", "board_name", metavar="NAME", required=True, help="See trine boards.")
lanes_option = click.option("--lanes", type=int, help="Accumulators at most.  [default: chosen by fit]")
banks_option = click.option("--banks", type=int, help="Column ROMs read at once.  [default: chosen by fit]")

balance_option = click.option(
    "--balance", is_flag=True, help="Assign columns to banks by how often they are active together."
)


def _board(name: str) -> "Board":
    from trine_boards import BOARDS

    if name not in BOARDS:
        raise TrineError(f"there is no board {name!r}; there are: {', '.join(sorted(BOARDS))}")
    return BOARDS[name]


def _fit(
    model: "Model",
    board: "Board",
    lanes: int | None = None,
    banks: int | None = None,
    balance: bool = False,
) -> "Fit":
    """The engine that the solver picks, or the one that the user asks for, with what it should cost."""
    from trine_boards import BOARDS
    from trine_sw.fit import DoesNotFit, balance_banks, configure, estimate, fit
    from trine_sw.fit_advice import advice

    if (lanes is None) != (banks is None):
        raise TrineError("give --lanes and --banks together, or neither")
    if lanes is None or banks is None:
        try:
            chosen = fit(model, board)
        except DoesNotFit as error:
            raise TrineError(f"{error}; {advice(model, board, BOARDS.values())}") from None
        return estimate(model, balance_banks(model, chosen.engine), board) if balance else chosen
    engine = configure(model, lanes, banks, chip=board)
    chosen = estimate(model, balance_banks(model, engine) if balance else engine, board)
    depth = chosen.geometry.depth
    if chosen.engine.block_ram == "ecp5" and depth > board.block_ram_depth:
        raise TrineError(
            f"{lanes} lanes and {banks} banks make banks of {depth} words, and a block RAM of {board.name} "
            f"has {board.block_ram_depth}; take more lanes or banks"
        )
    for what, needed, there in (
        ("block RAMs", chosen.block_ram, board.block_ram),
        ("LUT4", chosen.lut4, board.lut4),
    ):
        if needed > there:
            raise TrineError(
                f"{lanes} lanes and {banks} banks do not fit {board.name}: {needed - there} {what} too many "
                f"({needed} of {there}); take fewer lanes or banks"
            )
    return chosen


@click.command()
@json_option
def tools(as_json: bool) -> None:
    """Show which tools are used, their versions, and what to install where one is missing."""
    from trine_sw import toolchain

    found = {name: toolchain.find(name) for name in toolchain.TOOLS}
    if as_json:
        print_json(
            {
                name: {"found": tool is not None, "needed_for": toolchain.TOOLS[name].purpose}
                | (
                    {"version": tool.version, "source": tool.source, "command": list(tool.command)}
                    if tool
                    else {"install": toolchain.TOOLS[name].install}
                )
                for name, tool in found.items()
            }
        )
        return
    table = Table("tool", "for", "version", "from")
    for name, tool in found.items():
        spec = toolchain.TOOLS[name]
        if tool:
            table.add_row(name, spec.purpose, tool.version, tool.source)
        else:
            table.add_row(name, spec.purpose, "[red]missing[/]", f"[red]{escape(spec.install)}[/]")
    Console().print(table)


@click.command()
@json_option
def boards(as_json: bool) -> None:
    """Show the boards that Trine knows."""
    from trine_boards import BOARDS

    columns = ("chip", "lut4", "block_ram", "dsp", "clock_mhz", "baud")
    if as_json:
        print_json({name: {c: getattr(board, c) for c in columns} for name, board in BOARDS.items()})
        return
    table = Table("board", *BOARDS)  # a column a board: names of chips are long
    for row in ("title", *columns):
        values = (getattr(board, row) for board in BOARDS.values())
        table.add_row(row, *(f"{value:,}" if isinstance(value, int) else str(value) for value in values))
    Console().print(table)


@click.command()
@model_argument
@board_option
@lanes_option
@banks_option
@balance_option
@json_option
def fit(
    model_path: Path, board_name: str, lanes: int | None, banks: int | None, balance: bool, as_json: bool
) -> None:
    """Pick an engine for a model on a board, or take yours, and say what it should cost and reach."""
    from trine_sw.model import Model

    board = _board(board_name)
    facts = _facts(_fit(Model.load(model_path), board, lanes, banks, balance), board)
    if as_json:
        print_json(facts)
    else:
        print_pairs(facts, f"{model_path} on {board.title}, expected")


def _facts(chosen: "Fit", board: "Board") -> dict[str, Any]:
    # Without an embedding there is no text to measure with.
    cycles = None if math.isnan(chosen.cycles_per_token) else chosen.cycles_per_token
    assigned = chosen.engine.assignment is not None
    return asdict(chosen.engine) | {
        "assignment": "by activity" if assigned else "in turn",
        "lanes": chosen.geometry.lanes,
        "groups": chosen.geometry.groups,
        "lut4": chosen.lut4,
        "block_ram": chosen.block_ram,
        "cycles_per_token": cycles and round(cycles, 2),
        "clock_mhz": board.clock_mhz,
        "tokens_per_s": cycles and round(board.clock_mhz * 1e6 / cycles),
    }


@click.command()
@model_argument
@click.option("--board", "board_name", metavar="NAME", help="Choose the engine for this board.")
@lanes_option
@banks_option
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder to write to.")
def verilog(
    model_path: Path, board_name: str | None, lanes: int | None, banks: int | None, output: Path
) -> None:
    """Write a model's engine as Verilog, for a design of your own."""
    from trine_sw import toolchain
    from trine_sw.fit import configure
    from trine_sw.model import Model

    model = Model.load(model_path)
    if board_name is not None:
        engine = _fit(model, _board(board_name), lanes, banks).engine
    elif lanes is not None and banks is not None:
        engine = configure(model, lanes, banks)
    else:
        raise click.UsageError("give --board, or --lanes and --banks")
    toolchain.require("yosys")
    toolchain.activate()
    from amaranth.back import verilog as back

    from trine_hw.core import Core

    text = back.convert(Core(model, engine), name="trine_core", emit_src=False)
    path = make_folder(output) / "trine_core.v"
    with replacing(path) as file:
        file.write(text.encode())
    print_pairs({"wrote": path, "module": "trine_core"} | asdict(engine))


@click.command()
@model_argument
@board_option
@click.option("--clock", type=float, help="Clock of the engine, MHz.  [default: the board's]")
@lanes_option
@banks_option
@balance_option
@click.option("--floorplan", is_flag=True, help="Keep where every cell lies, for trine draw floorplan.")
@click.option("--seeds", default=1, show_default=True, help="Placements to make, of which the best is taken.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder.  [default: build/BOARD-MODEL]")
@click.option("--results", type=click.Path(path_type=Path), help="Folder for a copy of the report.")
@json_option
def build(
    model_path: Path,
    board_name: str,
    clock: float | None,
    lanes: int | None,
    banks: int | None,
    balance: bool,
    floorplan: bool,
    seeds: int,
    output: Path | None,
    results: Path | None,
    as_json: bool,
) -> None:
    """Make a board's bitstream and the report of what it reaches. Finished steps are kept and reused."""
    from trine_boards.build import build_bitstream
    from trine_boards.report import make_report, write_report
    from trine_boards.top import BoardTop
    from trine_sw.model import Model

    if seeds < 1:
        raise TrineError(f"--seeds must be at least 1, not {seeds}")
    board = _board(board_name)
    clock = board.clock_mhz if clock is None else clock
    if not 0 < clock < math.inf:
        raise TrineError(f"--clock must be a number of MHz above 0, not {clock:g}")
    model = Model.load(model_path)
    if model.embedding_weight is None:
        raise TrineError(
            f"{model_path} holds no embedding: there is no text for its report to count cycles of"
        )
    if results is not None:
        make_folder(results)  # better now than after the build
    engine = _fit(model, board, lanes, banks, balance).engine
    name = model_path.stem
    folder = output or Path("build") / f"{board.name}-{name}"
    # A plain kill must end the tools too, as an interruption from the keyboard does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        top = BoardTop(model, engine, board, clock)
        console = Console(stderr=True)
        with console.status("elaboration") as status:
            running: dict[str, float] = {}

            def progress(step: str, what: str, seconds: float) -> None:
                if what in ("done", "kept"):
                    running.pop(step, None)
                    console.print(f"{step}: {what}")
                else:
                    running[step] = seconds
                shown = ", ".join(f"{name} {at:.0f} s" for name, at in sorted(running.items()))
                status.update(f"{shown}; logs in {folder}")

            routed = build_bitstream(
                top,
                board,
                clock,
                folder,
                seeds=range(1, seeds + 1),
                placement=floorplan,
                progress=progress,
            )
    except ValueError as error:  # a clock that the PLL or the UART cannot make
        raise TrineError(str(error)) from None
    except KeyboardInterrupt:
        raise TrineError(
            f"interrupted; finished steps are kept in {folder}, and the same command goes on from them"
        ) from None
    words = ["trine", "build", str(model_path), "--board", board.name, "--clock", f"{clock:g}"]
    if lanes is not None:
        words += ["--lanes", str(lanes), "--banks", str(banks)]
    words += [*(["--balance"] if balance else []), "--seeds", str(seeds)]
    report = make_report(model, name, engine, board, routed, shlex.join(words))
    for where in filter(None, (folder, results)):
        write_report(report, board, where)
    facts = {"bitstream": str(routed.bitstream)} | asdict(report)
    if as_json:
        print_json(facts)
    else:
        print_pairs(facts)


@click.command()
@click.argument("bitstream", type=click.Path(path_type=Path))
@board_option
@click.option("--flash", is_flag=True, help="Write to flash, so that it stays without power.")
def program(bitstream: Path, board_name: str, flash: bool) -> None:
    """Load a bitstream onto a board that is plugged in."""
    from trine_boards.families import FAMILIES
    from trine_sw import toolchain

    board = _board(board_name)
    wanted = f".{FAMILIES[board.family].bitstream}"
    if bitstream.suffix != wanted:  # the loader would write anything else to flash as it is
        raise TrineError(f"{bitstream} is no bitstream for {board.title}: its name must end in {wanted}")
    if not bitstream.is_file() or not bitstream.stat().st_size:
        raise TrineError(f"there is no bitstream {bitstream}, or it is empty; make it with trine build")
    loader = toolchain.require("openFPGALoader")
    command = [*loader.command, "--board", board.programmer]
    command += [*(["--write-flash"] if flash else []), str(bitstream)]
    done = subprocess.run(command, env=loader.environ(), capture_output=True, text=True, errors="replace")
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        said = "; ".join(lines[-3:]) or f"status {done.returncode}"
        advice = "Is it plugged in, and may you use it?"
        if "shared libraries" in said:
            advice = "Install that library from your system's packages (libusb-1.0-0 on Debian)"
        raise TrineError(f"openFPGALoader could not program {board.title}: {said}. {advice}")
    click.echo(f"{board.title} runs {bitstream}")


COMMANDS = (tools, boards, fit, verilog, build, program)
