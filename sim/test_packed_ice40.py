"""Packed iCE40 bitstreams as Verilog: a small design against its source, from the bitstream alone, the models
of memories, and what the conversion does not understand."""

from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path

import pytest

from sim.netlist.synthesis import run_tool
from trine_boards.build.families import ICE40
from trine_boards.verify.packed_ice40 import complete, packed_verilog
from trine_sw.support.errors import TrineError
from trine_sw.support.toolchain import find, require

CELLS = Path(packed_verilog.__code__.co_filename).parent / "cells"

needs_icestorm = pytest.mark.skipif(
    find("icebox_vlog") is None, reason="icebox_vlog is missing: apt install fpga-icestorm"
)

BENCH = """\
`timescale 1ns / 1ps
module bench;
    reg clk = 0;
    reg [{width}-1:0] values [0:{count}-1];
    reg [{width}-1:0] i = 0;
    wire [{outputs}-1:0] o;
    integer n;
    top dut ({connections});
    initial begin
        $readmemh("values.hex", values);
        #{wait};
        for (n = 0; n < {count}; n = n + 1) begin
            i = values[n];
            #20 $display("%b", o);
            clk = 1;
            #20 clk = 0;
        end
        $finish;
    end
endmodule
"""


def simulate(
    folder: Path,
    files: list[Path],
    values: list[int],
    connections: str,
    width: int,
    outputs: int,
    wait: int = 5000,
) -> list[str]:
    """What ``o`` is before each rising edge of the clock, for a value of ``i`` each."""
    folder.mkdir(exist_ok=True)
    (folder / "values.hex").write_text("".join(f"{value:x}\n" for value in values), encoding="utf-8")
    fields = {
        "width": width,
        "count": len(values),
        "outputs": outputs,
        "connections": connections,
        "wait": wait,
    }
    (folder / "bench.v").write_text(BENCH.format(**fields), encoding="utf-8")
    sources = [str(path.resolve()) for path in files]
    run_tool(require("iverilog"), ["-g2012", "-s", "bench", "-o", "bench.vvp", "bench.v", *sources], folder)
    vvp = [*require("vvp").command, "-n", "bench.vvp"]
    return subprocess.run(vvp, cwd=folder, capture_output=True, text=True, check=True).stdout.split()


def drawn(width: int, count: int) -> list[int]:
    rng = random.Random(width)
    return [rng.getrandbits(width) for _ in range(count)]


@pytest.mark.parametrize("read", range(4))
@pytest.mark.parametrize("write", range(4))
def test_widths_of_a_block_ram(tmp_path, read, write):
    """Random reads and writes through ports of 16, 8, 4 and 2 bits, against a memory of bits."""
    rng = random.Random(10 * read + write)
    contents = rng.getrandbits(4096)
    inits = ", ".join(f".INIT_{n:X}(256'h{contents >> 256 * n & (1 << 256) - 1:x})" for n in range(16))
    (tmp_path / "top.v").write_text(
        f"module top(input clk, input [61:0] i, output [15:0] o);\n"
        f"SB_RAM40_4K #(.READ_MODE({read}), .WRITE_MODE({write}), {inits}) ram (.RCLK(clk), .WCLK(clk),\n"
        ".RADDR({i[61:59], 6'b0, i[58:57]}), .WADDR({i[56:54], 6'b0, i[53:52]}), .MASK(i[51:36]),\n"
        ".WDATA(i[35:20]), .RE(i[0]), .RCLKE(i[1]), .WE(i[2]), .WCLKE(i[3]), .RDATA(o));\nendmodule\n",
        encoding="utf-8",
    )
    values = drawn(62, 500)
    found = simulate(
        tmp_path, [tmp_path / "top.v", CELLS / "ice40_memories.v"], values, ".clk(clk), .i(i), .o(o)", 62, 16
    )
    memory, shown = contents, 0
    places = {0: list(range(16)), 1: list(range(0, 16, 2)), 2: [1, 5, 9, 13], 3: [3, 11]}
    for value, output in zip(values, found, strict=True):
        assert int(output, 2) == shown
        before = memory
        if value >> 2 & 3 == 3:
            row, lane = value >> 52 & 3, (value >> 54 & 7) % (1 << write)
            for k, pin in enumerate(places[write]):
                if write or not value >> 36 + pin & 1:
                    bit = 16 * row + (k << write) + lane
                    memory = memory & ~(1 << bit) | (value >> 20 + pin & 1) << bit
        if value & 3 == 3:
            row, lane = value >> 57 & 3, (value >> 59 & 7) % (1 << read)
            bits = [before >> 16 * row + (k << read) + lane & 1 for k in range(16 >> read)]
            shown = sum(bit << pin for bit, pin in zip(bits, places[read], strict=True))


