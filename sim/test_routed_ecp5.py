"""Routed ECP5 netlists as Verilog: each cell against a statement of its function, a small design against its
source, and netlists that the conversion does not understand."""

from __future__ import annotations

import copy
import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest
from netlist import Netlist, run_tool
from replay import Bench

from trine_boards.verify.ecp5_cells import PlacedCell, block_ram_pin, lut_expression
from trine_boards.verify.routed_ecp5 import routed_verilog
from trine_sw.errors import TrineError
from trine_sw.toolchain import require


def test_look_up_tables():
    """All contents of three inputs, and 3,000 of four, each at all its inputs at once."""
    columns = {"a": 0xAAAA, "b": 0xCCCC, "c": 0xF0F0, "d": 0xFF00}
    tables = [("abc", init) for init in range(256)] + [
        ("abcd", init) for init in [0, 0xFFFF, *drawn(16, 3000)]
    ]
    for pins, init in tables:
        expression = lut_expression(init, list(pins)).replace("1'b", "-")  # all ones for 1
        mask = (1 << (1 << len(pins))) - 1
        assert eval(expression, {}, columns) & mask == init  # noqa: S307


def test_look_up_tables_with_tied_inputs():
    for init, tied in itertools.product(
        range(16), itertools.product(("a", "1'b0", "1'b1"), ("b", "1'b0", "1'b1"))
    ):
        expression = lut_expression(init, tied).replace("1'b", "")
        for a, b in itertools.product((0, 1), repeat=2):
            values = [{"a": a, "b": b}.get(pin, int(pin[-1]) if "'" in pin else 0) for pin in tied]
            assert eval(expression, {}, {"a": a, "b": b}) & 1 == init >> (values[0] + 2 * values[1]) & 1  # noqa: S307


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


def test_every_mode_of_a_flip_flop(tmp_path):
    """Edge, enable, reset, start value and source in all combinations, against a model of the register."""
    modes = list(
        itertools.product(
            ("CLK", "INV"),
            ("1", "0", "CE", "INV"),
            ("LSR", "INV", None),
            ("LSR_OVER_CE", "ASYNC"),
            ("RESET", "SET"),
            ("0 ", "1 "),
        )
    )
    design = Design(4)
    clk, (ce, lsr, di, m) = design.clk[0], design.i
    for edge, enable, reset, mode, start, source in modes:
        parameters = {"CLKMUX": edge, "CEMUX": enable, "SRMODE": mode, "REGSET": start, "SD": source}
        pins = {"CLK": clk, "CE": ce, "DI": di, "M": m, "Q": design.out()}
        if reset:
            parameters["LSRMUX"], pins["LSR"] = reset, lsr
        design.add("TRELLIS_FF", parameters, **pins)
    values = drawn(4, 300)
    found = design.run(tmp_path, values)

    # The clock rises at the start of each cycle and falls within it; inputs change just after it has risen.
    state = [int(mode[4] == "SET") for mode in modes]
    for cycle, value in enumerate(values):
        e, r, d, alternative = bits(value, 4)
        for phase in ("changed", "INV", "CLK") if cycle else ("changed", "CLK"):  # it starts low
            if phase == "CLK":  # the outputs are taken as the clock rises
                assert bits(found[cycle], len(modes)) == state, cycle
            for n, (edge, enable, reset, mode, start, source) in enumerate(modes):
                resets = {"LSR": r, "INV": 1 - r, None: 0}[reset]
                enabled = {"1": 1, "0": 0, "CE": e, "INV": 1 - e}[enable]
                if resets and (mode == "ASYNC" or phase == edge):
                    state[n] = int(start == "SET")
                elif phase == edge and enabled and not resets:
                    state[n] = d if source == "1 " else alternative


