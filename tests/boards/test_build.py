"""A tiny engine through Yosys, nextpnr and ecppack, and what the build says where it does not succeed."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Elaboratable, Module

import trine_boards.build.bitstream as build_module
from trine_boards import BOARDS
from trine_boards.build.bitstream import build_bitstream, read_report
from trine_boards.clock.choice import highest_clock
from trine_boards.report.report import rom_ports_used
from trine_boards.top import BoardTop
from trine_hw.link.event_counters import EventCounters
from trine_hw.link.uart import UARTReceiver, UARTTransmitter
from trine_hw.primitives.column_rom import ColumnROM
from trine_sw.engine import EngineConfig, Geometry
from trine_sw.fit.cost import memory_cost
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

BOARD = BOARDS["ulx3s"]
MODEL = random_model(ModelConfig(hidden=6, embedding=4, vocab_size=8), seed=1)
ENGINE = EngineConfig(lanes=40, banks=2, block_ram="ecp5")
#: What a report must say.
REQUIRED = (
    "board model lanes banks lut4 ff block_ram dsp fmax_mhz clock_mhz cycles_per_token tokens_per_s "
    "rom_ports_used rom_ports dense_gops effective_gops seed tools"
).split()


@pytest.mark.nightly
def test_tiny_engine_becomes_a_bitstream_and_a_report(trine, tmp_path):
    """The whole way of trine build, with the true tools: PLL, UART, protocol and core, on the ULX3S."""
    path, folder, results = tmp_path / "tiny.trine", tmp_path / "build", tmp_path / "results"
    MODEL.save(path)
    engine = ("--lanes", ENGINE.lanes, "--banks", ENGINE.banks)
    options = ("-o", folder, "--results", results, "--json", "--no-check")
    command = ("build", path, "--board", "ulx3s", *engine, *options)

    def build():
        """The result, and what was done in each step."""
        result = trine(*command)
        return result, dict(re.findall(r"^(\S+): (done|kept)$", result.stderr, re.MULTILINE))

    result, done = build()
    assert result.exit_code == 0, result.output
    steps = ("elaboration", "synthesis", "route-1", "bitstream")
    assert done == dict.fromkeys(steps, "done")
    assert "Found and reported 0 problems." in (folder / "synthesis.log").read_text(encoding="utf-8")
    assert "Routing complete." in (folder / "route-1.text").read_text(encoding="utf-8")
    assert b"LFE5U-85F" in (folder / "top.bit").read_bytes()[:200]

    facts = json.loads((results / "ulx3s-tiny.json").read_text(encoding="utf-8"))
    assert set(REQUIRED) <= set(facts)
    assert json.loads(result.stdout) == {"bitstream": str(folder / "top.bit")} | facts
    assert (facts["board"], facts["model"], facts["banks"], facts["seed"]) == ("ulx3s", "tiny", 2, 1)
    assert facts["seeds"] == {"1": facts["fmax_mhz"]}
    assert facts["dsp"] == 0 and facts["clock_mhz"] == BOARD.clock_mhz == 75
    assert facts["margin"] == 0.05 and facts["fmax_mhz"] >= 1.05 * 75
    assert facts["highest_clock_mhz"] == highest_clock(BOARD, facts["fmax_mhz"], 0.05)
    geometry = Geometry(MODEL.config, ENGINE)
    assert facts["lanes"] == geometry.lanes and facts["lut4"] > 1000 and facts["ff"] > 500
    assert facts["block_ram"] >= facts["rom_ports_used"] == rom_ports_used(geometry, BOARD)
    assert facts["tokens_per_s"] == pytest.approx(75e6 / facts["cycles_per_token"], rel=1e-4)
    assert 0 < facts["effective_gops"] <= facts["dense_gops"]
    tools = [tool.split()[0] for tool in facts["tools"]]
    assert tools == ["yosys", "nextpnr-ecp5", "ecppack"]
    assert facts["command"] in (results / "ulx3s-tiny.md").read_text(encoding="utf-8")

    # Asked of nextpnr with the margin: a period of 12,698 ps.
    constraints = json.loads((folder / "route-1.report.json").read_text(encoding="utf-8"))["fmax"]
    assert {round(1e6 / clock["constraint"]) for clock in constraints.values()} == {12698}
    assert facts["fmax_mhz"] < 400  # of the engine, not of the clock that runs ungated

    made = (folder / "top.bit").stat().st_mtime_ns
    result, done = build()
    assert result.exit_code == 0 and done == dict.fromkeys(steps, "kept")
    assert (folder / "top.bit").stat().st_mtime_ns == made


#: What nextpnr counts on an ECP5.
USED = {name: {"used": 1} for name in ("TRELLIS_COMB", "TRELLIS_FF", "DP16KD", "MULT18X18D")}
#: Trits that synthesis finds no pattern in.
WORDS = np.random.default_rng(1).integers(-1, 2, (256, 4), dtype=np.int8)


class Echo(Elaboratable):
    """What comes over a board's UART goes through a memory and back: clock, reset, pins and block RAM of its
    family, and single-port RAM where it has any, in some hundred logic cells."""

    identity = "echo"

    def __init__(self, board):
        self.board = board

    def elaborate(self, platform):
        m = Module()
        board = self.board
        m.submodules.clock = board.clock_domain(board.clock_mhz)
        m.submodules.receiver = receiver = UARTReceiver(21)
        m.submodules.transmitter = transmitter = UARTTransmitter(21)
        m.submodules.rom = rom = ColumnROM(WORDS, block_ram=board.block_ram_kind)
        style = "huge" if board.spram else "block"
        m.submodules.counters = counters = EventCounters(2, attrs={"ram_style": style})
        pins = platform.request("uart")
        m.d.comb += [
            receiver.rx.eq(pins.rx.i),
            pins.tx.o.eq(transmitter.tx),
            receiver.o.ready.eq(transmitter.i.ready),
            transmitter.i.valid.eq(receiver.o.valid),
            rom.addr.eq(receiver.o.payload),
            counters.events.eq(receiver.o.valid & receiver.o.ready),
            transmitter.i.payload.eq(rom.o.as_value() ^ counters.word),
        ]
        return m


def test_bitstream_for_an_ice40(tmp_path):
    board = BOARDS["icebreaker"]
    done = []

    def build():
        done.clear()
        return build_bitstream(
            Echo(board),
            board,
            board.clock_mhz,
            tmp_path,
            seeds=(1, 2),
            progress=lambda step, what, seconds: what in ("done", "kept") and done.append((step, what)),
        )

    routed = build()
    assert "Found and reported 0 problems." in (tmp_path / "synthesis.log").read_text(encoding="utf-8")
    assert "Routing complete." in (tmp_path / f"route-{routed.seed}.text").read_text(encoding="utf-8")
    assert routed.bitstream == tmp_path / "top.bin"
    bitstream = routed.bitstream.read_bytes()
    assert bytes.fromhex("7eaa997e") in bitstream[:64] and len(bitstream) > 100_000
    assert routed.used.dsp == 0 and routed.used.spram == 1 and routed.used.block_ram == 1
    assert 50 < routed.used.ff < routed.used.lut4 < 1000
    assert set(routed.seeds) == {1, 2} and routed.seeds[routed.seed] == routed.fmax_mhz
    assert routed.fmax_mhz == max(mhz or 0 for mhz in routed.seeds.values()) >= board.clock_mhz
    assert [tool.split()[0] for tool in routed.tools] == ["yosys", "nextpnr-ice40", "icepack"]
    assert len(done) == 5 and {what for _, what in done} == {"done"}
    assert build() == routed
    assert len(done) == 5 and {what for _, what in done} == {"kept"}


@pytest.mark.nightly
@pytest.mark.parametrize("name", [name for name, board in BOARDS.items() if board.family == "gowin"])
def test_bitstream_for_a_gowin(name, tmp_path):
    board = BOARDS[name]
    routed = build_bitstream(Echo(board), board, board.clock_mhz, tmp_path)
    log = (tmp_path / "route-1.text").read_text(encoding="utf-8")
    assert "Routing complete." in log and "Hold/min time violation" not in log
    assert routed.bitstream == tmp_path / "top.fs" and routed.bitstream.stat().st_size > 1_000_000
    assert routed.used.dsp == routed.used.spram == 0 and routed.used.block_ram == 2
    assert 50 < routed.used.ff < routed.used.lut4 < 1000
    assert routed.fmax_mhz >= 1.05 * board.clock_mhz
    assert [tool.split()[0] for tool in routed.tools] == ["yosys", "nextpnr-himbaechel-gowin", "gowin_pack"]


def test_rom_ports_are_counted_in_whole_block_rams():
    geometry = Geometry(MODEL.config, EngineConfig(lanes=32, banks=2, block_ram="ecp5"))
    assert geometry.lanes == 32 and rom_ports_used(geometry, BOARD) == 2 * 2  # 64 bits over 36


@pytest.mark.parametrize(("cell", "trits", "banks", "ports"), [("lstm", 1200, 3, 201), ("gru", 900, 4, 200)])
def test_the_block_rams_of_three_banks_of_an_lstm_hold_four_of_a_gru(cell, trits, banks, ports):
    config = ModelConfig(cell=cell, hidden=300, embedding=300, vocab_size=10_000)
    geometry = Geometry(config, EngineConfig(1200, banks, embedding="host", head="host", block_ram="ecp5"))
    assert (geometry.lanes, geometry.word_trits) == (1200, trits)
    assert rom_ports_used(geometry, BOARD) == memory_cost(geometry, BOARD, BOARD.link)[1] == ports


def test_incomplete_routing_and_a_missing_constraint_are_errors(tmp_path):
    report, log = tmp_path / "report.json", tmp_path / "log"
    contents = {"fmax": {"clk": {"achieved": 90.0, "constraint": 80.0}}, "utilization": {}}
    report.write_text(json.dumps(contents), encoding="utf-8")
    log.write_text("Info: Routing..\n", encoding="utf-8")
    with pytest.raises(TrineError, match="did not complete the routing"):
        read_report(report, log)
    log.write_text("Info: Routing complete.\n", encoding="utf-8")
    contents["fmax"]["my_engine_clk"] = contents["fmax"]["clk"]
    report.write_text(json.dumps(contents), encoding="utf-8")
    with pytest.raises(TrineError, match="no clock of the design is named engine_clk, but: clk, my_"):
        read_report(report, log)


@pytest.mark.parametrize("net", ["engine_clk", "$glbnet$clock.engine_clk_ungated", "engine_clk_$glb_clk"])
def test_the_engine_s_clock_is_found_by_its_name_whatever_its_period_was_rounded_to(tmp_path, net):
    report, log = tmp_path / "report.json", tmp_path / "log"
    log.write_text("Info: Routing complete.\n", encoding="utf-8")
    other = {"achieved": 20.0, "constraint": 33.0}
    for achieved in (31.0, 34.0):
        fmax = {net: {"achieved": achieved, "constraint": 33.0338}, "clk": other}
        report.write_text(json.dumps({"fmax": fmax, "utilization": {}}), encoding="utf-8")
        assert read_report(report, log) == (achieved, {})


def test_a_routed_clock_without_the_margin_is_an_error_that_says_what_to_ask_for(tmp_path, monkeypatch):
    """The tools are left out: what nextpnr would have reached is given."""
    fmax = 100.3

    def run(step, folder, *rest):
        for name in step.outputs:
            (folder / name).write_text("{}", encoding="utf-8")
        if step.name.startswith("route-"):
            report, log = step.outputs[1:3]
            clock = {"achieved": fmax, "constraint": 1.0}
            (folder / report).write_text(
                json.dumps({"fmax": {"engine_clk": clock}, "utilization": USED}), encoding="utf-8"
            )
            (folder / log).write_text("Routing complete.", encoding="utf-8")

    def routes(steps, folder, *rest):
        for step in steps:
            run(step, folder)
        return {step.name: None for step in steps}

    monkeypatch.setattr(build_module, "run_step", run)
    monkeypatch.setattr(build_module, "run_steps", routes)
    monkeypatch.setattr(build_module, "_elaborate", lambda *rest: True)
    for clock, margin, met in ((100, 0, True), (100, 0.05, False), (95, 0.05, True), (100.5, 0, False)):
        if met:
            routed = build_bitstream(None, BOARD, clock, tmp_path, margin=margin)
            assert (routed.fmax_mhz, routed.margin) == (fmax, margin)
            assert routed.highest_clock_mhz == highest_clock(BOARD, fmax, margin)
            continue
        highest = highest_clock(BOARD, fmax, margin)
        reached = f"reaches 100.30 MHz, not {clock * (1 + margin):.2f}: .* {100 * margin:g} % of margin"
        with pytest.raises(TrineError, match=f"{reached} .*; ask for --clock {highest:.7g}, the highest"):
            build_bitstream(None, BOARD, clock, tmp_path, margin=margin)


def test_only_a_clock_is_told_as_a_clock(trine, tmp_path, monkeypatch):
    path = tmp_path / "tiny.trine"
    MODEL.save(path)
    command = ("build", path, "--board", "ulx3s", "--lanes", 40, "--banks", 2, "-o", tmp_path / "build")

    def fails(*rest, **options):
        raise ValueError("nothing to do with a clock")

    monkeypatch.setattr(build_module, "build_bitstream", fails)
    result = trine(*command)
    assert isinstance(result.exception, ValueError) and str(result.exception) == "nothing to do with a clock"
    monkeypatch.setattr(BoardTop, "__init__", fails)  # a clock is refused before anything is made
    for asked, said in (("80.01", "nearest clock that it can run at is 80 MHz"), ("nan", "above 0, not nan")):
        result = trine(*command, "--clock", asked)
        assert result.exit_code == 1 and said in result.stderr and "Traceback" not in result.output
    for asked in ("-1", "100", "nan"):
        result = trine(*command, "--margin", asked)
        assert result.exit_code == 1 and "--margin must be 0 % or more" in result.stderr


def test_a_head_on_the_host_is_no_part_of_the_bitstream():
    """So that a build after another training of it keeps what is built."""
    assert MODEL.head_bias is not None
    other = replace(MODEL, head_bias=MODEL.head_bias + 1)
    for head, same in (("host", True), ("board", False)):
        engine = replace(ENGINE, head=head)
        made, again = (BoardTop(model, engine, BOARD, BOARD.clock_mhz).identity for model in (MODEL, other))
        assert (made == again) is same, head
