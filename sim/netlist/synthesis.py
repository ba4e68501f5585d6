"""What synthesis makes of a component for the ECP5: its netlist, ready for simulation, and its block RAMs.

A netlist is simulated with the models of :mod:`trine_boards.verify.cell_models`.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.back import rtlil

from sim.netlist.block_ram import BlockRAM, Net
from trine_boards.build.families import ECP5
from trine_sw.support.errors import TrineError
from trine_sw.support.toolchain import Tool, require

__all__ = ["Netlist", "packed", "synthesise"]

#: As boards are built.
SCRIPT = f"""\
read_rtlil {{name}}.il
{ECP5.synthesis}write_json {{name}}.json
write_verilog -noattr {{name}}.v
"""


def synthesise(component: Any, folder: Path, *, name: str = "top") -> Netlist:
    """The ECP5 netlist of an Amaranth component, made in ``folder``; clock and reset are ``clk`` and ``rst``.

    Raises :exc:`TrineError` where Yosys is missing or fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.il").write_text(rtlil.convert(component, name=name, emit_src=False), encoding="utf-8")
    (folder / f"{name}.ys").write_text(SCRIPT.format(name=name), encoding="utf-8")
    run_tool(require("yosys"), [f"{name}.ys"], folder)
    return read(folder / f"{name}.v", folder / f"{name}.json", name)


def packed(netlist: Netlist) -> Netlist:
    """The netlist as nextpnr places it, in which block RAMs have the form of the device, ``DP16KD``.

    Raises :exc:`TrineError` where nextpnr is missing or fails.
    """
    name, folder = netlist.name, netlist.verilog.parent
    nextpnr = require("nextpnr-ecp5")
    options = ["--25k", "--out-of-context", "--no-tmdriv", "--timing-allow-fail", "-q"]
    run_tool(nextpnr, [*options, "--json", f"{name}.json", "--write", f"{name}_packed.json"], folder)
    return read(netlist.verilog, folder / f"{name}_packed.json", name)


def run_tool(tool: Tool, arguments: list[str], folder: Path) -> None:
    run = subprocess.run(
        [*tool.command, *arguments], cwd=folder, env=tool.environ(), capture_output=True, text=True
    )
    if run.returncode:
        tail = "\n".join((run.stdout + run.stderr).splitlines()[-10:])
        raise TrineError(f"{tool.name} failed in {folder}:\n{tail}")


def read(verilog: Path, path: Path, name: str) -> Netlist:
    return Netlist(name, verilog, json.loads(path.read_text(encoding="utf-8"))["modules"][name])


@dataclass(frozen=True)
class Netlist:
    """A synthesised module.

    ``verilog`` is its file, ``module`` what Yosys' JSON has of it.
    """

    name: str
    verilog: Path
    module: dict[str, Any]

    @property
    def cells(self) -> Counter[str]:
        """Cells by type."""
        return Counter(cell["type"] for cell in self.module["cells"].values())

    @property
    def block_rams(self) -> list[BlockRAM]:
        """Block RAMs, instantiated or inferred."""
        return [
            BlockRAM(name, cell["type"], cell["parameters"], cell["connections"])
            for name, cell in self.module["cells"].items()
            if cell["type"] in ("DP16KD", "PDPW16KD")
        ]

    def port(self, name: str) -> list[Net]:
        """The nets of a port's bits: numbers, or "0" and "1" where the port is constant."""
        return self.module["ports"][name]["bits"]

    def behind(self, nets: list[Net]) -> list[Net]:
        """The nets that reach ``nets`` through any number of flip-flops, bit by bit."""
        inputs = {
            cell["connections"]["Q"][0]: (cell["connections"].get("DI") or cell["connections"]["M"])[0]
            for cell in self.module["cells"].values()
            if cell["type"] == "TRELLIS_FF"
        }
        found = []
        for net in nets:
            while net in inputs:
                net = inputs[net]
            found.append(net)
        return found

    def rom(self, addr: str, o: str, depth: int) -> list[int]:
        """The words of the block RAMs between ports ``addr`` and ``o``, by their parameters and wiring.

        A bit of ``o`` that synthesis found constant is taken as that. Raises :exc:`ValueError` where a bit
        comes from elsewhere than a block RAM, or the address does not arrive there bit by bit.
        """
        address = self.port(addr) if addr in self.module["ports"] else []
        sources = {}
        for block in self.block_rams:
            for net, bits in block.outputs(address, depth).items():
                sources[net] = bits
        words = [0] * depth
        for index, net in enumerate(self.behind(self.port(o))):
            if net not in sources and net not in ("0", "1"):
                raise ValueError(f"bit {index} of {o} does not come from a block RAM")
            bits = sources[net] if net in sources else [int(net)] * depth
            for word in range(depth):
                words[word] |= bits[word] << index
        return words