@pytest.mark.parametrize("inject", ["YES", "NO"])
def test_carry_cells(tmp_path, inject):
    """Random contents; sum and carry by Lattice's description of CCU2C."""
    rng = random.Random(1)
    inits = [rng.getrandbits(16) for _ in range(60)]
    design = Design(5)
    for init in inits:
        pins = dict(zip(("A", "B", "C", "D", "FCI"), design.i, strict=True))
        parameters = {"MODE": "CCU2", "CCU2_INJECT1": inject, "INITVAL": init}
        design.add("TRELLIS_COMB", parameters, F=design.out(), FCO=design.out(), **pins)
    found = design.run(tmp_path, list(range(32)))
    for value in range(32):
        index, carry = value & 15, value >> 4
        expected = []
        for init in inits:
            table, pair = init >> index & 1, init >> (index & 3) & 1
            expected.append(table if inject == "YES" else table ^ carry)
            expected.append(carry if table else 0 if inject == "YES" else pair)
        assert bits(found[value], len(expected)) == expected


def test_unconnected_inputs_of_a_look_up_table_are_ones(tmp_path):
    design = Design(1)
    for pin in "ABCD":
        design.add("TRELLIS_COMB", {"INITVAL": 0x8000}, F=design.out(), **{pin: design.i[0]})
    assert design.run(tmp_path, [0, 1]) == [0, 15]


@pytest.mark.parametrize("enable", ["WRE", "INV", "1", "0"])
@pytest.mark.parametrize("edge", ["WCK", "INV"])
def test_lut_ram(tmp_path, enable, edge):
    """Contents at start, reads and writes; the pins A, B, C and D are address bits 3, 1, 2 and 0."""
    design = Design(10)
    write, read = design.i[:4], design.i[4:8]
    init = 0b1100_1010_0111_0001
    pins = dict(zip("DBCA", read, strict=True)) | {f"WAD{n}": net for n, net in enumerate(write)}
    parameters = {"MODE": "DPRAM", "INITVAL": init, "WREMUX": enable, "WCKMUX": edge}
    design.add(
        "TRELLIS_COMB", parameters, F=design.out(), WCK=design.clk[0], WRE=design.i[8], WD=design.i[9], **pins
    )
    values = drawn(10, 400)
    found = design.run(tmp_path, values)

    def at(address: int) -> int:  # of the table's index, where A is the lowest bit
        d, b, c, a = bits(address, 4)
        return a | b << 1 | c << 2 | d << 3

    memory = bits(init, 16)
    for cycle, value in enumerate(values):
        writes = {"WRE": value >> 8 & 1, "INV": 1 - (value >> 8 & 1), "1": 1, "0": 0}[enable]
        if edge == "INV" and writes:
            memory[at(value & 15)] = value >> 9
        assert found[cycle] == memory[at(value >> 4 & 15)], cycle
        if edge == "WCK" and writes:
            memory[at(value & 15)] = value >> 9


def test_pins_of_a_block_ram():
    """What an unconnected pin is, and what its multiplexer makes of it, as nextpnr packs it."""

    def seen(pin: str, net: str | None = None, **parameters: str) -> str:
        return block_ram_pin(PlacedCell("ram", "DP16KD", parameters, lambda asked: net), pin)

    assert [seen(pin) for pin in ("CEA", "OCEB", "WEA", "RSTB", "CSA0", "ADA3", "DIB17", "CLKA")] == [
        *("1'b1", "1'b1", "1'b0", "1'b0", "1'b0", "1'b0", "1'b0", "1'b0")
    ]
    assert [seen(pin, **{f"{pin}MUX": "INV"}) for pin in ("CEA", "WEB", "CSB1")] == ["1'b0"] * 3
    assert [seen(pin, **{f"{pin}MUX": pin}) for pin in ("CEA", "WEB", "CSB1", "RSTA")] == ["1'b1"] * 4
    assert [seen(pin, "n", **{f"{pin}MUX": "INV"}) for pin in ("CEA", "WEB")] == ["~n"] * 2
    assert seen("ADA3", ADA3MUX="1 ") == "1'b1" and seen("ADA3", "n") == "n"
    with pytest.raises(TrineError, match="CEAMUX = 'CEB'"):
        seen("CEA", "n", CEAMUX="CEB")


