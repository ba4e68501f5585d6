"""The synthesised netlist of each board, simulated at its pins: clock, reset, pads, link and engine."""

import json
import re
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Signal

from sim.netlist.built_board import Built, built_board
from trine_boards import BOARDS
from trine_boards.pins.simulation import started
from trine_boards.verify import check_step as step_module
from trine_boards.verify.check_step import check_step
from trine_boards.verify.frames import check_frames
from trine_boards.verify.request_plan import RequestPlan
from trine_boards.verify.requests import Requests
from trine_sw.driver import Board
from trine_sw.engine import EngineConfig
from trine_sw.golden import Golden
from trine_sw.link.board_model import BoardModel
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support import toolchain
from trine_sw.support.errors import TrineError

#: Levels that make logits of two bytes, and u of several bits.
SIZES = {"hidden": 6, "embedding": 4, "vocab_size": 5, "cell_max": 7, "output_shift": 1}
DESIGNS = {
    "ulx3s": (ModelConfig(**SIZES, head_levels=(0, 50, 127)), EngineConfig(29, 2), 12),
    "icebreaker": (
        ModelConfig(**SIZES, cell="gru", head_levels=(0, 40, 90, 127)),
        EngineConfig(29, 1, block_ram="ice40"),
        18,
    ),
    "tang-nano-9k": (
        ModelConfig(**SIZES, head_levels=(0, 50, 127)),
        EngineConfig(29, 2, block_ram="gowin"),
        27,
    ),
}


def build(name: str, folder: Path, *, guarded: bool = True) -> Built:
    """The board `name` with its design; see :func:`sim.netlist.built_board.built_board`."""
    config, engine, mhz = DESIGNS[name]
    return built_board(BOARDS[name], random_model(config, seed=3), engine, mhz, folder, guarded=guarded)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[] if BOARDS[name].family == "ice40" else [pytest.mark.nightly])
        for name in DESIGNS
    ],
)
def built(request, tmp_path_factory) -> Built:
    return build(request.param, tmp_path_factory.mktemp(request.param))


def test_every_kind_of_request(built):
    """Byte for byte what the board model answers, with logits of more than a byte, some of them negative."""
    model = built.board_model()
    assert 9 <= model.info.logit_bits <= 15 and model.info.u_bits > 1
    logits = Golden(built.model).run(np.arange(5)).logits
    assert logits is not None and logits.min() < -1
    with closing(built.board()) as board:
        counts = check_frames(board, model, count=len(Requests.SCRIPT) + 16, bit_seconds=board.bit_seconds)
        assert board.line_errors == 0
    assert set(Requests.SCRIPT) <= set(counts) and counts["tokens"] > 20
    assert model.counts["damaged"] and model.counts["repeats"] and model.counts["gaps"]


@pytest.mark.nightly
@pytest.mark.parametrize("built", ["ulx3s"], indirect=True)
def test_clock_and_held_pins_of_the_ulx3s(built):
    netlist = json.loads((built.folder / "top.json").read_text(encoding="utf-8"))["modules"]["top"]
    check_gated_clock(netlist["cells"])
    check_held_pins(netlist, (built.folder / "top.lpf").read_text(encoding="utf-8"))


def check_gated_clock(cells):
    """All registers but those that wait for the PLL's lock run by a clock that waits for it."""
    (gate,) = (cell for cell in cells.values() if cell["type"] == "DCCA")
    (pll,) = (cell for cell in cells.values() if cell["type"] == "EHXPLLL")
    flops = [cell["connections"] for cell in cells.values() if cell["type"] == "TRELLIS_FF"]
    gate, pll = gate["connections"], pll["connections"]
    waiting = [flop for flop in flops if flop["CLK"] != gate["CLKO"]]
    assert gate["CLKI"] == pll["CLKOS"] and {str(flop["CLK"]) for flop in waiting} == {str(gate["CLKI"])}
    by_output = {str(flop["Q"]): flop for flop in waiting}
    # The count of 180 cycles, 15 microseconds, is the gate's enable with its ninth bit; the lock and the word
    # of the engine that it has counted a loss come through two registers each; a loss is kept in one.
    assert len(waiting) == 9 + 2 + 2 + 1 < len(flops) and str(gate["CE"]) in by_output
    (first,) = (flop for flop in waiting if flop["DI"] == pll["LOCK"])
    assert sum(str(flop["DI"]) == str(first["Q"]) for flop in waiting) == 1


