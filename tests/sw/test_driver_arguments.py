"""Hostile values for every argument of both drivers: a right result or one TrineError, and a board of use."""

import asyncio
import math
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from tests.helpers.board_over_wires import LEVELS, host_engine, model_of, opened
from trine_sw.driver import AsyncBoard, Board, BoardState
from trine_sw.driver.transports import ModelTransport
from trine_sw.golden import Golden
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import LinkConfig
from trine_sw.support.errors import TrineError

NUMBERS = [
    True,
    np.bool_(True),
    -1,
    0,
    2**31,
    2**63,
    2**64,
    10**400,
    0.3,
    1.0,
    -0.0,
    1e308,
    math.nan,
    math.inf,
]
NUMBERS += [-math.inf, 1j, Fraction(1, 3), np.float16(2), np.int8(-1), np.uint64(2**64 - 1)]
NUMBERS += [np.datetime64("2020"), np.timedelta64(3)]
LISTS = [
    [],
    [[]],
    [[0], [0, 1]],
    [None],
    ["0"],
    {},
    {0: 1},
    {0},
    (0, 10**30),
    [0, 1.5],
    [1j],
    [[["h"]]],
    [[0] * 9],
]
ARRAYS = [
    *(np.array(3), np.array([1.5]), np.array([0.0, math.nan]), np.array(["a"]), np.array([None])),
    *(np.zeros((2, 2, 2, 2), int), np.array([2**64 - 1], np.uint64), np.array([True]), np.zeros((3, 0), int)),
    *(np.array([], str), np.array([300], np.int16), np.array([b"0"]), np.zeros(2, [("a", int)])),
]
OTHERS = [None, "", "x", "\ud800", "\0", b"x", b"", object(), len, int, Ellipsis, np.ma.masked]
HOSTILE = [*NUMBERS, *LISTS, *ARRAYS, *OTHERS]
GOOD = np.array([1, 2, 3])


def state_of(**changes):
    trace = Golden(model_of(LEVELS)).run(GOOD)
    return BoardState(**({"h": trace.h[-1], "c": trace.c[-1], "generator": 5} | changes))


CALLS = {
    "step token": lambda value: ("step", (value,)),
    "step want": lambda value: ("step", (1, value)),
    "step wants": lambda value: ("step", (1, [value, "h"])),
    "stream tokens": lambda value: ("stream", (value,)),
    "stream token": lambda value: ("stream", ([1, value, 2],)),
    "stream want": lambda value: ("stream", (GOOD, value)),
    "prompt": lambda value: ("generate", (value, 2)),
    "prompt's token": lambda value: ("generate", ([1, value], 2)),
    "count": lambda value: ("generate", (GOOD, value)),
    "temperature": lambda value: ("generate", (GOOD, 2, value)),
    "seed": lambda value: ("generate", (GOOD, 2, 0.5, value)),
    "on_choice": lambda value: ("generate", (GOOD, 2, 0.0, 0), {"on_choice": value}),
    "state": lambda value: ("state", (value,)),
    "state's h": lambda value: ("state", (state_of(h=value),)),
    "state's c": lambda value: ("state", (state_of(c=value),)),
    "generator": lambda value: ("state", (state_of(generator=value),)),
}


def call(board, name, arguments, named):
    if name == "state":
        board.state = arguments[0]
        return None
    result = getattr(board, name)(*arguments, **named)
    return list(result) if name == "stream" else result


async def call_async(board, name, arguments, named):
    if name == "state":
        return await board.write_state(*arguments)
    result = getattr(board, name)(*arguments, **named)
    return [step async for step in result] if name == "stream" else await result


@pytest.fixture(scope="module")
def asyncio_runner():
    with asyncio.Runner() as runner:
        yield runner


