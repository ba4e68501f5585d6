"""Netlists as Verilog of wires and registers: each form of a cell against Yosys' model of it, in Icarus."""

import itertools
import json
import random
import subprocess

import pytest

from trine_boards.verify.cell_models import cell_models
from trine_boards.verify.synthesised_netlist import netlist_verilog
from trine_sw.support import toolchain
from trine_sw.support.errors import TrineError

INPUTS = {"clk": 2, "a": 3, "b": 4, "c": 5, "d": 6}
ICE40_FLIP_FLOPS = (
    "SB_DFF",
    "SB_DFFE",
    "SB_DFFSR",
    "SB_DFFSS",
    "SB_DFFESR",
    "SB_DFFESS",
    "SB_DFFN",
    "SB_DFFER",
)


def ecp5_cells():
    for enable, reset, start, mode, clock in itertools.product(
        ("1", "0 ", "CE", "INV"), ("LSR", "INV"), ("SET", "RESET"), ("LSR_OVER_CE", "ASYNC"), ("CLK", "INV")
    ):
        options = {"CEMUX": enable, "LSRMUX": reset, "REGSET": start, "SRMODE": mode, "CLKMUX": clock}
        enable = enable.strip()
        options["CEMUX"] = enable + " " if enable in "01" else enable
        yield "TRELLIS_FF", options, {"CLK": "clk", "DI": "a", "CE": "b", "LSR": "c"}, "Q"
    for contents in random.Random(1).sample(range(1 << 16), 40):
        yield "LUT4", {"INIT": f"{contents:016b}"}, {"A": "a", "B": "b", "C": "c", "D": "d"}, "Z"
    yield "LUT4", {"INIT": "1110" * 4}, {"A": "a", "B": "b", "C": "0", "D": "1"}, "Z"


def ice40_cells():
    for kind in ICE40_FLIP_FLOPS:
        pins = {"C": "clk", "D": "a"}
        pins |= {"E": "b"} if "E" in kind[6:] else {}
        pins |= {kind[-1]: "c"} if kind[-1] in "RS" else {}
        yield kind, {}, pins, "Q"
    for contents in random.Random(2).sample(range(1 << 16), 40):
        pins = {"I0": "a", "I1": "b", "I2": "c", "I3": "d"}
        yield "SB_LUT4", {"LUT_INIT": f"{contents:016b}"}, pins, "O"


def gowin_cells():
    for kind in ("DFF", "DFFE", "DFFR", "DFFRE", "DFFS", "DFFSE", "DFFC", "DFFN"):
        pins = {"CLK": "clk", "D": "a"}
        pins |= {"CE": "b"} if kind.endswith("E") else {}
        pins |= (
            {{"R": "RESET", "S": "SET", "C": "CLEAR"}[kind[3]]: "c"} if kind[3:4] in ("R", "S", "C") else {}
        )
        yield kind, {"INIT": str(int("S" in kind))}, pins, "Q"
    inputs = {"I0": "a", "I1": "b", "I2": "c", "I3": "d"}
    for count in (1, 2, 3, 4):
        for contents in random.Random(count).sample(range(1 << (1 << count)), (4, 10, 20, 40)[count - 1]):
            pins = dict(list(inputs.items())[:count])
            yield f"LUT{count}", {"INIT": f"{contents:0{1 << count}b}"}, pins, "F"
    for size in (5, 6, 7, 8):
        yield f"MUX2_LUT{size}", {}, {"I0": "a", "I1": "b", "S0": "c"}, "O"
    for mode, output in itertools.product((0, 1, 2), ("SUM", "COUT")):
        yield "ALU", {"ALU_MODE": f"{mode:032b}"}, {"I0": "a", "I1": "b", "I3": "c", "CIN": "d"}, output


#: A table's type, parameter, inputs and output.
TABLES = {
    "ecp5": ("LUT4", "INIT", "ABCD", "Z"),
    "gowin": ("LUT4", "INIT", ("I0", "I1", "I2", "I3"), "F"),
    "ice40": ("SB_LUT4", "LUT_INIT", ("I0", "I1", "I2", "I3"), "O"),
}


