"""Commands for a board on the desk: program, doctor."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from trine.cli.board import known_ports, ports_of, ports_on_usb
from trine.cli.hardware import board_option
from trine.cli.model import json_option, print_json
from trine.cli.outputs import OutputFile
from trine_sw.support.atomic_file import atomic_write, check_writable
from trine_sw.support.errors import TrineError
from trine_sw.support.json_text import json_text

if TYPE_CHECKING:
    from trine.doctor import Check
    from trine_sw.driver.self_test import SelfTest
    from trine_sw.link.board_info import Info

__all__ = ["COMMANDS"]

#: Seconds in which a board that was just programmed must answer.
_ANSWER_SECONDS = 5.0
_RULES = "60-trine.rules"


@click.command()
@click.argument("bitstream", type=click.Path(path_type=Path))
@board_option
@click.option("--flash", is_flag=True, help="Write to flash, so that it stays without power.")
@click.option("--port", help="Serial port of the board.  [default: the one that is found]")
@click.option("--no-ask", is_flag=True, help="Do not ask the board afterwards what it is.")
def program(bitstream: Path, board_name: str, flash: bool, port: str | None, no_ask: bool) -> None:
    """Load a bitstream onto a board that is plugged in, and ask whether it answers as it was built."""
    from trine.fitting import as_board
    from trine_boards.build.record import RECORD_NAME, BuildRecord
    from trine_boards.programming import compare
    from trine_boards.programming import program as load

    board = as_board(board_name)
    built = baud = address = None
    transport = board.transport
    if (bitstream.parent / RECORD_NAME).exists():
        record = BuildRecord.load(bitstream.parent)
        if record.board != board.name:
            raise TrineError(f"{bitstream} was built for {record.board}, not for {board.name}")
        if record.bitstream == bitstream.name:
            built, baud = record.built_info(), record.baud or None
            address = record.address
            transport = board.over(record.transport).transport
    load(bitstream, board, flash=flash)
    click.echo(f"{board.title} has taken {bitstream}" + (", into its flash" if flash else ""))
    if no_ask:
        return
    if port is None and not transport.baud and not transport.usb:
        where = f"--port udp://{address}" if address else "--port"
        click.echo(f"not asked what it is: its link is {transport.name}; give {where}", err=True)
        return
    if port is None:
        ports = ports_on_usb(transport.usb) if transport.usb else ports_of(board)
        if len(ports) != 1:
            found = f"{len(ports)} serial ports may be its: {', '.join(ports)}" if ports else "no serial port"
            click.echo(f"not asked what it is: {found}; give --port, or see trine doctor", err=True)
            return
        port = ports[0]
    info = _info(port, baud)
    if built is None:
        click.echo(
            f"a Trine board answers at {port}, model {info.digest.hex()[:12]}…, {info.hidden} units, "
            f"{info.clock_hz / 1e6:g} MHz; there is no {RECORD_NAME} beside {bitstream} to compare it with"
        )
        return
    if differences := compare(built, info):
        raise TrineError(
            f"{board.title} answers at {port}, but not as this bitstream was built: "
            f"{'; '.join(map(str, differences))}. An earlier bitstream runs; "
            + ("switch the board off and on" if flash else "load it again, or with --flash")
        )
    click.echo(f"this bitstream answers at {port}: model {info.digest.hex()[:12]}…, {info.hidden} units")


def _info(url: str, baud: int | None) -> "Info":
    from trine.connect import Board

    with Board.open(url, baud=baud, patience=_ANSWER_SECONDS) as board:
        return board.info


@click.command()
@click.option(
    "--port",
    help="URL of a board to test, such as /dev/ttyUSB0 or /dev/ttyUSB0?baud=1000000.  [default: the one that "
    "is found]",
)
@click.option(
    "--model", "model_path", type=click.Path(path_type=Path), help="The model that the board holds."
)
@click.option("--tokens", default=256, show_default=True, help="Tokens of the test.")
@click.option("--seed", default=1, show_default=True, help="Of the test's tokens.")
@click.option("--report", type=OutputFile(), help="Write a report to send, Markdown.")
@json_option
def doctor(
    port: str | None,
    model_path: Path | None,
    tokens: int,
    seed: int,
    report: Path | None,
    as_json: bool,
) -> None:
    """Look at tools, permissions and boards; with --model, compare a board with the golden model.

    Exit status 1 where there is a problem.
    """
    import trine_boards
    from trine.doctor import check_machine, check_ports, check_rules
    from trine_boards import BOARDS
    from trine_sw.model import Model

    if report is not None:
        check_writable(report)
    model = None if model_path is None else Model.load(model_path)
    rules = shlex.quote(str(Path(trine_boards.__file__).with_name(_RULES)))
    usb = [number for board in BOARDS.values() for number in board.usb_numbers]
    ports = known_ports()
    checks = [*check_machine(_cache()), check_rules(usb, rules), *check_ports(ports)]
    if port is None and len(ports) == 1:
        port = ports[0].url
    test = None
    if port is not None:
        board_checks, test = _board_checks(port, model, tokens, seed)
        checks += board_checks
    facts: dict[str, Any] = {"checks": [asdict(check) for check in checks]}
    facts["self_test"] = None if test is None else asdict(test)
    if report is not None:
        with atomic_write(report) as file:
            file.write(_markdown(checks, facts).encode())
    if as_json:
        print_json(facts)
    else:
        _show(checks)
    problems = [check for check in checks if check.state == "problem"]
    if problems:
        many = "problem" if len(problems) == 1 else "problems"
        raise TrineError(f"{len(problems)} {many}: {', '.join(check.name for check in problems)}")


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}" + ("" if count == 1 else "s")


def _cache() -> Path | None:
    from trine_sw.support.cache import cache_place

    try:
        return cache_place("simulators")
    except TrineError:
        return None


def _board_checks(url: str, model: Any, tokens: int, seed: int) -> "tuple[list[Check], SelfTest | None]":
    from trine.connect import Board
    from trine.doctor import Check
    from trine_sw.driver.self_test import self_test

    if tokens < 1:
        raise TrineError(f"--tokens must be at least 1, not {tokens}")
    try:
        with Board.open(url, model, patience=_ANSWER_SECONDS) as board:
            info = board.info
            found = (
                f"protocol {info.version}, model {info.digest.hex()[:12]}…, {_many(info.layers, 'layer')} of "
                f"{info.hidden} units, {info.lanes} lanes, {info.banks} banks, {info.clock_hz / 1e6:g} MHz"
                + (f", {info.baud:,} baud" if info.baud else "")
            )
            checks = [Check(f"board at {url}", "ok", found)]
            model = model or board.model
            if model is None:
                remedy = "trine doctor --model M.trine compares it with the golden model"
                return [*checks, Check("self-test", "note", "not run: it needs the model", remedy)], None
            with Console(stderr=True).status("self-test") as status:
                test = self_test(
                    board,
                    model,
                    tokens=tokens,
                    seed=seed,
                    tell=lambda what: status.update(f"self-test: {what}"),
                )
    except TrineError as error:
        return [Check(f"board at {url}", "problem", str(error))], None
    if test.difference is not None:
        remedy = "send the report of trine doctor --report; trine verify says whether the bitstream is right"
        return [*checks, Check("self-test", "problem", test.difference, remedy)], test
    speed = f"{test.stream_tokens_per_s:,.0f} tokens/s in a stream, {test.round_trip_ms:g} ms a step alone"
    what = f"{test.tokens} tokens equal the golden model in {', '.join(test.compared)}; {speed}"
    checks.append(Check("self-test", "ok", what))
    noisy = {
        name: count
        for name in ("damaged", "gaps", "overflows", "framing_errors", "lock_losses")
        if (count := test.board_counters.get(name, 0))
    } | {f"{name} (host)": count for name in ("damaged", "resent") if (count := test.host_counters[name])}
    if noisy:
        shown = ", ".join(f"{name} {count}" for name, count in noisy.items())
        remedy = "nothing was lost; try another cable or port, and see Power in the documentation"
        checks.append(Check("wire", "note", shown, remedy))
    else:
        checks.append(Check("wire", "ok", "no damaged frame, no lost byte"))
    return checks, test


def _show(checks: "list[Check]") -> None:
    colours = {"ok": "green", "note": "yellow", "problem": "red"}
    table = Table("", "", Column("found", overflow="fold"), Column("what to do", overflow="fold"))
    for check in checks:
        state = f"[{colours[check.state]}]{check.state}[/]"
        table.add_row(state, escape(check.name), escape(check.found), escape(check.remedy))
    Console().print(table)


def _markdown(checks: "list[Check]", facts: dict[str, Any]) -> str:
    def cell(text: str) -> str:
        return text.replace("|", "\\|").replace("\n", " ")

    rows = [f"| {c.state} | {cell(c.name)} | {cell(c.found)} | {cell(c.remedy)} |" for c in checks]
    table = "\n".join(["| | | found | what to do |", "|---|---|---|---|", *rows])
    return f"# trine doctor\n\n{table}\n\n```json\n{json_text(facts, indent=2)}\n```\n"


COMMANDS = (program, doctor)
