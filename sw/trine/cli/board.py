"""Commands about boards that are there: board (a virtual one), ports."""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from trine.cli.model import json_option, model_argument, print_json
from trine.cli.placement import placement_options
from trine.doctor import Port
from trine_sw.link.board_design import DEFAULT_BAUD
from trine_sw.support.errors import TrineError

if TYPE_CHECKING:
    from serial.tools.list_ports_common import ListPortInfo

    from trine_boards.board_spec import BoardSpec
    from trine_sw.engine.placement import Place

__all__ = ["COMMANDS", "known_ports"]


@click.command()
@model_argument
@click.option("--listen", "port", default=0, metavar="PORT", help="TCP port.  [default: one that is free]")
@click.option("--fault-rate", default=0.0, metavar="P", help="Probability that the wire damages a byte.")
@click.option("--seed", default=0, help="Of the faults.")
@placement_options
def board(
    model_path: Path,
    port: int,
    fault_rate: float,
    seed: int,
    embedding: "Place | None",
    head: "Place | None",
) -> None:
    """Run a board in a simulator, UART pins and all, behind a TCP socket."""
    from trine_hw.simulation.board_server import BoardServer
    from trine_hw.simulation.virtual_board import VirtualBoard
    from trine_sw.engine.default import default_engine
    from trine_sw.engine.placement import Placement
    from trine_sw.model import Model

    if not 0 <= fault_rate < 1:
        raise TrineError(f"--fault-rate must be from 0 to less than 1, not {fault_rate:g}")
    if not 0 <= port < 65536:
        raise TrineError(f"--listen takes a port from 0 to 65535, not {port}")
    model = Model.load(model_path)
    engine = default_engine(model, placement=Placement(embedding, head))
    with Console(stderr=True).status("Verilator compiles the board (once; kept for the next run)"):
        virtual = VirtualBoard(model, engine, "verilator")
    try:
        server = BoardServer(virtual, port, fault_rate, seed)
    except TrineError:
        virtual.close()
        raise
    click.echo(f"socket://127.0.0.1:{server.port}")
    try:
        server.serve(lambda what: click.echo(what, err=True))
    except KeyboardInterrupt:
        faults = server.up.faults, server.down.faults
        click.echo(f"faults to the board: {faults[0]}; to the host: {faults[1]}", err=True)
        raise
    finally:
        server.close()


def _may_be(board: "BoardSpec", port: "ListPortInfo") -> bool:
    """Whether this is a serial port of such a board; of a chip with several channels, that of its UART."""
    if (port.vid, port.pid) in [transport.usb for transport in board.transports if transport.usb]:
        return True
    if board.usb is None or board.usb != (port.vid, port.pid):
        return False
    # "1-2:1.1" is interface 1 of configuration 1 of the device at 1-2.
    channel = re.search(r":\d+\.(\d+)$", port.location or "")
    return board.usb_interface is None or channel is None or int(channel[1]) == board.usb_interface


def known_ports(every: bool = False) -> list[Port]:
    """Serial ports at which there may be a board, or with ``every`` all, by their device files."""
    from serial.tools.list_ports import comports

    from trine_boards import BOARDS

    found = []
    for port in sorted(comports()):
        boards = [entry for entry in BOARDS.values() if _may_be(entry, port)]
        names = tuple(entry.name for entry in boards)
        found.append(Port(port.device, names, port.description, _baud_of(boards, port)))
    return [port for port in found if port.boards or every]


def _baud_of(boards: Sequence["BoardSpec"], port: "ListPortInfo") -> int | None:
    """The rate of the UART behind a port, as these boards have it; None for the driver's own."""
    rates = {entry.baud for entry in boards if entry.usb == (port.vid, port.pid)}
    return rates.pop() if len(rates) == 1 and rates != {DEFAULT_BAUD} else None


def ports_of(board: "BoardSpec") -> list[str]:
    """Serial ports at which there may be such a board."""
    return [entry.device for entry in known_ports() if board.name in entry.boards]


def ports_on_usb(number: tuple[int, int], seconds: float = 5.0) -> list[str]:
    """Serial ports of this vendor and product number, of which one may appear within so many seconds."""
    from serial.tools.list_ports import comports

    until = time.monotonic() + seconds
    while True:
        found = [port.device for port in sorted(comports()) if (port.vid, port.pid) == number]
        if found or time.monotonic() >= until:
            return found
        time.sleep(0.2)


@click.command()
@click.option("--all", "every", is_flag=True, help="Also ports that are no known board's.")
@json_option
def ports(every: bool, as_json: bool) -> None:
    """List serial ports at which there may be a board."""
    found = [
        {
            "port": port.device,
            "url": port.url,
            "may_be": ", ".join(port.boards) or None,
            "says": port.description,
        }
        for port in known_ports(every)
    ]
    if as_json:
        print_json(found)
    elif not found:
        click.echo("no board is plugged in that Trine knows; trine ports --all lists all serial ports")
    else:
        table = Table("port", "may be", "says of itself")
        for row in found:
            table.add_row(row["url"], row["may_be"] or "", row["says"])
        Console().print(table)


COMMANDS = (board, ports)