@pytest.mark.parametrize("places", [{}, {"embedding": "host", "head": "host"}], ids=["board", "host"])
@pytest.mark.parametrize("argument", CALLS)
def test_hostile_arguments(argument, places, monkeypatch, asyncio_runner):
    """Both drivers do the same; afterwards the board goes on as if nothing had been asked."""
    monkeypatch.setattr("trine_sw.driver.operations.MAX_COUNT", 40)  # endless ones end in time
    run = asyncio_runner.run
    model = model_of(LEVELS)
    link = LinkConfig(slot_bytes=512)
    engine = host_engine(LEVELS, **places) if places else None
    board, transport = opened(model, engine=engine, link=link)
    device = BoardModel(model, transport.board.engine, link)
    other = AsyncBoard(lambda: ModelTransport(device), model, "the board", 5.0)
    run(other._begin())
    golden = Golden(model)
    for value in HOSTILE:
        name, arguments, named = (*CALLS[argument](value), {})[:3]
        outcomes = []
        board.state = state_of()
        run(other.write_state(state_of()))
        for attempt in (
            partial(call, board, name, arguments, named),
            lambda given=(other, name, arguments, named): run(call_async(*given)),
        ):
            try:
                outcomes.append(("gave", repr(attempt())))
            except TrineError as error:
                assert str(error) and len(str(error)) < 400 and "\n" not in str(error), value
                outcomes.append(("refused", str(error)))
            except TypeError as error:  # the caller's own function does not take a choice
                assert argument == "on_choice" and callable(value), (value, error)
                outcomes.append(("raised", str(error)))
        assert outcomes[0] == outcomes[1], value
        board.state = state_of()
        assert np.array_equal(board.step(4).h, golden.run([*GOOD, 4]).h[-1]), value
    run(other.reset())
    assert np.array_equal(run(other.step(4)).h, golden.run([4]).h[0])


@pytest.mark.parametrize(
    "wrong, message",
    [
        (
            lambda b: b.stream(np.array(3)),
            r"tokens must be a sequence .* not array\(3\); one token goes to step",
        ),
        (lambda b: b.stream(3), "tokens must be a sequence"),
        (lambda b: b.generate([1], count=2.0), "the count must be an integer, from 1 to .*, not 2.0"),
        (lambda b: b.generate([1], 10**20), "the count must be from 1 to"),
        (
            lambda b: b.generate([1], 2, seed=1.5),
            "the seed must be an integer, from 0 to 4294967295, not 1.5",
        ),
        (lambda b: b.generate([1], 2, 1e308), "temperature must be from 0 to"),
        (lambda b: b.generate([1], 2, on_choice=3), "on_choice must be a function"),
        (lambda b: b.step(1, 3), "want must be names of h, u"),
        (lambda b: setattr(b, "state", state_of(c=np.full(21, 0.5))), "a state's c must be integers"),
        (lambda b: setattr(b, "state", state_of(c=np.full(21, -(2**63)), h=np.zeros(21, int))), "go to 15"),
    ],
)
def test_mistakes_are_named(wrong, message):
    board, _ = opened(model_of(LEVELS))
    with pytest.raises(TrineError, match=message):
        wrong(board)


@pytest.fixture
def path(tmp_path):
    model_of(LEVELS).save(tmp_path / "levels.trine")
    return tmp_path / "levels.trine"


@pytest.mark.parametrize("argument", ["url", "golden", "socket", "serial", "model", "baud", "patience"])
def test_hostile_openings(argument, path):
    for value in HOSTILE:
        text = " ".join(str(value).split())
        arguments = {
            "url": lambda value=value: {"url": value},
            "golden": lambda text=text: {"url": f"golden:{text}"},
            "socket": lambda text=text: {"url": f"socket://{text}:1"},
            "serial": lambda text=text: {"url": f"/dev/{text}"},
        }.get(argument, lambda value=value: {"url": f"golden:{path}", argument: value})()
        for open_ in (Board.open, lambda **given: asyncio.run(AsyncBoard.open(**given))):
            try:
                board = open_(**arguments)
            except TrineError as error:
                assert str(error) and "\n" not in str(error), value
                continue
            assert argument in ("model", "baud", "patience")
            assert board.info.hidden == 21
            board.close()


@pytest.mark.parametrize("baud", [0, -1, 2**31, 2**40, 1.5, True])
def test_baud_rates_that_are_none(baud):
    with pytest.raises(TrineError, match="the baud rate must be"):
        Board.open("/dev/ttyNONE", baud=baud)
