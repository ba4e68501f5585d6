"""A ULPI PHY at a board's pins: small boards that keep its rules or do not, and netlists of a true one."""

import json
import random
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from sim.netlist.loopback import synthesised_loopback
from sim.netlist.spoilt import with_a_pad_that_drives
from trine_boards import BOARDS
from trine_boards.pins.host import START_SECONDS
from trine_boards.pins.simulation import PinNetlist, started
from trine_boards.pins.ulpi import ULPIHost
from trine_boards.verify.netlist_pins import synthesised
from trine_boards.verify.routed_ecp5 import routed_verilog
from trine_sw.support.errors import TrineError

SPEC = BOARDS["ecpix5-85f"].over("ulpi")
HOST: Any = SPEC.transport.pin_host(SPEC.clock_mhz)
#: Of the board's time in which a frame of the tests is there and back.
SILENCE = 30e-6

#: A board that counts the PHY's cycles on the data, when the bus is its, and holds its PHY in reset at first.
BOARD = """\
module TRELLIS_IO (inout B, input I, input T, output O);
    assign B = T ? 1'bz : I;
    assign O = B;
endmodule
module top (input clk, input phy_clk, input dir, input nxt, output stp, output rst, inout [7:0] data);
    reg [7:0] cycles = 0, from_phy = 0;
    reg [4:0] held = 0;
    reg was_dir = 0, was_before = 0;
    wire [7:0] seen;
    always @(posedge clk) held <= held[4] ? held : held + 1;
    always @(posedge phy_clk) begin
        cycles <= cycles + 1;
        was_dir <= dir;
        was_before <= was_dir;
        if (dir && was_dir) from_phy <= seen;
    end
    assign stp = nxt;
    assign rst = RESET;
    genvar index;
    generate for (index = 0; index < 8; index = index + 1)
        TRELLIS_IO pad (.B(data[index]), .I(nxt ? from_phy[index] : cycles[index]), .T(OFF), .O(seen[index]));
    endgenerate
endmodule
"""
SMALL = ULPIHost("phy_clk", "dir", "nxt", "stp", "rst", "data", bit_seconds=1e-8)


def small_board(folder, off="dir", reset="!held[4]"):
    """A bus to a small board that has left its PHY's reset."""
    source = folder / "board.v"
    source.write_text(BOARD.replace("OFF", off).replace("RESET", reset), encoding="utf-8")
    netlist = PinNetlist((source,), "top", "clk", 100)
    board = SMALL.attach(started(netlist, SMALL, optimise=False))
    board.wire.bus.step(0, 0, 0, 400)
    return board


def test_levels_at_the_pins(tmp_path):
    """The PHY's clock begins after its reset; what either side drives is seen by the other one, and stp."""
    with closing(small_board(tmp_path)) as board:
        bus = board.wire.bus
        bus.step(0, 0, 0, 400)
        values = [bus.step(0, 0, 0) for _ in range(5)]
        assert [(passed, stop) for passed, _, stop in values] == [(1, 0)] * 5
        assert [(b - a) % 256 for (_, a, _), (_, b, _) in zip(values, values[1:], strict=False)] == [1] * 4
        for sent in (0x00, 0xFF, 0xA5, 0x12):
            assert bus.step(1, 0, 0xEE) == (1, 0, 0)  # the bus turns around
            assert bus.step(1, 0, sent)[1] == bus.step(1, 1, 0x33)[1] == 0
            bus.step(0, 0, 0)
            assert bus.step(0, 1, 0) == (1, 0x33, 1)
            assert bus.step(1, 0, 0) == (1, 0, 0) and bus.step(1, 0, sent) == (1, 0, 0)
            bus.step(0, 0, 0)
            assert bus.step(0, 1, 0) == (1, sent, 1)
        assert bus.errors == 0


@pytest.mark.parametrize(
    ("fault", "errors"),
    [({"off": "1'b0"}, 3), ({"off": "was_before"}, 1), ({"reset": "!held[4] || cycles == 40"}, 1)],
    ids=["never lets go of the bus", "lets go too late", "resets its PHY again"],
)
@pytest.mark.nightly
def test_a_board_that_breaks_the_rules_of_the_bus(tmp_path, fault, errors):
    with closing(small_board(tmp_path, **fault)) as board:
        bus = board.wire.bus
        before = bus.errors
        for dir in (0, 1, 1, 1, 0, 0):
            bus.step(dir, 0, 0)
        for _ in range(60):
            bus.step(0, 0, 0)
        assert bus.errors == before + errors