def test_a_block_ram_reads_zeros_at_first(tmp_path):
    """For three microseconds; what it holds stands after that."""
    (tmp_path / "top.v").write_text(
        "module top(input clk, output [15:0] o);\n"
        "SB_RAM40_4K #(.INIT_0(256'habcd)) ram (.RCLK(clk), .WCLK(clk),\n"
        ".RADDR(11'd0), .WADDR(11'd0), .MASK(16'd0), .WDATA(16'd0), .RE(1'b1), .RCLKE(1'b1), .WE(1'b0),\n"
        ".WCLKE(1'b1), .RDATA(o));\nendmodule\n",
        encoding="utf-8",
    )
    sources = [tmp_path / "top.v", CELLS / "ice40_memories.v"]
    found = simulate(tmp_path, sources, [0] * 100, ".clk(clk), .o(o)", 1, 16, wait=0)
    assert [int(output, 2) for output in found] == [0] * 76 + [0xABCD] * 24


def test_single_port_ram_starts_as_noise(tmp_path):
    """Four of them differ, and what is written by nibbles is read back."""
    (tmp_path / "top.v").write_text(
        "module top(input clk, input [23:0] i, output [63:0] o);\ngenvar n;\nfor (n = 0; n < 4; n = n + 1)\n"
        "SB_SPRAM256KA #(.NUMBER(n)) ram (.CLOCK(clk), .ADDRESS({10'd0, i[3:0]}), .DATAIN(i[19:4]),\n"
        ".MASKWREN(i[23:20]), .WREN(i[23:20] != 0), .CHIPSELECT(1'b1), .STANDBY(1'b0), .SLEEP(1'b0),\n"
        ".POWEROFF(1'b1), .DATAOUT(o[16 * n +: 16]));\nendmodule\n",
        encoding="utf-8",
    )
    writes = [(m << 20) | (0x5A3C * (m + 1) & 0xFFFF) << 4 | a for m in range(1, 16) for a in range(16)]
    reads = list(range(16))
    sources = [tmp_path / "top.v", CELLS / "ice40_memories.v"]
    found = simulate(tmp_path, sources, [*reads, *writes, *reads, 0], ".clk(clk), .i(i), .o(o)", 24, 64)
    words = [[int(output, 2) >> 16 * n & 0xFFFF for n in range(4)] for output in found]
    assert len({word for row in words[1:17] for word in row}) == 64
    memory = [list(row) for row in words[1:17]]
    for value in writes:
        mask = sum(0xF << 4 * k for k in range(4) if value >> 20 + k & 1)
        row = memory[value & 15]
        memory[value & 15] = [word & ~mask | (value >> 4 & mask) for word in row]
    assert words[-16:] == memory