SOURCE = """\
module top(input clk, input [43:0] i, output [33:0] o);
    wire [3:0] wa = i[3:0], ra = i[7:4], d = i[11:8];
    wire we = i[12], reset = i[13];
    wire [7:0] a = i[21:14], b = i[29:22];
    wire [5:0] l = i[35:30];
    wire [7:0] at = i[43:36];
    reg [3:0] near [0:15];
    reg [7:0] far [0:255], read = 0;
    reg [7:0] n = 8'h5a, sum = 0;
    reg m = 1, z = 0;
    integer k;
    initial begin
        for (k = 0; k < 16; k = k + 1) near[k] = k * 7 + 3;
        for (k = 0; k < 256; k = k + 1) far[k] = k * 29 + 11;
    end
    always @(posedge clk) if (we) near[wa] <= d;
    always @(posedge clk) begin
        if (we) far[a] <= b;
        read <= far[at];
    end
    always @(negedge clk) if (reset) n <= 8'h5a; else if (we) n <= n + a;
    always @(posedge clk or posedge reset) if (reset) m <= 1; else m <= l[0];
    always @(posedge clk) if (!we) z <= a[0];
    always @(posedge clk) sum <= $signed(a) < $signed(b) ? a - b : a + b;
    wire [63:0] table64 = 64'hdeadbeef12345677;
    assign o = {near[ra], read, n, sum, table64[l], m, z, ^a, i[5:4] == 2, &b};
endmodule
"""


