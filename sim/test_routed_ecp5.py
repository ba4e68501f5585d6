"""Routed ECP5 netlists as Verilog: a small design against its source, and netlists that the conversion does
not understand."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from sim.netlist.placed_design import drawn, verilog_of
from sim.netlist.replay import Bench
from sim.netlist.synthesis import Netlist, run_tool
from trine_boards.verify.routed_ecp5 import routed_verilog
from trine_sw.support.errors import TrineError
from trine_sw.support.toolchain import require

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
    run_tool(require("yosys"), ["top.ys"], folder)
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
        (lambda m: change(m, "TRELLIS_IO", DATAMUX_MDDR="IOLDO"), "DATAMUX_MDDR = 'IOLDO'"),
        (lambda m: change(m, "TRELLIS_IO", DATAMUX_ODDR="IOLDI"), "DATAMUX_ODDR = 'IOLDI'"),
        (lambda m: change(m, "TRELLIS_IO", DIR="OPEN"), "DIR = 'OPEN'"),
        (lambda m: m | {"cells": m["cells"] | {"x": {"type": "MULT18X18D", "connections": {}}}}, "no model"),
        (lambda m: {"ports": {}}, "is no netlist of top"),
        (lambda m: m | {"cells": {}}, "has not been placed"),
    ],
)
def test_what_is_not_understood_is_one_error(routed, tmp_path, altered, said):
    with pytest.raises(TrineError, match=said):
        verilog_of(altered(routed[1]), tmp_path)


@pytest.mark.parametrize("direction", ["OUTPUT", "BIDIR"])
def test_a_pin_that_is_driven_at_times(routed, tmp_path, direction):
    """One pad that an input switches off; all others stay as they are."""
    module = copy.deepcopy(routed[1])
    pads = [cell for cell in module["cells"].values() if cell["type"] == "TRELLIS_IO"]
    (off,) = next(pad["connections"]["O"] for pad in pads if pad["connections"].get("O"))
    output = next(pad for pad in pads if pad["parameters"]["DIR"] == "OUTPUT")
    output["parameters"]["DIR"], output["connections"]["T"] = direction, [off]
    text = verilog_of(module, tmp_path)
    assert text.count("1'bz") == 1
    assert re.search(r"^assign o.* = \S+ \? 1'bz : \S+;$", text, re.MULTILINE)


def test_a_file_that_is_no_netlist(tmp_path):
    path = tmp_path / "placed.json"
    for text in ("", "[]", '{"modules": {}}'):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(TrineError, match="is no netlist of top"):
            routed_verilog(path)
    with pytest.raises(TrineError, match="cannot read .*missing.json"):
        routed_verilog(tmp_path / "missing.json")