def check_held_pins(netlist, constraints):
    """wifi_gpio0, L2, is an output at 1: low, the ESP32 would load another bitstream."""
    (port,) = re.findall(r'^LOCATE COMP "(\w+)" SITE "L2";$', constraints, re.MULTILINE)
    (bit,) = netlist["ports"][port]["bits"]
    (buffer,) = (cell for cell in netlist["cells"].values() if cell["connections"].get("B") == [bit])
    assert buffer["type"] == "TRELLIS_IO" and buffer["parameters"]["DIR"] == "OUTPUT"
    assert buffer["connections"]["I"] == ["1"]


def test_the_driver(built):
    tokens = np.random.default_rng(1).integers(0, 5, 12)
    trace = Golden(built.model).run(tokens)
    assert trace.logits is not None
    board = Board.connected(built.board, built.model, patience=0.05)
    with board:
        steps = list(board.stream(tokens, ("u", "logits", "choice")))
        assert np.array_equal([step.u for step in steps], trace.u)
        assert np.array_equal([step.logits for step in steps], trace.logits)
        assert np.array_equal([step.choice for step in steps], trace.logits.argmax(1))
        assert np.array_equal(board.state.c, trace.c[-1]) and np.array_equal(board.state.h, trace.h[-1])
        board.reset()
        chosen = board.generate(tokens[:3], 6, 0.8, 5)
        assert chosen.tolist() == Golden(built.model).generate(tokens[:3].tolist(), 6, 0.8, 5).tolist()
        assert board.counters.framing_errors == board.counters.overflows == board.counters.damaged == 0


@pytest.mark.parametrize("fault", [{"inverted": True}, {"lock_ns": 1e12}], ids=["rx inverted", "no lock"])
def test_a_board_that_does_not_answer_is_given_up_at_once(built, fault):
    """An inverted wire, and a PLL that never locks, so that clock or reset keeps the engine still."""
    with (
        closing(built.board(**fault)) as board,
        pytest.raises(TrineError, match=r"frame 0 \(info\): no answer to"),
    ):
        check_frames(board, built.board_model(), count=4, bit_seconds=board.bit_seconds)


def test_a_wrong_answer_is_told(built):
    """The model of another model: the first byte that differs, and what was asked."""
    other = random_model(built.model.config, seed=4)
    model = BoardModel(**built.top.design.parts | {"model": other})
    said = r"frame 0 \(info\): byte \d+ of the answer is 0x\w\w and not 0x\w\w; sent \w+, got \w+"
    with closing(built.board()) as board, pytest.raises(TrineError, match=said):
        check_frames(board, model, count=4, bit_seconds=board.bit_seconds)


@pytest.mark.nightly
@pytest.mark.parametrize("name", DESIGNS)
def test_signed_selections_are_seen(name, tmp_path, monkeypatch):
    """With the selections of the result packer signed, and nothing that refuses them, as boards once were."""
    unsigned = Signal.as_unsigned
    signed = {"logit", "code"}
    monkeypatch.setattr(
        Signal, "as_unsigned", lambda value: value if value.name in signed else unsigned(value)
    )
    with pytest.raises(TrineError, match="yosys failed"):  # the guard
        build(name, tmp_path)
    built = build(name, tmp_path, guarded=False)
    with (
        closing(built.board()) as board,
        pytest.raises(TrineError, match=r"frame \d+ \(step (u|logits)\): byte"),
    ):
        check_frames(board, built.board_model(), count=40, bit_seconds=board.bit_seconds)


def test_a_build_checks_a_netlist_once(built, monkeypatch):
    def simulated(netlist, host, cache):
        return started(netlist, host, optimise=False)  # of the tests' own cache

    monkeypatch.setattr(step_module, "started", simulated)
    monkeypatch.setattr(step_module, "plan_requests", lambda made, **of: RequestPlan(3, True, 0))
    ticks = []
    assert check_step(built.top, built.folder, ticks.append) and len(ticks) == 4
    assert not check_step(built.top, built.folder, ticks.append) and len(ticks) == 4
    netlist = built.folder / "top.json"
    netlist.write_text(netlist.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    monkeypatch.setattr(step_module, "synthesised", failing)
    with pytest.raises(TrineError, match="the netlist is wrong; nothing was placed"):
        check_step(built.top, built.folder)
    assert not (built.folder / "check.step.json").exists() and not (built.folder / "check.partial").exists()
    monkeypatch.setattr(toolchain, "require", failing)
    with pytest.raises(TrineError, match="the netlist is wrong; or build without .* --no-check"):
        check_step(built.top, built.folder)


def failing(*_):
    raise TrineError("the netlist is wrong")
