"""Placed ECP5 netlists made by hand, as nextpnr would write them, and values to drive them with."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from sim.netlist.replay import Bench
from sim.netlist.synthesis import Netlist
from trine_boards.verify.routed_ecp5 import routed_verilog

__all__ = ["Design", "bits", "drawn", "verilog_of"]


class Design:
    """A placed netlist made by hand: inputs ``i``, outputs ``o`` and a clock."""

    def __init__(self, inputs: int) -> None:
        self.next = 2
        self.clk = [self.net()]
        self.i = [self.net() for _ in range(inputs)]
        self.o: list[int] = []
        self.cells: dict[str, Any] = {}

    def net(self) -> int:
        self.next += 1
        return self.next

    def add(self, type_: str, parameters: dict[str, Any], **pins: int) -> None:
        shown = {
            key: f"{value:016b}" if isinstance(value, int) else value for key, value in parameters.items()
        }
        self.cells[f"{type_}.{len(self.cells)}"] = {
            "type": type_,
            "parameters": shown,
            "attributes": {"NEXTPNR_BEL": "X1/Y1/SLICEA.K0"},
            "port_directions": {},
            "connections": {pin: [bit] for pin, bit in pins.items()},
        }

    def out(self) -> int:
        self.o.append(self.net())
        return self.o[-1]

    @property
    def module(self) -> dict[str, Any]:
        ports = {"clk": ("input", self.clk), "i": ("input", self.i), "o": ("output", self.o)}
        return {
            "ports": {name: {"direction": way, "bits": bits} for name, (way, bits) in ports.items()},
            "cells": self.cells,
        }

    def verilog(self, folder: Path) -> str:
        return verilog_of(self.module, folder)

    def run(self, folder: Path, values: list[int]) -> list[int]:
        """The outputs in each cycle, before its rising edge."""
        (folder / "top.v").write_text(self.verilog(folder), encoding="utf-8")
        netlist = Netlist("top", folder / "top.v", self.module)
        return Bench(netlist, folder / "bench", "icarus").run(len(values), {"i": values})["o"]


def verilog_of(module: dict[str, Any], folder: Path) -> str:
    path = folder / "placed.json"
    path.write_text(json.dumps({"modules": {"top": module}}), encoding="utf-8")
    return routed_verilog(path)


def bits(value: int, count: int) -> list[int]:
    return [value >> n & 1 for n in range(count)]


def drawn(width: int, count: int) -> list[int]:
    rng = random.Random(width)
    return [rng.getrandbits(width) for _ in range(count)]
