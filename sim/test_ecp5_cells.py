"""Cells of routed ECP5 netlists as Verilog, each against a statement of its function."""

from __future__ import annotations

import itertools
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sim.netlist.placed_design import Design, bits, drawn
from tests.helpers.paths import ROOT
from trine_boards.verify.ecp5_cells import PlacedCell, block_ram_pin, lut_expression
from trine_sw.support.errors import TrineError


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


def test_a_carry_from_nowhere_is_an_error(tmp_path):
    design = Design(1)
    parameters = {"MODE": "CCU2", "CCU2_INJECT1": "NO", "INITVAL": 0xFFFF}
    design.add("TRELLIS_COMB", parameters, F=design.out(), A=design.i[0])
    with pytest.raises(TrineError, match="needs a carry"):
        design.verilog(tmp_path)


BENCH_OF_A_PLL = """`timescale 1ns / 1ps
module bench;
    reg clk = 0;
    wire fast, slow, lock;
    real last = 0, worst = 0;
    integer edges = 0;
    always #(500.0 / MHZ) clk = !clk;
    EHXPLLL #(
        .FEEDBK_PATH("CLKOP"), .CLKI_DIV(1), .CLKFB_DIV(1), .CLKOP_DIV(LOOP),
        .CLKOS_DIV(FAST), .CLKOS2_ENABLE("ENABLED"), .CLKOS2_DIV(SLOW)
    ) pll (.CLKI(clk), .RST(1'b0), .CLKOS(fast), .CLKOS2(slow), .LOCK(lock));
    initial #1000000 begin
        $display("%0d %f", edges, worst);
        $finish;
    end
    always @(posedge fast) last = $realtime;
    always @(posedge slow) begin
        #0.01;
        if (edges > 0 && $realtime - 0.01 - last > worst) worst = $realtime - 0.01 - last;
        edges = edges + 1;
    end
endmodule
"""


@pytest.mark.skipif(not shutil.which("iverilog"), reason="Icarus is not installed")
@pytest.mark.parametrize(
    ("mhz", "loop", "fast", "slow"), [(25, 24, 25, 100), (25, 24, 12, 48), (27, 22, 9, 27), (12, 51, 7, 35)]
)
def test_outputs_of_a_pll_rise_together(tmp_path, mhz, loop, fast, slow):
    """For a millisecond, whose edges are not at whole picoseconds."""
    bench = BENCH_OF_A_PLL
    for name, value in {"MHZ": mhz, "LOOP": loop, "FAST": fast, "SLOW": slow}.items():
        bench = re.sub(rf"\b{name}\b", str(value), bench)
    (tmp_path / "bench.v").write_text(bench, encoding="utf-8")
    cells = ROOT / "boards/trine_boards/verify/cells/ecp5_clock_and_pads.v"
    command = ["iverilog", "-g2012", "-s", "bench", "-o", "bench", "bench.v", str(cells)]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run(["vvp", "bench"], cwd=tmp_path, check=True, capture_output=True, text=True)
    edges, worst = done.stdout.split()[-2:]
    assert abs(int(edges) - 1e3 * mhz * loop / slow) < 4 and float(worst) < 0.002


BENCH_OF_PADS = """`timescale 1ns / 1ps
module bench;
    reg clk = 0, d0 = 0, d1 = 0, in = 0;
    wire q, r0, r1, none, mode, taps;
    ODDRX1F out(.D0(d0), .D1(d1), .SCLK(clk), .Q(q));
    IDDRX1F back(.D(in), .SCLK(clk), .Q0(r0), .Q1(r1));
    DELAYG #(.DEL_MODE("SCLK_ALIGNED"), .DEL_VALUE(0)) no_delay(.A(q), .Z(none));
    DELAYG #(.DEL_MODE("SCLK_CENTERED")) by_mode(.A(q), .Z(mode));
    DELAYG #(.DEL_MODE("SCLK_CENTERED"), .DEL_VALUE(80)) by_taps(.A(q), .Z(taps));
    always @(none) $display("none %0t", $realtime);
    always @(mode) $display("mode %0t", $realtime);
    always @(taps) $display("taps %0t", $realtime);
    integer n;
    initial for (n = 0; n < 800; n = n + 1) begin
        clk = !clk;
        if (clk) {d0, d1} <= $random;
        #(LATE / 1000.0) in = $random;
        #(4 - LATE / 1000.0) $display("half %b %b %b %b %b %b", in, q, r0, r1, d0, d1);
    end
endmodule
"""


def simulated_pads(folder: Path, late: int) -> dict[str, list[list[int]]]:
    """What the bench shows, where data changes so many picoseconds after each edge of the clock: "half" a
    cycle's data into the pad, out of it, both registers of the input and both to the output, and when
    outputs change."""
    (folder / "bench.v").write_text(BENCH_OF_PADS.replace("LATE", str(late)), encoding="utf-8")
    cells = ROOT / "boards/trine_boards/verify/cells/ecp5_ddr_pads.v"
    command = ["iverilog", "-g2012", "-s", "bench", "-o", "bench", "bench.v", str(cells)]
    subprocess.run(command, cwd=folder, check=True)
    done = subprocess.run(["vvp", "bench"], cwd=folder, check=True, capture_output=True, text=True)
    shown: dict[str, list[list[int]]] = {}
    for name, *values in map(str.split, done.stdout.splitlines()):
        shown.setdefault(name, []).append([int(value) for value in values if value != "x"])
    return shown


@pytest.mark.skipif(not shutil.which("iverilog"), reason="Icarus is not installed")
def test_output_of_double_data_rate_and_its_delay(tmp_path):
    """D0 of the cycle before, then D1 of it; a tap is 25 ps."""
    shown = simulated_pads(tmp_path, 200)
    half = shown["half"]
    for n in range(2, 800, 2):
        *_, d0, d1 = half[n - 2]
        assert (half[n][1], half[n + 1][1]) == (d0, d1), n
    edges = shown["none"][-200:]
    assert [[time + 975] for (time,) in edges] == shown["mode"][-200:]
    assert [[time + 2000] for (time,) in edges] == shown["taps"][-200:]


@pytest.mark.skipif(not shutil.which("iverilog"), reason="Icarus is not installed")
@pytest.mark.parametrize("late", [100, 450, 460, 1490, 1500, 3900])
def test_input_of_double_data_rate(tmp_path, late):
    """Both samples of a cycle, in the next one; of data that is not steady for 0.52 ns around the edge, which
    comes 0.975 ns late, noise."""
    half = simulated_pads(tmp_path, late)["half"]
    steady = not 455 < late < 1495
    taken = [half[n][0] if late < 975 else half[n - 1][0] for n in range(800)]
    right = [half[n][2:4] == taken[n - 2 : n] for n in range(4, 800, 2)]
    # A sample is wrong where data changes, and noise differs: three in four are right.
    assert all(right) if steady else 170 < sum(right) < 280
