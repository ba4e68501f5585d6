"""Requests that a netlist is asked for before it is placed: of all kinds, or brief ones."""

from itertools import islice

import pytest

from trine_boards.verify.request_plan import plan_requests
from trine_boards.verify.requests import Requests
from trine_sw.engine import EngineConfig
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import DONE, REFUSED, Command, LinkConfig, decode
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

#: Evaluations of a cell that a check may take.
EVALUATIONS = 6e10
SMALL = ModelConfig(hidden=6, embedding=4, vocab_size=5)
LARGE = ModelConfig(hidden=300, embedding=300, vocab_size=2000)
DESIGNS = {
    "small": (SMALL, EngineConfig(29, 2)),
    "fast": (SMALL, EngineConfig(29, 2), LinkConfig(codec="fast")),
    "large, head on the host": (LARGE, EngineConfig(300, 4, head="host")),
}


def board_of(name: str) -> BoardModel:
    config, *rest = DESIGNS[name]
    return BoardModel(random_model(config, seed=1), *rest)


def line_bits(board: BoardModel, count: int, *, brief: bool) -> int:
    """Bits of a UART of the first requests, of seed 1, and their answers."""
    requests = islice(Requests(board, 1, brief=brief), count)
    return sum(10 * len(data + board.exchange(data)) for _, data in requests)


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize(("cells", "cycles_a_bit"), [(3_000, 7), (60_000, 25), (40_000, 651), (80_000, 868)])
def test_a_check_is_bounded(name, cells, cycles_a_bit):
    """But by the least that every netlist is asked for: of an engine whose answers are long, or slow."""
    plan = plan_requests(lambda: board_of(name), cells=cells, cycles_a_bit=cycles_a_bit)
    assert cells * plan.cycles <= EVALUATIONS or (plan.brief and plan.count == 2)
    assert plan.brief or plan.count >= len(Requests.SCRIPT)
    board = board_of(name)
    sent = line_bits(board, plan.count, brief=plan.brief)
    assert plan.cycles == pytest.approx(sent * cycles_a_bit + board.counts["cycles"], rel=1e-9, abs=1)


def test_small_engines_are_asked_for_more():
    plans = [
        plan_requests(lambda: board_of("small"), cells=cells, cycles_a_bit=bits)
        for cells, bits in ((3_000, 10), (10_000, 80), (40_000, 651), (100_000, 868))
    ]
    assert [plan.brief for plan in plans] == [False, False, True, True]
    assert plans[0].count == 300 > plans[1].count >= len(Requests.SCRIPT)
    assert len(Requests.SCRIPT) > plans[2].count > plans[3].count == 2


@pytest.mark.parametrize("name", DESIGNS)
def test_brief_requests(name):
    """The first two open a session and compute a token; a step is of one token, and none is refused for what
    came before."""
    assert Requests.BRIEF[:2] == ("open", "step choice")
    board = board_of(name)
    kinds = set()
    for kind, data in islice(Requests(board, 1, brief=True), len(Requests.BRIEF) + 2):
        before = board.counts["tokens"]
        answer = decode(board.exchange(data)[:-1])
        assert answer is not None
        if kind.startswith("step"):
            assert board.counts["tokens"] - before == 1 and answer.code == DONE | Command.STEP
        kinds.add(kind)
    assert kinds >= set(Requests.BRIEF)


@pytest.mark.parametrize("name", DESIGNS)
def test_no_request_is_lost_on_one_before(name):
    """After a generation without a head, a state of several frames, or a frame that is too long."""
    board = board_of(name)
    requests, refused = Requests(board, 2), set()
    for kind, data in islice(requests, 400):
        answer = decode(board.exchange(data)[:-1])
        assert answer is not None
        if answer.code & REFUSED == REFUSED:
            refused.add(kind)
    faulty = {
        "early",
        "open",
        "late",
        "gap",
        "repeat",
        "bad crc",
        "garbage",
        "halted",
        "bad token",
        "bad value",
    }
    faulty |= {"unknown", "long"} | (set() if board.info.head_on_board else {"generate", "sample"})
    assert requests.shown and refused <= faulty
