"""A synthesised netlist as Verilog that simulates fast: wires of one bit, expressions for tables, registers.

Yosys' own Verilog has the same contents. Its vectors, of which each bit is driven by another cell, and its
ten thousands of instances of look-up tables and flip-flops cost Verilator and the C++ compiler many times as
much. All other cells remain instances of their models.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trine_boards.netlist_file import read_netlist
from trine_boards.verify.ecp5_cells import lut_expression
from trine_boards.verify.gowin_cells import GOWIN_LOGIC
from trine_boards.verify.synthesised_flip_flops import flip_flop_of
from trine_sw.support.errors import TrineError

__all__ = ["netlist_verilog"]

#: Look-up tables: parameter with the contents, inputs from the lowest bit of the index on, output.
_TABLES = {
    "LUT4": ("INIT", ("A", "B", "C", "D"), "Z"),
    "SB_LUT4": ("LUT_INIT", ("I0", "I1", "I2", "I3"), "O"),
    **{f"LUT{count}": ("INIT", ("I0", "I1", "I2", "I3")[:count], "F") for count in (1, 2, 3)},
}
#: A Gowin chip's LUT4 has the name of an ECP5's, and other pins.
_GOWIN_LUT4 = ("INIT", ("I0", "I1", "I2", "I3"), "F")
_NO_HARDWARE = ("$scopeinfo",)


def netlist_verilog(netlist: Path, *, top: str = "top") -> str:
    """Verilog of the module `top` of a netlist that Yosys' ``write_json`` made, all of whose ports are inout.

    Raises
    ------
    TrineError
        Where there is no such netlist.
    """
    ports, cells = read_netlist(netlist, top)
    try:
        return _verilog(netlist, top, ports, cells)
    except (KeyError, IndexError, ValueError) as error:
        raise TrineError(
            f"{netlist} is no netlist of {top}: a cell has no {error}; run trine build again"
        ) from None


def _verilog(netlist: Path, top: str, ports: dict[str, Any], cells: dict[str, Any]) -> str:
    names: dict[int, str] = {}
    for port, entry in ports.items():
        bits = entry["bits"]
        for index, bit in enumerate(bits):
            names[bit] = f"\\{port} [{index}]" if len(bits) > 1 else f"\\{port} "
    used: set[int] = set()
    registers: set[int] = set()

    def net(bit: int | str) -> str:
        if isinstance(bit, str):
            return {"0": "1'b0", "1": "1'b1"}.get(bit, "1'bx")
        used.add(bit)
        return names.get(bit, f"n{bit}")

    body: list[str] = []
    clocked: dict[str, list[str]] = {}
    starts: list[str] = []
    for index, cell in enumerate(cells.values()):
        kind, pins = cell["type"], cell["connections"]
        if kind in _NO_HARDWARE:
            continue
        if kind in _TABLES:
            init, inputs, output = _GOWIN_LUT4 if kind == "LUT4" and "F" in pins else _TABLES[kind]
            if not pins[output]:
                continue
            shown = [net(pins[pin][0]) if pins.get(pin) else "1'b0" for pin in inputs]
            contents = int(cell["parameters"][init], 2)
            body.append(f"assign {net(pins[output][0])} = {lut_expression(contents, shown)};")
            continue
        if kind in GOWIN_LOGIC:
            at = {pin: net(bits[0]) for pin, bits in pins.items() if bits}
            logic = GOWIN_LOGIC[kind](at, cell["parameters"])
            body += [f"assign {at[pin]} = {value};" for pin, value in logic.items() if pin in at]
            continue
        flip_flop = flip_flop_of(kind, cell["parameters"])
        if flip_flop is not None and pins.get(flip_flop.output):
            clock, output = net(pins[flip_flop.clock][0]), net(pins[flip_flop.output][0])
            at = {pin: net(bits[0]) for pin, bits in pins.items() if bits}
            clocked.setdefault(clock, []).append(f"{output} <= {flip_flop.following(at, output)};")
            registers.add(pins[flip_flop.output][0])
            starts.append(f"{output} = 1'b{flip_flop.start};")
            continue
        parameters = ", ".join(f".{name}({_parameter(value)})" for name, value in cell["parameters"].items())
        connections = ", ".join(
            f".{pin}({{{', '.join(net(bit) for bit in reversed(bits))}}})"
            if len(bits) > 1
            else f".{pin}({net(bits[0])})"
            for pin, bits in pins.items()
            if bits
        )
        body.append(f"{kind} {f'#({parameters}) ' if parameters else ''}u{index} ({connections});")
    wires = [f"{'reg' if bit in registers else 'wire'} n{bit};" for bit in sorted(used - names.keys())]
    body += [f"always @(posedge {clock}) begin\n{_lines(each)}\nend" for clock, each in clocked.items()]
    body.append(f"initial begin\n{_lines(starts)}\nend")
    widths = {port: len(entry["bits"]) for port, entry in ports.items()}
    pins = (f"inout {f'[{width - 1}:0] ' if width > 1 else ''}\\{port} " for port, width in widths.items())
    header = f"module {top} ({', '.join(pins)});"
    return "\n".join([header, *wires, *body, "endmodule", ""])


def _lines(statements: list[str]) -> str:
    return "\n".join(statements)


def _parameter(value: Any) -> str:
    """A parameter as Verilog; Yosys writes numbers as their bits, a text of 0 and 1 with a blank behind."""
    text = str(value)
    if text and not text.strip("01xz"):
        return f"{len(text)}'b{text}"
    return '"' + (text[:-1] if not text.strip("01xz ") else text).replace('"', '\\"') + '"'