SOURCE = """\
module top(input clk, input [12:0] i, output [10:0] o);
    wire [7:0] a = i[7:0];
    wire [3:0] b = i[11:8];
    wire we = i[12];
    reg [7:0] far [0:255], read = 0, held = 0, sum = 0, down = 0;
    reg [15:0] kept_spram [0:16383], back = 0;
    integer k;
    initial for (k = 0; k < 256; k = k + 1) far[k] = k * 29 + 11;
    always @(posedge clk) read <= far[a];
    always @(posedge clk) if (we) held <= held + {a[3:0], b}; else if (&b) held <= 0;
    always @(negedge clk) down <= down - a;
    always @(posedge clk) sum <= $signed(a) < $signed(held) ? a - held : a + held;
    always @(posedge clk) if (we) kept_spram[{10'd0, b}] <= {a, ~a}; else back <= kept_spram[{10'd0, b}];
    // What is read before it was written is noise: it is not looked at.
    reg [15:0] written = 0;
    reg known = 0;
    always @(posedge clk) begin
        if (we) written[b] <= 1;
        known <= !we && written[b];
    end
    assign o = {known & ^back[15:8], ^read, read[0], sum[7:0] ^ down};
endmodule
"""


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> Path:
    """A small design on an iCE40UP5K, down to its bitstream."""
    folder = tmp_path_factory.mktemp("packed")
    (folder / "top.v").write_text(SOURCE, encoding="utf-8")
    script = f"read_verilog top.v\nproc\n{ICE40.synthesis.format(name='top')}write_json top.json\n"
    script = re.sub(r"^delete .*\n", "", script, flags=re.MULTILINE)
    (folder / "top.ys").write_text(script, encoding="utf-8")
    run_tool(require("yosys"), ["top.ys"], folder)
    pads = [2, 3, 4, 6, 9, 10, 11, 12, 13, 18, 19, 20, 21, 23, 25, 26, 27, 28, 31, 32, 34, 36, 37, 38, 42]
    names = ["clk", *(f"i[{n}]" for n in range(13)), *(f"o[{n}]" for n in range(11))]
    pads.remove(20)
    pins = dict(zip(names, [35, *pads], strict=True))
    (folder / "top.pcf").write_text(
        "".join(f"set_io {name} {pin}\n" for name, pin in pins.items()), encoding="utf-8"
    )
    options = [
        "--up5k",
        "--package",
        "sg48",
        "--json",
        "top.json",
        "--pcf",
        "top.pcf",
        "--asc",
        "top.asc",
        "-q",
    ]
    run_tool(require("nextpnr-ice40"), options, folder)
    run_tool(require("icepack"), ["top.asc", "top.bin"], folder)
    return folder


def pins_connected(text: str) -> str:
    head = re.match(r"(?s)\s*module top \((.*?)\);", text)
    assert head
    names = [port.split()[-1].removeprefix("\\") for port in re.split(r",", head[1])]
    return ", ".join(f".{name if name == 'clk' else chr(92) + name + ' '}({name})" for name in names)


VALUES = drawn(13, 1500)


@needs_icestorm
@pytest.mark.nightly
def test_a_packed_design_does_what_its_source_says(packed, tmp_path):
    text = packed_verilog(packed / "top.bin", packed / "top.pcf", "sg48", tmp_path)
    assert "SB_SPRAM256KA" in text and "SB_RAM40_4K" in text
    (tmp_path / "packed.v").write_text(text, encoding="utf-8")
    source = simulate(tmp_path / "a", [packed / "top.v"], VALUES, ".clk(clk), .i(i), .o(o)", 13, 11)
    assert len(set(source)) > 500
    files = [tmp_path / "packed.v", CELLS / "ice40_memories.v"]
    assert simulate(tmp_path / "b", files, VALUES, pins_connected(text), 13, 11) == source