@pytest.fixture(scope="module")
def routed(tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    """A small design with every kind of cell that the engine has, synthesised, placed and routed."""
    folder = tmp_path_factory.mktemp("routed")
    (folder / "top.v").write_text(SOURCE, encoding="utf-8")
    (folder / "top.ys").write_text(
        "read_verilog top.v\nsynth_ecp5 -nodsp -top top\nwrite_json top.json\n", encoding="utf-8"
    )
    run_tool(require("yosys"), ["-q", "top.ys"], folder)
    options = ["--25k", "--package", "CABGA381", "--no-tmdriv", "--timing-allow-fail", "-q"]
    run_tool(require("nextpnr-ecp5"), [*options, "--json", "top.json", "--write", "placed.json"], folder)
    module = json.loads((folder / "placed.json").read_text(encoding="utf-8"))["modules"]["top"]
    types = {cell["type"] for cell in module["cells"].values()}
    modes = {cell["parameters"].get("MODE") for cell in module["cells"].values()}
    assert {"TRELLIS_COMB", "TRELLIS_FF", "TRELLIS_RAMW", "TRELLIS_IO", "DP16KD", "DCCA"} <= types
    assert {"CCU2", "DPRAM", "RAMW_BLOCK"} <= modes
    assert any("FXA" in cell["connections"] for cell in module["cells"].values())
    return folder, module


VALUES = drawn(44, 600)


def outputs(folder: Path, name: str, text: str) -> list[int]:
    (folder / f"{name}.v").write_text(text, encoding="utf-8")
    ports = {"clk": ("input", 1), "i": ("input", 44), "o": ("output", 34)}
    module = {"ports": {port: {"direction": way, "bits": [0] * n} for port, (way, n) in ports.items()}}
    bench = Bench(Netlist("top", folder / f"{name}.v", module), folder / name, "icarus")
    return bench.run(len(VALUES), {"i": VALUES})["o"]


def test_a_routed_design_does_what_its_source_says(routed):
    folder, module = routed
    expected = outputs(folder, "source", SOURCE)
    assert len(set(expected)) > 500
    assert outputs(folder, "netlist", verilog_of(module, folder)) == expected


def test_a_flipped_bit_of_a_routed_design_is_noticed(routed):
    """A bit of a table, of a carry, of LUT RAM, of a block RAM, a start value and an edge."""
    folder, module = routed
    expected = outputs(folder, "source", SOURCE)
    changes = {
        "table": lambda cell: cell["parameters"].get("INITVAL") == f"{0x6996:016b}",  # a parity
        "carry": lambda cell: cell["parameters"].get("MODE") == "CCU2" and cell["connections"]["F"],
        "LUT RAM": lambda cell: cell["parameters"].get("MODE") == "DPRAM",
        "block RAM": lambda cell: cell["type"] == "DP16KD",
        "start": lambda cell: cell["parameters"].get("REGSET") == "SET",
    }
    for name, chosen in changes.items():
        broken = copy.deepcopy(module)
        cell = next(cell for cell in broken["cells"].values() if chosen(cell))
        if name == "start":
            cell["parameters"]["REGSET"] = "RESET"
        else:
            key = "INITVAL_00" if name == "block RAM" else "INITVAL"
            # The highest bit of a table is the one at unconnected inputs; a RAM's lowest is read soon.
            place = -1 if "RAM" in name else 0
            value = list(cell["parameters"][key])
            value[place] = str(1 - int(value[place]))
            cell["parameters"][key] = "".join(value)
        assert outputs(folder, "broken", verilog_of(broken, folder)) != expected, name


def change(
    module: dict[str, Any], type_: str, pin: str | None = None, net: Any = (), **parameters: str
) -> Any:
    """A copy in which one cell of a type has other parameters, or another net at a pin."""
    broken = copy.deepcopy(module)
    cell = next(c for c in broken["cells"].values() if c["type"] == type_)
    cell["parameters"] |= parameters
    if pin:
        cell["connections"][pin] = list(net)
    return broken


@pytest.mark.parametrize(
    ("altered", "said"),
    [
        (lambda m: change(m, "TRELLIS_COMB", MODE="SHIFT"), "MODE = 'SHIFT'"),
        (lambda m: change(m, "TRELLIS_COMB", INITVAL="01x0"), "INITVAL = '01x0', no bits"),
        (lambda m: change(m, "TRELLIS_FF", SRMODE="CE_OVER_LSR"), "SRMODE = 'CE_OVER_LSR'"),
        (lambda m: change(m, "TRELLIS_FF", LSRMODE="PRLD"), "LSRMODE = 'PRLD'"),
        (lambda m: change(m, "TRELLIS_FF", CEMUX="2"), "CEMUX = '2'"),
        (lambda m: change(m, "TRELLIS_FF", "CLK"), "nothing at its pin CLK"),
        (lambda m: change(m, "TRELLIS_FF", "CLK", [99999]), "nothing drives: n99999"),
        (lambda m: change(m, "TRELLIS_FF", "Q", [m["ports"]["i"]["bits"][0]]), "is driven by"),
        (lambda m: change(m, "TRELLIS_IO", DATAMUX_ODDR="IOLDO"), "DATAMUX_ODDR = 'IOLDO'"),
        (lambda m: change(m, "TRELLIS_IO", DIR="BIDIR"), "two directions"),
        (
            lambda m: change(m, "TRELLIS_IO", "T", m["ports"]["i"]["bits"][:1], DIR="OUTPUT"),
            "driven at times|driven by",
        ),
        (lambda m: m | {"cells": m["cells"] | {"x": {"type": "MULT18X18D", "connections": {}}}}, "no model"),
        (lambda m: {"ports": {}}, "no routed netlist"),
        (lambda m: m | {"cells": {}}, "has not been placed"),
    ],
)
def test_what_is_not_understood_is_one_error(routed, tmp_path, altered, said):
    with pytest.raises(TrineError, match=said):
        verilog_of(altered(routed[1]), tmp_path)


def test_a_carry_from_nowhere_is_an_error(tmp_path):
    design = Design(1)
    parameters = {"MODE": "CCU2", "CCU2_INJECT1": "NO", "INITVAL": 0xFFFF}
    design.add("TRELLIS_COMB", parameters, F=design.out(), A=design.i[0])
    with pytest.raises(TrineError, match="needs a carry"):
        design.verilog(tmp_path)


def test_a_file_that_is_no_netlist(tmp_path):
    path = tmp_path / "placed.json"
    for text in ("", "[]", '{"modules": {}}'):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(TrineError, match="no routed netlist"):
            routed_verilog(path)
    with pytest.raises(TrineError, match="no routed netlist"):
        routed_verilog(tmp_path / "missing.json")
