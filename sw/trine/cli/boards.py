"""The boards as tables: what they have, and which of them holds a model."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from trine.cli.model import json_option, print_json
from trine.cli.tables import print_table
from trine_sw.support.errors import TrineError

__all__ = ["COMMANDS", "compare"]

#: What ``sim.measure.board_rates`` and ``sim.measure.tiny_bitstreams`` found, as it is shipped.
_RECORDS = Path(__file__).parents[1] / "shipped/docs/results"
#: Options of ``trine fit`` that are for a single board.
_OF_ONE = {"lanes": None, "banks": None, "balance": False, "baud": None, "link": None}


def _record(name: str) -> dict[str, Any]:
    """What was measured; nothing where there is no record."""
    path = _RECORDS / name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _facts() -> dict[str, dict[str, Any]]:
    from trine_boards import BOARDS
    from trine_boards.transports.base import line_bytes_per_s

    rates, routed = _record("board-rates.json"), _record("boards.json")
    facts = {}
    for name, board in BOARDS.items():
        links = {each.name: line_bytes_per_s(each, board.clock_mhz) for each in board.transports}
        there = ("title", "chip", "lut4", "ff", "block_ram", "spram", "dsp", "clock_mhz", "baud", "price")
        facts[name] = {
            **{column: getattr(board, column) for column in there},
            "memory_bytes": board.memory_bytes,
            "links": links,
            "largest": rates.get(name, {}).get("largest", {}),
            "tokens_per_s": rates.get(name, {}).get("tokens_per_s", {}),
            "routed_fmax_mhz": routed.get(name, {}).get("fmax_mhz"),
            "notes": board.notes,
        }
    return facts


@click.command()
@json_option
def boards(as_json: bool) -> None:
    """Show the boards that Trine knows, what they hold and how fast they are.

    Links are shown with the most bytes/s that each carries; "largest" is the units of one layer with 64
    symbols; tokens/s are those of the engine and of a program behind the first link; "routed" is the clock of
    a tiny engine, where one was built.
    """
    facts = _facts()
    if as_json:
        print_json(facts)
        return
    table = Table(
        Column("board", no_wrap=True),
        *(
            "chip",
            "price",
            "memory",
            "links, B/s",
            "largest LSTM, GRU",
            "tokens/s: engine, host",
            "routed, MHz",
        ),
    )
    for name, board in facts.items():
        links = (f"{link} {rate:,}" if rate else link for link, rate in board["links"].items())
        largest = board["largest"]
        table.add_row(
            name,
            board["chip"],
            board["price"],
            f"{board['memory_bytes'] // 1000:,} kB",
            "\n".join(links),
            f"{largest['lstm']}, {largest['gru']}" if largest else "",
            "\n".join(map(_rate, board["tokens_per_s"].items())),
            str(board["routed_fmax_mhz"] or ""),
        )
    print_table(table)


def _rate(demo: tuple[str, Mapping[str, int | None]]) -> str:
    name, rates = demo
    return f"{name} {rates['engine']:,}" + (f", {rates['host']:,}" if rates["host"] else "")


def compare(model_path: Path, as_json: bool, options: Mapping[str, Any]) -> None:
    """Show what each board would do for a model; ``options`` are those of ``trine fit``."""
    from dataclasses import asdict

    from trine.board_choice import compare_boards

    given = sorted(f"--{name}" for name, default in _OF_ONE.items() if options[name] != default)
    if given:
        raise TrineError(f"{', '.join(given)} is for one board: give --board too")
    with Console(stderr=True).status("") as status:
        choices = compare_boards(
            model_path,
            embedding=options["embedding"],
            head=options["head"],
            activity=options["activity"],
            progress=lambda board: status.update(f"{board}: the engine that fits"),
        )
    if as_json:
        print_json([asdict(choice) for choice in choices])
        return
    table = Table(
        *(Column("board", no_wrap=True), "price", "engine"),
        *(Column(name, justify="right") for name in ("cycles", "engine, tokens/s", "host, tokens/s")),
        "limit",
    )
    for choice in choices:
        if choice.short is not None:
            table.add_row(choice.board, choice.price, f"[red]{escape(choice.short)}[/]")
            continue
        host = "" if choice.host_tokens_per_s is None else f"{choice.host_tokens_per_s:,}"
        table.add_row(
            *(choice.board, choice.price, f"{choice.lanes} lanes, {choice.banks} banks"),
            *(f"{choice.cycles_per_token:,.2f}", f"{choice.tokens_per_s:,}", host, choice.host_limit or ""),
        )
    print_table(table)


COMMANDS = (boards,)
