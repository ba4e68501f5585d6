"""Block RAM of a Gowin chip: what Yosys makes of memories, with its cells' models, against the memories."""

import random
import subprocess

import pytest

from sim.netlist.synthesis import run_tool
from trine_boards.build.families import GOWIN
from trine_boards.verify.cell_models import cell_models
from trine_sw.support import toolchain

#: Bits and words; one block RAM in each of its forms, and several.
SIZES = (
    (1, 9000),
    (2, 5000),
    (4, 3000),
    (7, 1500),
    (9, 2048),
    (16, 900),
    (18, 1024),
    (36, 512),
    (40, 300),
    (20, 2100),
)


def memories() -> str:
    """A module `top` of memories with a port to write and one to read, which have the same clock."""
    draw = random.Random(7)
    ports, body = [], []
    for n, (width, depth) in enumerate(SIZES):
        bits = (depth - 1).bit_length() - 1
        ports.append(f"output reg [{width - 1}:0] q{n}")
        first = "\n".join(f"m{n}[{at}] = {width}'h{draw.getrandbits(width):x};" for at in range(depth))
        body.append(f"""
            (* ram_style = "block" *) reg [{width - 1}:0] m{n} [0:{depth - 1}];
            initial begin {first} end
            always @(posedge clk) begin
                if (re) q{n} <= m{n}[from[{bits}:0] % {depth}];
                if (we) m{n}[to[{bits}:0] % {depth}] <= data[{width - 1}:0];
            end""")
    inputs = "input clk, we, re, input [13:0] from, to, input [39:0] data"
    return f"module top ({inputs}, {', '.join(ports)});{''.join(body)}\nendmodule\n"


BENCH = """
module bench;
    reg clk = 0, we = 0, re = 0, seen = 0;
    reg [13:0] from = 0, to = 0;
    reg [39:0] data = 0;
    integer n, wrong = 0, met = 0;
    WIRES
    top left (clk, we, re, from, to, data, LEFT);
    gate right (clk, we, re, from, to, data, RIGHT);
    initial begin
        for (n = 0; n < 6000; n = n + 1) begin
            {we, re, data} = {$random, $random};
            to = $random;
            from = n % 3 == 0 ? to : n % 3 == 1 ? $random : n;
            met = met + (we && re && from == to);
            seen = seen | re; // before the first read the outputs are not known
            #1 clk = 1;
            #1 if (seen && {LEFT} !== {RIGHT}) wrong = wrong + 1;
            clk = 0;
        end
        $display("wrong %0d met %0d", wrong, met);
        $finish;
    end
endmodule
"""


@pytest.mark.nightly
def test_what_yosys_makes_of_memories_equals_them(tmp_path):
    """Contents at first, written and read words, and a word that is read while it is written."""
    (tmp_path / "top.v").write_text(memories(), encoding="utf-8")
    for file, contents in GOWIN.library_files().items():
        (tmp_path / file).write_bytes(contents)
    script = f"read_verilog top.v\n{GOWIN.memory_synthesis('top')}opt_clean\nrename top gate\n"
    (tmp_path / "top.ys").write_text(f"{script}write_verilog -noattr gate.v\n", encoding="utf-8")
    run_tool(toolchain.require("yosys"), ["top.ys"], tmp_path)
    gate = (tmp_path / "gate.v").read_text(encoding="utf-8")
    assert gate.count("SDPB #(") >= 3 and gate.count("SDPX9B #(") >= 6
    names = [(f"a{n}", f"b{n}", width) for n, (width, _) in enumerate(SIZES)]
    bench = BENCH.replace("WIRES", "\n".join(f"wire [{width - 1}:0] {a}, {b};" for a, b, width in names))
    bench = bench.replace("LEFT", ", ".join(a for a, *_ in names)).replace(
        "RIGHT", ", ".join(b for _, b, _ in names)
    )
    (tmp_path / "bench.v").write_text(bench, encoding="utf-8")
    # Yosys' models have cells of the same names without contents.
    files = [tmp_path / name for name in ("top.v", "gate.v", "bench.v")]
    files += [path for path in cell_models("gowin", tmp_path, pads=False)]
    compiler, runner = toolchain.require("iverilog"), toolchain.require("vvp")
    program = str(tmp_path / "bench.vvp")
    subprocess.run([*compiler.command, "-g2012", "-s", "bench", "-o", program, *map(str, files)], check=True)
    said = subprocess.run([*runner.command, "-n", program], capture_output=True, text=True, check=True).stdout
    wrong, met = said.split()[1::2]
    assert wrong == "0" and int(met) > 200, said
