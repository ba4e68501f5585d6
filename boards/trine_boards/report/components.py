"""Component of the engine that a netlist's cell belongs to, by its hierarchical name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from trine_boards.netlist_file import read_netlist
from trine_sw.support.errors import TrineError

__all__ = ["COMPONENTS", "Placed", "component_of", "placed_cells", "resources_of"]

#: Components in the order of a token's way, and what the names of their cells match; the first that matches.
COMPONENTS: dict[str, str] = {
    "column ROM": r"\.core\.(rom_\d|addr_\d)",
    "lanes": r"\.core\.lanes\b",
    "cells": r"\.core\.(cells\b|h_\d|h_seen)",
    "scanners": r"\.core\.scan_[xh]\d",
    "issue, sequencer": r"\.core\.(issue|sequencer|source|rom_stage|since|cycles|tokens|columns|inside)",
    "state queue": r"\.core\.queue\b",
    "head, sampler": r"\.core\.(head|sampler)\b",
    "link": r"^(uart|spi|usb)\b",
    "clock, pins": r"",
}
_PATTERNS = [(name, re.compile(pattern)) for name, pattern in COMPONENTS.items()]
#: What one cell counts for in a breakdown, by Yosys' names: a carry cell takes the place of two LUT4.
_WEIGHTS = {"LUT4": ("LUT4", 1), "CCU2C": ("LUT4", 2), "TRELLIS_FF": ("flip-flops", 1)}
_WEIGHTS |= {"DP16KD": ("block RAM", 1), "PDPW16KD": ("block RAM", 1), "TRELLIS_DPR16X4": ("LUT4", 4)}


def component_of(name: str) -> str:
    """The component of a cell. Yosys names a LUT after a net that it is at, so that what reads a column's
    word is named after the ROM, which has no LUT: it is the lanes'.

    >>> component_of("uart.link.core.lanes.sum_3_TRELLIS_FF_Q"), component_of("uart.link.items.rest_LUT4_A")
    ('lanes', 'link')
    >>> component_of("uart.link.core.rom_0_1.flop[7]_LUT4_B")
    'lanes'
    """
    found = next(component for component, pattern in _PATTERNS if pattern.search(name))
    return "lanes" if found == "column ROM" and re.search("LUT4|CCU2C|PFUMX|L6MUX", name) else found


def resources_of(netlist: Path) -> dict[str, Counter[str]]:
    """LUT4, flip-flops and block RAMs of each component, from the netlist that synthesis wrote.

    Raises
    ------
    TrineError
        If ``netlist`` is not there or is no netlist.
    """
    counts = {name: Counter[str]() for name in COMPONENTS}
    for name, cell in read_netlist(netlist).cells.items():
        if cell["type"] in _WEIGHTS:
            resource, weight = _WEIGHTS[cell["type"]]
            counts[component_of(name)][resource] += weight
    return counts


class Placed(tuple[str, int, int]):
    """Component, column and row of a placed cell."""


_CELL = re.compile(r'^ {8}"((?:[^"\\]|\\.)*)": \{')
_PLACE = re.compile(r'"NEXTPNR_BEL": "X(\d{1,4})/Y(\d{1,4})/')


def placed_cells(placement: Path) -> Iterator[Placed]:
    """The cells in what ``nextpnr --write`` wrote, line by line: such a file has hundreds of megabytes.

    Raises
    ------
    TrineError
        If ``placement`` is not there, or has no placed cell.
    """
    name, found = None, False
    try:
        with placement.open(errors="replace") as lines:
            for line in lines:
                if begins := _CELL.match(line):
                    name = begins[1]
                elif name is not None and (place := _PLACE.search(line)):
                    found = True
                    yield Placed((component_of(name), int(place[1]), int(place[2])))
                    name = None
    except OSError as error:
        what = "make it with trine build --floorplan"
        raise TrineError(f"cannot read {placement}: {error.strerror}; {what}") from None
    if not found:
        raise TrineError(f"{placement} has no placed cells")