def placed(path, *, stuck):
    """A placed netlist that drives 0xA6 when the bus is its, and shows at stp what it sees of the lowest bit;
    where `stuck`, one of its pads drives for ever."""
    nets = {name: n for n, name in enumerate(("clk", "phy_clk", "dir", "nxt", "stp", "rst"), 2)}
    data, seen = range(20, 28), range(30, 38)
    ports = {name: {"direction": "input", "bits": [net]} for name, net in nets.items()}
    ports["stp"]["direction"] = ports["rst"]["direction"] = "output"
    ports["data"] = {"direction": "inout", "bits": [*data]}
    pads = [("INPUT", {"B": [nets["dir"]], "O": [10]})]
    pads += [("OUTPUT", {"B": [nets["stp"]], "I": [seen[0]]}), ("OUTPUT", {"B": [nets["rst"]], "I": ["0"]})]
    for bit in range(8):
        off = ["0"] if stuck and bit == 3 else [10]
        pins = {"B": [data[bit]], "I": [str(0xA6 >> bit & 1)], "T": off, "O": [seen[bit]]}
        pads.append(("BIDIR", pins))
    cells = {
        f"pad{n}": {
            "type": "TRELLIS_IO",
            "parameters": {"DIR": direction},
            "attributes": {"NEXTPNR_BEL": "X1/Y1/PIOA"},
            "port_directions": {},
            "connections": pins,
        }
        for n, (direction, pins) in enumerate(pads)
    }
    path.write_text(json.dumps({"modules": {"top": {"ports": ports, "cells": cells}}}), encoding="utf-8")


@pytest.mark.nightly
@pytest.mark.parametrize("stuck", [False, True])
def test_pads_of_a_routed_netlist(tmp_path, stuck):
    """Both ends see what the other one drives, and a pad that does not let go of the bus is counted."""
    placed(tmp_path / "routed.json", stuck=stuck)
    source = tmp_path / "board.v"
    source.write_text(routed_verilog(tmp_path / "routed.json"), encoding="utf-8")
    netlist = PinNetlist((source,), "top", "clk", 100)
    with closing(SMALL.attach(started(netlist, SMALL, optimise=False))) as board:
        bus = board.wire.bus
        bus.step(0, 0, 0, 400)
        before = bus.errors
        assert bus.step(0, 0, 0) == (1, 0xA6, 0)
        bus.step(1, 0, 0)
        assert [bus.step(1, 0, data)[2] for data in (0xFF, 0x00, 0x55)] == [1, 0, 1]
        bus.step(0, 0, 0)
        assert bus.step(0, 0, 0) == (1, 0xA6, 0)
        assert bus.errors - before == (4 if stuck else 0) and (before > 0) == stuck


@pytest.fixture(scope="module")
def netlist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ulpi")
    synthesised_loopback(SPEC, folder)
    return folder, synthesised(SPEC, folder / "top.json", folder / "models")


def echoed(board, frame):
    """What has come back once the board is silent."""
    board.write(frame)
    received = b""
    while data := board.read(SILENCE):
        received += data
    return received


def random_frames(rng, sizes):
    """Frames of bytes of the most and of the fewest edges."""
    for size in sizes:
        yield bytes(rng.choice((1, 0x55, 255, rng.randrange(1, 256))) for _ in range(size - 1)) + b"\0"


@pytest.mark.nightly
@pytest.mark.parametrize("supplied", [False, True])
def test_bytes_come_back(netlist, supplied):
    """Over packets that are short, full and empty, of a board that is plugged in once it has started, and of
    one that starts while it is."""
    host = replace(HOST, supplied=supplied)
    with closing(host.attach(started(netlist[1], host, optimise=False))) as board:
        board.begin(START_SECONDS)
        assert board.wire.high_speed
        for frame in random_frames(random.Random(7), (2, 511, 512, 513, 1024, 60, 1)):
            assert echoed(board, frame) == frame
        assert board.line_errors == 0


@pytest.mark.nightly
def test_two_wires_that_are_exchanged(netlist):
    host = replace(HOST, inverted=True)
    with closing(host.attach(started(netlist[1], host, optimise=False))) as board:
        with pytest.raises(TrineError, match="which is not modelled"):
            board.begin(START_SECONDS)


@pytest.mark.nightly
def test_a_pad_that_never_lets_go(netlist, tmp_path):
    with_a_pad_that_drives("ulpi_0__data__io", netlist[0] / "top.json", tmp_path / "top.json")
    wrong = synthesised(SPEC, tmp_path / "top.json", tmp_path / "models")
    with closing(HOST.attach(started(wrong, HOST, optimise=False))) as board:
        board.wire.begin(START_SECONDS)
        assert board.line_errors > 10
