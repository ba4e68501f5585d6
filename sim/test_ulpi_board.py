"""A whole board with the link ulpi, synthesised and simulated at its pins, as builds and verifications do."""

from contextlib import closing

import pytest

from sim.netlist.built_board import built_board
from sim.netlist.spoilt import with_a_pad_that_drives
from trine_boards import BOARDS
from trine_boards.pins.simulation import started
from trine_boards.verify import check_step as step_module
from trine_boards.verify.check_step import check_step
from trine_boards.verify.frames import check_frames
from trine_boards.verify.request_plan import RequestPlan
from trine_boards.verify.requests import Requests
from trine_boards.verify.verification import drive
from trine_sw.engine import EngineConfig
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

MODEL = random_model(ModelConfig(hidden=6, embedding=4, vocab_size=8), seed=1)
ENGINE = EngineConfig(lanes=40, banks=2)
SPEC = BOARDS["ecpix5-85f"].over("ulpi")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A board with a tiny engine."""
    return built_board(SPEC, MODEL, ENGINE, SPEC.clock_mhz, tmp_path_factory.mktemp("board"))


@pytest.mark.nightly
def test_a_whole_board(whole):
    """What ``trine build`` and ``trine verify`` ask of it: requests of every kind, and the driver."""
    model = whole.board_model()
    with closing(whole.board()) as board:
        counts = check_frames(board, model, count=len(Requests.SCRIPT) + 16, bit_seconds=board.bit_seconds)
        assert set(Requests.SCRIPT) <= set(counts)
        compared, done = drive(board, model, MODEL, tokens=60, seed=2)
        assert compared.compared and done["streamed"] and done["generated"]
        assert board.line_errors == 0


@pytest.mark.nightly
def test_a_build_finds_what_breaks_the_rules_of_the_link(whole, tmp_path, monkeypatch):
    """Each answer is right, and the bus is driven by two."""

    def simulated(netlist, host, cache):
        return started(netlist, host, optimise=False)  # of the tests' own cache

    monkeypatch.setattr(step_module, "started", simulated)
    monkeypatch.setattr(step_module, "plan_requests", lambda made, **of: RequestPlan(5, True, 0))
    with_a_pad_that_drives("ulpi_0__data__io", whole.folder / "top.json", tmp_path / "top.json")
    with pytest.raises(TrineError, match=r"the board broke the rules of its link \d+ times"):
        check_step(whole.top, tmp_path)
