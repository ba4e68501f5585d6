"""Commands that choose hardware: tools, fit, verilog."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trine.cli.boards import compare
from trine.cli.model import json_option, model_argument, print_json, print_pairs
from trine.cli.outputs import OutputFolder
from trine.cli.placement import embedding_option, head_option, placement_options
from trine_sw.fit.sample import ACTIVITY
from trine_sw.support.atomic_file import atomic_write, check_writable

if TYPE_CHECKING:
    from trine_boards.board_spec import BoardSpec
    from trine_sw.engine import EngineConfig
    from trine_sw.engine.placement import Place
    from trine_sw.fit import Fit
    from trine_sw.model import Model

__all__ = ["COMMANDS", "baud_option", "board_option", "engine_options", "link_option"]

board_option = click.option("--board", "board_name", metavar="NAME", required=True, help="See trine boards.")
lanes_option = click.option("--lanes", type=int, help="Accumulators at most.  [default: chosen by fit]")
banks_option = click.option("--banks", type=int, help="Column ROMs read at once.  [default: chosen by fit]")

activity_option = click.option(
    "--activity",
    type=float,
    default=ACTIVITY,
    show_default=True,
    help="Share of random input trits that are not 0, to count cycles on where the model file has neither an "
    "embedding nor a sample of its inputs.",
)
baud_option = click.option(
    "--baud", type=int, help="Rate of the serial port.  [default: the board's, see trine fit --board]"
)
link_option = click.option(
    "--link", metavar="NAME", help="What carries the bytes, see trine boards.  [default: its first]"
)
balance_option = click.option(
    "--balance", is_flag=True, help="Assign columns to banks by how often they are active together."
)


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """All options that choose an engine for a board, under the names of :func:`trine.fit`'s parameters."""
    options = (lanes_option, banks_option, balance_option, embedding_option, head_option, activity_option)
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@json_option
def tools(as_json: bool) -> None:
    """Show which tools are used, their versions, and what to install where one is missing."""
    from trine_sw.support import toolchain

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
@model_argument
@click.option("--board", "board_name", metavar="NAME", help="See trine boards.  [default: all, compared]")
@baud_option
@link_option
@engine_options
@json_option
def fit(
    model_path: Path,
    board_name: str | None,
    baud: int | None,
    link: str | None,
    as_json: bool,
    **engine: Any,
) -> None:
    """Pick an engine for a model on a board, or take yours, and say what it should cost and reach.

    Without --board, say which boards hold the model and what each would do.
    """
    if board_name is None:
        compare(model_path, as_json, {"baud": baud, "link": link} | engine)
        return
    from trine.fitting import as_board
    from trine.fitting import fit as choose
    from trine.models import as_model

    board = as_board(board_name, baud, link)
    chosen = choose(model_path, board, **engine)
    facts = _facts(chosen, board) | _over_the_link(chosen, board, as_model(model_path))
    if as_json:
        print_json(facts)
    else:
        if not board.baud:  # its link has none
            del facts["baud"]
        print_pairs(facts, f"{model_path} on {board.title}, expected")


def _engine_facts(engine: "EngineConfig") -> dict[str, Any]:
    """An engine's configuration for people to read."""
    assigned = engine.assignment is not None
    return asdict(engine) | {"assignment": "by activity" if assigned else "in turn"}


def _facts(chosen: "Fit", board: "BoardSpec") -> dict[str, Any]:
    cycles = chosen.cycles_per_token
    return _engine_facts(chosen.engine) | {
        "lanes": chosen.geometry.lanes,
        "groups": chosen.geometry.groups,
        "lut4": chosen.lut4,
        "ff": chosen.cost.ff,
        "block_ram": chosen.block_ram,
        "spram": chosen.cost.spram,
        "cycles_per_token": round(cycles, 2),
        "counted_on": chosen.sample,
        "clock_mhz": board.clock_mhz,
        "link": board.transport.name,
        "baud": board.baud,
        "tokens_per_s": round(board.clock_mhz * 1e6 / cycles),
    }


def _over_the_link(chosen: "Fit", board: "BoardSpec", model: "Model") -> dict[str, Any]:
    """What a program gets through driver and link: next tokens, and states."""
    from trine_sw.fit.link_rate import link_rates

    clock_hz, facts = board.clock_mhz * 1e6, {}
    parts = model, chosen.engine, board.link, chosen.cycles_per_token
    wire = {"baud": board.baud, "transport": board.transport.name}
    for name, rate in link_rates(*parts, clock_hz=clock_hz, **wire).items():
        facts[f"host_{name}_tokens_per_s"] = round(rate.tokens_per_s)
        facts[f"host_{name}_limit"] = rate.limit
    return facts


@click.command()
@model_argument
@click.option("--board", "board_name", metavar="NAME", help="Choose the engine for this board.")
@lanes_option
@banks_option
@placement_options
@click.option("-o", "--output", type=OutputFolder(), required=True, help="Folder to write to.")
def verilog(
    model_path: Path,
    board_name: str | None,
    lanes: int | None,
    banks: int | None,
    embedding: "Place | None",
    head: "Place | None",
    output: Path,
) -> None:
    """Write a model's engine as Verilog, for a design of your own, and a testbench that drives it."""
    from trine.fitting import fit as choose
    from trine_sw.fit import Placement, configure
    from trine_sw.model import Model

    path = output / "trine_core.v"
    check_writable(path)
    model = Model.load(model_path)
    if board_name is not None:
        engine = choose(*(model, board_name), lanes=lanes, banks=banks, embedding=embedding, head=head).engine
    elif lanes is not None and banks is not None:
        engine = configure(model, lanes, banks, placement=Placement(embedding, head))
    else:
        raise click.UsageError("give --board, or --lanes and --banks")
    from trine_hw.core.core import Core
    from trine_hw.simulation.build import to_verilog
    from trine_hw.simulation.export import NAME, example_testbench

    core = Core(model, engine)
    files = {f"{NAME}.v": to_verilog(core, NAME), f"{NAME}_tb.v": example_testbench(core)}
    for name, text in files.items():
        with atomic_write(path.with_name(name)) as file:
            file.write(text.encode())
    wrote = {"wrote": path, "module": NAME, "testbench": path.with_name(f"{NAME}_tb.v")}
    print_pairs(wrote | _engine_facts(engine))


COMMANDS = (tools, fit, verilog)
