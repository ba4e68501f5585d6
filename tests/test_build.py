"""A tiny engine through Yosys, nextpnr and ecppack, and what the build says where it does not succeed."""

import json

import pytest

from trine_boards import BOARDS
from trine_boards.build import build_bitstream, read_report
from trine_boards.report import make_report, rom_ports_used, write_report
from trine_boards.top import TokenTop
from trine_boards.ecp5_clock import pll_dividers
from trine_hw.core import Core
from trine_sw.engine import EngineConfig, Geometry
from trine_sw.errors import TrineError
from trine_sw.model import ModelConfig
from trine_sw.random_model import random_model

BOARD = BOARDS["ulx3s"]
MODEL = random_model(ModelConfig(hidden=6, embedding=4, vocab_size=8), seed=1)
ENGINE = EngineConfig(lanes=40, banks=2, block_ram="ecp5")


def build(folder, clock_mhz):
    """The routed engine, and what was done in each step."""
    done = {}

    def progress(step, what, seconds):
        if what in ("done", "kept"):
            done[step] = what

    top = TokenTop(Core(MODEL, ENGINE), MODEL.config.vocab_size, BOARD, clock_mhz)
    return build_bitstream(top, BOARD, clock_mhz, folder, progress=progress), done


def test_tiny_engine_becomes_a_bitstream_and_a_report(tmp_path):
    routed, done = build(tmp_path, 80)
    assert done == {"synthesis": "done", "route-1": "done", "bitstream": "done"}
    assert routed.fmax_mhz >= 80 and routed.bitstream.stat().st_size > 10_000
    assert routed.used["MULT18X18D"] == 0
    first = routed.bitstream.read_bytes()

    _, done = build(tmp_path, 80)
    assert set(done.values()) == {"kept"}

    with pytest.raises(TrineError, match=r"reaches [\d.]+ MHz, not the 300 MHz"):
        build(tmp_path, 300)
    assert (tmp_path / "top.bit").read_bytes() == first

    report = make_report(MODEL, "tiny", ENGINE, BOARD, routed, "trine build tiny.trine --board ulx3s")
    path, page = write_report(report, BOARD, tmp_path / "results")
    facts = json.loads(path.read_text())
    required = (
        "board model lanes banks lut4 ff block_ram dsp fmax_mhz clock_mhz cycles_per_token tokens_per_s"
    )
    required += " rom_ports_used rom_ports dense_gops effective_gops seed tools"
    assert set(required.split()) <= set(facts)
    assert facts["tokens_per_s"] == pytest.approx(80e6 / facts["cycles_per_token"], rel=1e-4)
    assert facts["effective_gops"] <= facts["dense_gops"]
    assert "trine build tiny.trine --board ulx3s" in page.read_text()


def test_rom_ports_are_counted_in_whole_block_rams():
    geometry = Geometry(MODEL.config, EngineConfig(lanes=32, banks=2, block_ram="ecp5"))
    assert geometry.lanes == 32 and rom_ports_used(geometry, BOARD) == 2 * 2  # 64 bits over 36


def test_incomplete_routing_and_a_missing_constraint_are_errors(tmp_path):
    report, log = tmp_path / "report.json", tmp_path / "log"
    contents = {"fmax": {"clk": {"achieved": 90.0, "constraint": 80.0}}, "utilization": {}}
    report.write_text(json.dumps(contents))
    log.write_text("Info: Routing..\n")
    with pytest.raises(TrineError, match="did not complete the routing"):
        read_report(report, log, 80)
    log.write_text("Info: Routing complete.\n")
    assert read_report(report, log, 80) == (90.0, {})
    with pytest.raises(TrineError, match="no clock was constrained to 100 MHz"):
        read_report(report, log, 100)


@pytest.mark.parametrize("output_mhz", [80, 85, 87.5, 100, 120])
def test_pll_makes_the_clock(output_mhz):
    feedback, divider = pll_dividers(25, output_mhz)
    assert 25 * feedback / divider == output_mhz and 400 <= 25 * feedback <= 800


def test_pll_says_what_it_can_make():
    with pytest.raises(ValueError, match="the nearest is 80, so ask for that"):
        pll_dividers(25, 80.01)
