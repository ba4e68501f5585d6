"""A routed ECP5 design as Verilog: nextpnr's netlist, written after routing, with the function of each cell.

Look-up tables, carries, flip-flops and LUT RAM become plain assignments and registers, so that a simulator
need not know a module for each of tens of thousands of cells; block RAM, PLL and clock gates are instances of
the models beside this file.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from trine_boards.netlist_file import read_netlist
from trine_boards.verify.ecp5_cells import (
    FlipFlop,
    PlacedCell,
    block_ram_pin,
    comb_outputs,
    flip_flop,
    lut_ram,
    text_of,
)
from trine_boards.verify.ecp5_io_logic import IO_LOGIC, io_logic
from trine_sw.support.errors import TrineError

__all__ = ["routed_verilog"]

_OUTPUTS = ("F", "FCO", "OFX")
#: Of LUT RAM's write port, output by input (nextpnr's ecp5/pack.cc, ``ram_to_ramw``).
_RAMW = {
    **{"WADO0": "D0", "WADO1": "B0", "WADO2": "C0", "WADO3": "A0"},
    **{"WDO0": "C1", "WDO1": "A1", "WDO2": "D1", "WDO3": "B1"},
}


def routed_verilog(netlist: Path, *, name: str = "top") -> str:
    """Verilog of the module `name` of a file that ``nextpnr-ecp5 --write`` made; its ports are the pins'.

    Raises
    ------
    TrineError
        If the file is not such a netlist, or has a cell, a parameter or a net whose function is not known.
    """
    ports, cells = read_netlist(netlist, name)
    if not any("NEXTPNR_BEL" in cell["attributes"] for cell in cells.values()):
        raise TrineError(f"{netlist} is a netlist that has not been placed; run trine build again")
    try:
        return _Writer(ports, cells).text(name)
    except TrineError as error:
        raise TrineError(f"{netlist} cannot be simulated: {error}") from None


class _Writer:
    def __init__(self, ports: dict[str, Any], cells: dict[str, Any]) -> None:
        self.ports, self.cells = ports, cells
        self.wires: list[str] = []
        self.body: list[str] = []
        self.driven: dict[str, str] = {}
        #: Of the nets of outputs, and of pins of both directions: their ports.
        self.pins: dict[str, str] = {}
        #: Of the pads that drive a pin: its port, what it is driven to, and what switches that off.
        self.pads: dict[str, tuple[str, str, str | None]] = {}
        self.registers: dict[tuple[str, str, str], list[tuple[str, FlipFlop]]] = defaultdict(list)

    def text(self, name: str) -> str:
        """The whole module."""
        head, nets = [], set()
        for port, entry in self.ports.items():
            width = len(entry["bits"])
            head.append(f"{entry['direction']} {f'[{width - 1}:0] ' if width > 1 else ''}{escaped(port)}")
            for index, bit in enumerate(entry["bits"]):
                part = f"{escaped(port)}[{index}]" if width > 1 else escaped(port)
                if entry["direction"] == "input":
                    self.drive(f"n{bit}", part, port)
                else:
                    nets.add(f"n{bit}")
                    self.pins[f"n{bit}"] = part
        for cell_name, cell in self.cells.items():
            connections = cell["connections"]

            def net(pin: str, connections: dict[str, list[Any]] = connections) -> str | None:
                bits = connections.get(pin)
                if not bits:
                    return None
                return f"n{bits[0]}" if isinstance(bits[0], int) else f"1'b{bits[0]}"

            nets.update(f"n{bits[0]}" for bits in connections.values() if bits and isinstance(bits[0], int))
            self.cell(PlacedCell(cell_name, cell["type"], cell["parameters"], net))
        undriven = sorted(nets - self.driven.keys())
        if undriven:
            raise TrineError(f"the routed netlist has nets that nothing drives: {', '.join(undriven[:8])}")
        self.add_pads()
        for control, members in self.registers.items():
            self.body += FlipFlop.block(control, members)
        lines = [f"module {name} ({', '.join(head)});", *self.wires, *self.body, "endmodule", ""]
        return "\n".join(lines)

    def drive(self, net: str, expression: str | None, by: str, declaration: str = "wire {};") -> None:
        """Declare a net and what drives it: an expression, or a statement that follows (None)."""
        if net in self.driven:
            raise TrineError(f"net {net} of the routed netlist is driven by {self.driven[net]} and by {by}")
        self.driven[net] = by
        self.wires.append(declaration.format(net))
        if expression is not None:
            self.body.append(f"assign {net} = {expression};")

    def cell(self, cell: PlacedCell) -> None:
        """Add what a cell does."""
        if cell.type == "TRELLIS_COMB":
            if text_of(cell.parameters.get("MODE", "LOGIC")) == "DPRAM":
                lines, value = lut_ram(cell, escaped(f"{cell.name}$ram"))
                self.wires.append(lines[0])
                self.body.append(lines[1])
                outputs = {"F": value}
            else:
                outputs = comb_outputs(cell)
            for pin in _OUTPUTS:
                if (net := cell.net(pin)) is not None:
                    if pin not in outputs:
                        raise TrineError(f"TRELLIS_COMB {cell.name} has no output {pin} in its mode")
                    self.drive(net, outputs[pin], cell.name)
        elif cell.type == "TRELLIS_FF":
            made = flip_flop(cell)
            if (net := cell.net("Q")) is not None:
                self.drive(net, None, cell.name, f"reg {{}} = 1'b{made.start};")
                self.registers[made.control].append((net, made))
        elif cell.type == "TRELLIS_RAMW":
            for output, source in _RAMW.items():
                if (net := cell.net(output)) is not None:
                    self.drive(net, cell.net(source) or "1'b1", cell.name)
        elif cell.type == "TRELLIS_IO":
            self.pad(cell)
        elif cell.type in IO_LOGIC:
            drives, lines = io_logic(cell, f"io_{len(self.body)}")
            for net, expression in drives.items():
                self.drive(net, expression, cell.name)
            self.body += lines
        elif cell.type == "DCCA":
            self.clock_buffer(cell)
        elif cell.type in ("DP16KD", "EHXPLLL"):
            self.instance(cell)
        else:
            raise TrineError(
                f"the routed netlist has a cell {cell.name} of type {cell.type}, which has no model"
            )

    def pad(self, cell: PlacedCell) -> None:
        """A pin's buffer, whose data comes from registers in the pad where they are of double data rate."""
        for mux in ("DATAMUX_MDDR", "DATAMUX_OREG"):
            cell.choice(mux, "PADDO")
        registered = cell.choice("DATAMUX_ODDR", "PADDO", "IOLDO") == "IOLDO"
        for pin in ("IOLTO",) if registered else ("IOLDO", "IOLTO"):
            if cell.net(pin) is not None:
                raise TrineError(f"pad {cell.name} of the routed netlist has a register, which has no model")
        pad = cell.needed("B")
        direction = cell.choice("DIR", "INPUT", "OUTPUT", "BIDIR")
        if direction != "INPUT":
            if pad not in self.pins:
                raise TrineError(f"pad {cell.name} of the routed netlist drives a net that is no pin")
            self.drive(pad, None, cell.name)
            self.pads[cell.name] = (
                self.pins[pad],
                cell.needed("IOLDO" if registered else "I"),
                cell.net("T"),
            )
        if direction != "OUTPUT" and (net := cell.net("O")) is not None:
            self.drive(net, self.pins.get(pad, pad), cell.name)

    def add_pads(self) -> None:
        """What drives each pin. Where nothing switches it off that is no high impedance, which is slow."""
        padded = {port for port, _, _ in self.pads.values()}
        self.body += [f"assign {port} = {net};" for net, port in self.pins.items() if port not in padded]
        values = dict(re.findall(r"^assign (\S+) = (\S+);$", "\n".join(self.body), re.MULTILINE))
        for port, value, off in self.pads.values():
            for _ in range(len(values)):  # no further, should nets drive each other in a circle
                if off not in values:
                    break
                off = values[off]
            driven = value if off in (None, "1'b0") else f"{off} ? 1'bz : {value}"
            self.body.append(f"assign {port} = {driven};")

    def clock_buffer(self, cell: PlacedCell) -> None:
        """A global buffer: it passes its clock where it has no enable; a gate has a model."""
        if cell.net("CE") is None:
            self.drive(cell.needed("CLKO"), cell.needed("CLKI"), cell.name)
        else:
            self.instance(cell)

    def instance(self, cell: PlacedCell) -> None:
        """An instance of the model of the cell's type."""
        parameters, muxes = [], set()
        if cell.type == "DP16KD":
            muxes = {
                mux for mux in cell.parameters if mux.endswith("MUX") and mux not in ("CLKAMUX", "CLKBMUX")
            }
        for parameter, value in sorted(cell.parameters.items()):
            if parameter not in muxes and parameter not in ("WID", "INIT_DATA"):
                parameters.append(f".{escaped(parameter)}({literal(value)})")
        pins = []
        for pin, direction in sorted(self.cells[cell.name]["port_directions"].items()):
            if direction == "output":
                if (net := cell.net(pin)) is not None:
                    self.drive(net, None, cell.name)
                    pins.append(f".{pin}({net})")
            elif cell.type == "DP16KD":
                pins.append(f".{pin}({block_ram_pin(cell, pin)})")
            else:
                pins.append(f".{pin}({cell.net(pin) or default_pin(cell, pin)})")
        self.body.append(f"{cell.type} #({', '.join(parameters)}) {escaped(cell.name)} ({', '.join(pins)});")


def default_pin(cell: PlacedCell, pin: str) -> str:
    """What an unconnected input is: a PLL's other inputs than its clocks rest at 0."""
    if pin in ("CLKI", "CLKFB") or cell.type != "EHXPLLL":
        return cell.needed(pin)
    return "1'b0"


def literal(value: str) -> str:
    """A parameter as Verilog: bits or text."""
    if value and not set(value) - set("01"):
        return f"{len(value)}'h{int(value, 2):x}"
    return '"' + text_of(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def escaped(name: str) -> str:
    """An identifier of Verilog, escaped where it must be."""
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else f"\\{name} "