def netlist(cells, family):
    """Yosys' JSON, and the same as instances of models; what each cell gives leaves through a table."""
    table, contents, (first, *others), output = TABLES[family]
    bits = {name: [bit] for name, bit in INPUTS.items()} | {"0": ["0"], "1": ["1"]}
    ports = {name: {"direction": "input", "bits": bits[name]} for name in INPUTS}
    made, lines = {}, []
    for n, (kind, options, pins, out) in enumerate(cells):
        made[f"cell{n}"] = {
            "type": kind,
            "parameters": options,
            "connections": {pin: bits[name] for pin, name in pins.items()} | {out: [100 + n]},
        }
        made[f"out{n}"] = {
            "type": table,
            "parameters": {contents: "10" * 8},
            "connections": {first: [100 + n], output: [1000 + n]} | {pin: ["0"] for pin in others},
        }
        ports[f"q{n}"] = {"direction": "output", "bits": [1000 + n]}
        values = ", ".join(
            f".{key}({len(value)}'b{value})"
            if family == "gowin" or len(value) == 16
            else f'.{key}("{value.strip()}")'
            for key, value in options.items()
        )
        wires = ", ".join(
            f".{pin}({name if name in INPUTS else chr(49) + chr(39) + 'b' + name})"
            for pin, name in pins.items()
        )
        lines.append(f"{kind} {f'#({values}) ' if values else ''}m{n} ({wires}, .{out}(q{n}));")
    return {"modules": {"top": {"ports": ports, "cells": made}}}, lines


@pytest.mark.parametrize(
    ("family", "cells"), [("ecp5", ecp5_cells), ("gowin", gowin_cells), ("ice40", ice40_cells)]
)
def test_each_cell_equals_its_model(tmp_path, family, cells):
    every = list(cells())
    contents, lines = netlist(every, family)
    (tmp_path / "top.json").write_text(json.dumps(contents), encoding="utf-8")
    text = netlist_verilog(tmp_path / "top.json")
    plain = [kind for kind, options, _, _ in every if options.get("SRMODE") != "ASYNC"]
    assert text.count("<=") > len([kind for kind in plain if "LUT" not in kind]) // 4
    (tmp_path / "top.v").write_text(text, encoding="utf-8")
    count = len(every)
    outputs = ", ".join(f"output q{n}" for n in range(count))
    inputs = ", ".join(f"input {name}" for name in INPUTS)
    models = "\n".join(lines)
    ports = ", ".join(f".{name}({name})" for name in INPUTS)
    pairs = [", ".join(f".q{n}({side}[{n}])" for n in range(count)) for side in ("x", "y")]
    bench = f"""
module models ({inputs}, {outputs});
{models}
endmodule
module bench;
    reg [4:0] given = 0;  // inout ports take wires
    wire clk = given[4], a = given[3], b = given[2], c = given[1], d = given[0];
    wire [{count - 1}:0] x, y;
    integer n, wrong = 0;
    top left ({ports}, {pairs[0]});
    models right ({ports}, {pairs[1]});
    initial begin
        for (n = 0; n < 400; n = n + 1) begin
            #1 given[3:0] = $random;
            #1 if (x !== y) begin
                wrong = wrong + 1;
                $display("at %0d: %b", n, x ^ y);
            end
            #1 given[4] = n;
        end
        $display("wrong %0d", wrong);
        $finish;
    end
endmodule
"""
    (tmp_path / "bench.v").write_text(bench, encoding="utf-8")
    sources = [tmp_path / "top.v", tmp_path / "bench.v", *cell_models(family, tmp_path, pads=False)]
    compiler, runner = toolchain.require("iverilog"), toolchain.require("vvp")
    program = str(tmp_path / "bench.vvp")
    subprocess.run(
        [
            *compiler.command,
            "-g2012",
            "-DNO_ICE40_DEFAULT_ASSIGNMENTS",
            "-s",
            "bench",
            "-o",
            program,
            *map(str, sources),
        ],
        check=True,
    )
    said = subprocess.run([*runner.command, "-n", program], capture_output=True, text=True, check=True).stdout
    assert "wrong 0" in said, said[:2000]


def test_what_is_no_netlist_is_an_error(tmp_path):
    path = tmp_path / "top.json"
    for text in ("{", "{}", '{"modules": {"top": []}}'):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(TrineError, match="is no netlist of top"):
            netlist_verilog(path)
    with pytest.raises(TrineError, match="cannot read .*missing.json"):
        netlist_verilog(tmp_path / "missing.json")
