"""Reader of JSON netlists of Yosys and nextpnr, which checks each part that is used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = ["NetlistModule", "read_json", "read_netlist"]

_DIRECTIONS = ("input", "output", "inout")
_REMEDY = "run trine build again"


class NetlistModule(NamedTuple):
    """A module of a netlist.

    Members
    -------
    ports : by its name, of each ``direction`` and ``bits``
    cells : by its name, of each ``type``, ``parameters``, ``attributes``, ``port_directions`` and
        ``connections``; a bit is the number of a net, or one of ``"0"``, ``"1"``, ``"x"``, ``"z"``
    """

    ports: dict[str, dict[str, Any]]
    cells: dict[str, dict[str, Any]]


def read_json(path: Path, what: str) -> Any:
    """What a file that a tool of a build wrote holds. Raises :exc:`TrineError`, which calls it `what`."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrineError(f"cannot read {path}: {error.strerror}; {_REMEDY}") from None
    except RecursionError:
        raise TrineError(f"{path} is no {what}: it is nested too deeply; {_REMEDY}") from None
    except ValueError as error:
        raise TrineError(f"{path} is no {what}: {error}; {_REMEDY}") from None


def read_netlist(path: Path, name: str = "top") -> NetlistModule:
    """The module `name` of a netlist.

    Raises
    ------
    TrineError
        If the file cannot be read, or is no such netlist: names it, what is wrong in it, and the remedy.
    """
    what = f"netlist of {name}"

    def require(condition: bool, wrong: str) -> None:
        if not condition:
            raise TrineError(f"{path} is no {what}: {wrong}; {_REMEDY}")

    def table(value: Any, where: str) -> dict[str, Any]:
        require(isinstance(value, dict), f"{where} is no table, but {shown(value)}")
        return value

    value = read_json(path, what)
    for key in ("modules", name):
        value = table(value, "what holds its modules").get(key)
    module = table(value, f"the module {name}")
    ports = table(module.get("ports", {}), "its table of ports")
    for port, entry in ports.items():
        _check_port(table(entry, f"the port {shown(port)}"), f"the port {shown(port)}", require)
    cells = table(module.get("cells"), "its table of cells")
    for cell, entry in cells.items():
        _check_cell(table(entry, f"the cell {shown(cell)}"), f"the cell {shown(cell)}", require)
    return NetlistModule(ports, cells)


def _check_port(port: dict[str, Any], where: str, require: Callable[[bool, str], None]) -> None:
    direction = port.get("direction")
    require(isinstance(direction, str) and direction in _DIRECTIONS, f"{where} has no direction")
    require(_are_bits(port.get("bits")) and len(port["bits"]) > 0, f"{where} has no bits")


def _check_cell(cell: dict[str, Any], where: str, require: Callable[[bool, str], None]) -> None:
    require(isinstance(cell.get("type"), str), f"{where} has no type")
    connections = cell.setdefault("connections", {})
    require(
        isinstance(connections, dict) and all(map(_are_bits, connections.values())),
        f"{where} has no connections",
    )
    require(isinstance(cell.setdefault("attributes", {}), dict), f"{where} has no attributes")
    for name in ("parameters", "port_directions"):
        values = cell.setdefault(name, {})
        good = isinstance(values, dict) and all(isinstance(each, str) for each in values.values())
        require(good, f"{where} has no {name.replace('_', ' ')}")


def _are_bits(value: Any) -> bool:
    return isinstance(value, list) and all(
        (isinstance(bit, int) and not isinstance(bit, bool) and bit >= 0)
        or (isinstance(bit, str) and bit in ("0", "1", "x", "z"))
        for bit in value
    )