@needs_icestorm
@pytest.mark.nightly
def test_a_flipped_bit_of_a_bitstream_is_noticed(packed, tmp_path):
    """A bit of the contents of a block RAM, and one of a LUT in use, each packed into a bitstream again."""
    run_tool(require("iceunpack"), [str(packed / "top.bin"), "whole.asc"], tmp_path)
    whole = (tmp_path / "whole.asc").read_text(encoding="utf-8")
    source = simulate(tmp_path / "a", [packed / "top.v"], VALUES, ".clk(clk), .i(i), .o(o)", 13, 11)
    ram = re.search(r"\.ram_data (\d+ \d+)\n(?:0+\n)*((?=0*[1-9a-f])[0-9a-f]+)", whole)
    logic = re.search(r"\.logic_tile (\d+ \d+)\n(?:[01]{36}[01]*\n)*?([01]{36}(?=1[01]*1)[01]{18})", whole)
    assert ram and logic
    for found in (ram, logic):
        line = found[2]
        at = next(n for n in range(0 if found is ram else 36, len(line)) if line[n] != "0")
        bit = f"{int(line[at], 16) & int(line[at], 16) - 1:x}"  # a bit that is set is one in use
        (tmp_path / "broken.asc").write_text(
            whole[: found.start(2)] + line[:at] + bit + line[at + 1 :] + whole[found.end(2) :],
            encoding="utf-8",
        )
        run_tool(require("icepack"), ["broken.asc", "broken.bin"], tmp_path)
        text = packed_verilog(tmp_path / "broken.bin", packed / "top.pcf", "sg48", tmp_path)
        (tmp_path / "broken.v").write_text(text, encoding="utf-8")
        files = [tmp_path / "broken.v", CELLS / "ice40_memories.v"]
        assert simulate(tmp_path / "b", files, VALUES, pins_connected(text), 13, 11) != source


TEXT = """\
// Reading file 'x.asc'..

module top (input rx, output tx, input clk);

wire n1;
// (0, 0, 'glb_netwk_7')
// (0, 1, 'clk')

wire rx;
// (1, 2, 'io_0/PAD')

wire n2;
// (3, 4, 'lutff_0/out')

reg n3 = 0;
// (5, 5, 'lutff_1/out')

wire n9;
// (12, 31, 'io_1/PAD')

wire n10;
// (12, 31, 'io_1/PAD')

SB_PLL40_PAD #(
  .DIVR(4'b0000)
) PLL_12_31 (
  .PACKAGEPIN(n9),
  .PLLOUTCORE(n10),
  .PLLOUTGLOBAL(n1)
);
assign tx = n2 ? n3 : 1'bz;
assign n2 = /* LUT */ 1'b1;
/* FF  5  5  1 */ always @(posedge n1) if (1'b1) n3 <= 1'b0 ? 1'b0 : rx;

endmodule
"""
CHIP = {"device": "5k", "rams": [], "pins": {"12 31 1": "35"}}
PCF = "set_io rx 6\nset_io -nowarn tx 9\nset_io clk 35\n"


def test_a_pll_is_joined_to_its_pin_and_outputs_lose_their_enable():
    text = complete(TEXT, CHIP, PCF)
    assert "assign n9 = clk;" in text and "assign tx = n3;" in text and "//" not in text
    at_times = complete(TEXT.replace("n2 = /* LUT */ 1'b1", "n2 = rx"), CHIP, PCF)
    assert "assign tx = n2 ? n3 : 1'bz;" in at_times


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace(": rx;", ": n77;"), "nothing drives \\(n77\\)"),
        (lambda text: text.replace("io_1/PAD", "io_1/D_IN_0"), "pad is not found"),
        (lambda text: text.replace("(12, 31", "(13, 31"), "which the constraints do not name"),
    ],
)
def test_what_is_not_understood_is_one_error(change, said):
    with pytest.raises(TrineError, match=said):
        complete(change(TEXT), CHIP, PCF)


@needs_icestorm
def test_a_file_that_is_no_bitstream(tmp_path):
    (tmp_path / "top.bin").write_bytes(b"no bitstream")
    (tmp_path / "top.pcf").write_text(PCF, encoding="utf-8")
    with pytest.raises(TrineError, match="iceunpack could not decode"):
        packed_verilog(tmp_path / "top.bin", tmp_path / "top.pcf", "sg48", tmp_path)
