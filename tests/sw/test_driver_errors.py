"""What goes wrong: each mistake is one clear error, nothing is lost, and the stream can go on."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.board_over_wires import (
    EVERYTHING,
    LEVELS,
    TRITS,
    FaultyTransport,
    check_steps,
    model_of,
    opened,
)
from trine_sw.driver import AsyncBoard, Board, BoardState
from trine_sw.engine.default import default_engine
from trine_sw.golden import Golden
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import Command, Frame, LinkConfig, Reason, Splitter, decode, encode
from trine_sw.link.session import BoardGone, RequestRefused
from trine_sw.support.errors import TrineError


@pytest.mark.parametrize("rate", [1e-4, 1e-3, 5e-3])
def test_faults_change_nothing_and_are_counted(rate):
    """Every h is right; both sides count exactly the frames that the wire has spoilt."""
    model = model_of(LEVELS)
    board, transport = opened(model, rate=rate, seed=int(1e5 * rate))
    tokens = np.random.default_rng(3).integers(0, 30, 5000)
    check_steps(list(board.stream(tokens)), Golden(model).run(tokens), names=("h",))
    counts, seen = transport.board.counts, board.host_counters
    assert counts["tokens"] == len(tokens)
    spoilt = []
    for stream, faults in (
        (transport.arrived, transport.up.faults),
        (transport.answered, transport.down.faults),
    ):
        parts = [part for part in bytes(stream).split(b"\0")[:-1] if part]
        spoilt.append(sum(decode(part) is None for part in parts))
        # A byte that is late spoils the frame it left and the one it comes to; one fault spoils no more.
        assert spoilt[-1] <= faults.flipped + faults.dropped + 2 * (faults.doubled + faults.delayed) + 1
        assert spoilt[-1] >= faults.total // 3
        if stream is transport.arrived:
            assert counts["frames"] == len(parts) - spoilt[-1]
    assert (counts["damaged"], seen.damaged) == tuple(spoilt)
    assert transport.up.faults.total + transport.down.faults.total > 0
    # What is sent again is answered from the replies that are kept, is in time, or comes a second time.
    assert seen.resent >= counts["repeats"] and seen.replies == seen.sent


def test_wrong_states_are_refused():
    model = model_of(LEVELS)
    board, _ = opened(model)
    list(board.stream(range(20)))
    saved = board.state
    for h, c in ((saved.h[1:], saved.c[1:]), (saved.h, saved.c + 100), (np.ones(21, int), np.zeros(21, int))):
        with pytest.raises(TrineError, match="cells|no state"):
            board.state = BoardState(h, c)
    for wrong in (None, 3):
        with pytest.raises(TrineError, match="a state must be a BoardState"):
            setattr(board, "state", wrong)  # noqa: B010 (wrong by type, too)
    assert np.array_equal(board.state.c, saved.c)


def test_no_gate_shuts_a_grus_output():
    """h = 0 beside a large c is a state of an LSTM alone: the driver says so, or the board if it must."""
    gru = model_of(replace(LEVELS, cell="gru"))
    trace = Golden(gru).run(range(20))
    shut = BoardState(np.zeros(21, np.int8), trace.c[-1])
    board, _ = opened(gru)
    with pytest.raises(TrineError, match="no state"):
        board.state = shut
    transport = FaultyTransport(BoardModel(gru, default_engine(gru)))
    unknown = Board(lambda: transport, None, "the board", 5.0)
    unknown._begin()
    with pytest.raises(RequestRefused):
        unknown.state = shut
    lstm, _ = opened(model_of(LEVELS))
    lstm.state = shut
    assert not lstm.state.h.any() and np.array_equal(lstm.state.c, trace.c[-1])


def test_reading_state_in_mid_stream():
    model = model_of(LEVELS)
    board, _ = opened(model)
    steps = board.stream(range(30))
    first = next(steps)
    for ask in (lambda: board.state, lambda: board.counters, lambda: board.step(1), board.reset):
        with pytest.raises(TrineError, match="under way"):
            ask()
    check_steps([first, *steps], Golden(model).run(np.arange(30)), names=("h",))
    assert board.state.h.shape == (21,)


def test_stream_closed_early_leaves_the_board_usable():
    model = model_of(LEVELS)
    board, _ = opened(model)
    for _ in board.stream(np.zeros(500, int)):
        break
    board.reset()
    assert np.array_equal(board.step(7).h, Golden(model).run([7]).h[0])


def test_interruption_leaves_the_board_usable():
    model = model_of(LEVELS)
    board, transport = opened(model)
    read, reads = transport.read, iter(range(100))

    def interrupted(timeout):
        if next(reads) == 3:
            raise KeyboardInterrupt
        return read(timeout)

    transport.read = interrupted
    with pytest.raises(KeyboardInterrupt):
        list(board.stream(np.zeros(2000, int)))
    board.reset()
    assert np.array_equal(board.step(7).h, Golden(model).run([7]).h[0])


def test_error_of_a_token_comes_after_the_steps_before_it():
    model = model_of(LEVELS)
    board, _ = opened(model)
    trace = Golden(model).run(np.arange(30))
    steps = []
    with pytest.raises(TrineError, match="token 30 is out of range"):
        for step in board.stream([*range(17), 30, 18]):
            steps.append(step)
    check_steps(steps, Golden(model).run(np.arange(17)), names=("h",))
    assert np.array_equal(board.step(17).h, trace.h[17])
    with pytest.raises(ZeroDivisionError):
        list(board.stream(1 // (2 - n) for n in range(5)))


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda b: b.step(-1), "token -1 is out of range"),
        (lambda b: b.step(1.5), "whole numbers"),
        (lambda b: b.step([1, 2]), "9 trits"),
        (lambda b: b.step(np.zeros(9, int)), "embeds tokens itself"),
        (lambda b: b.step(1, ["hidden"]), "not 'hidden'"),
        (lambda b: b.generate([], 3), "at least one token"),
        (lambda b: b.generate([1], 0), "count"),
        (lambda b: b.generate([1], 3, -1), "temperature"),
        (lambda b: b.generate([1], 3, 0, -1), "seed"),
        (lambda b: b.generate([99], 3), "token 99"),
    ],
)
def test_mistakes_are_named_and_change_nothing(wrong, message):
    model = model_of(LEVELS)
    board, _ = opened(model)
    board.step(3)
    with pytest.raises(TrineError, match=message):
        wrong(board)
    assert np.array_equal(board.step(4).h, Golden(model).run([3, 4]).h[1])
    assert board.counters.tokens == 2


def test_refusal_by_the_board():
    """Where the driver itself lets something wrong pass, the board does not, and the stream can go on."""
    model = model_of(LEVELS)
    board, _ = opened(model)
    board.step(3)
    board._conversation.requests._tokens = lambda values: bytes(int(v) % 256 for v in values)  # type: ignore
    steps = []
    with pytest.raises(RequestRefused, match="STEP: a token is not in the model's vocabulary"):
        for step in board.stream(np.array([4] * 50 + [200] + [5] * 200), ("h", "logits")):
            steps.append(step)
    trace = Golden(model).run([3] + [4] * len(steps))
    assert len(steps) <= 50 and np.array_equal([step.h for step in steps], trace.h[1:])
    assert np.array_equal(board.step(6).h, Golden(model).run([6], trace.state).h[0])


def test_answer_that_does_not_fit_a_frame():
    model = model_of(TRITS)
    board, _ = opened(model, link=LinkConfig())
    with pytest.raises(TrineError, match="ask for less"):
        board.step(1, EVERYTHING)
    assert np.array_equal(board.step(1).h, Golden(model).run([1]).h[0])


def test_board_that_goes_and_comes_back():
    model = model_of(LEVELS)
    board, transport = opened(model)
    transport.writes_left = 3
    with pytest.raises(BoardGone, match="has gone .*Input/output error"):
        list(board.stream(np.zeros(3000, int)))
    with pytest.raises(BoardGone, match="is closed"):
        board.step(1)
    transport.writes_left = float("inf")
    board.reset()
    assert np.array_equal(board.step(1).h, Golden(model).run([1]).h[0])


def test_board_that_is_reset_and_goes_on_from_a_checkpoint():
    model = model_of(LEVELS)
    board, transport = opened(model)
    trace = Golden(model).run(np.arange(30))
    list(board.stream(range(15)))
    saved = board.state
    transport.board.reset()
    with pytest.raises(BoardGone, match="was reset"):
        board.step(15)
    board.reset()
    board.state = saved
    assert np.array_equal([step.h for step in board.stream(range(15, 30))], trace.h[15:])


def test_cancelled_task_leaves_the_board_usable(tmp_path):
    model = model_of(LEVELS)
    model.save(path := tmp_path / "levels.trine")

    async def main():
        async with await AsyncBoard.open(f"golden:{path}") as board:
            seen = []

            async def endless():
                async for step in board.stream(7 for _ in iter(int, 1)):
                    seen.append(step)

            task = asyncio.create_task(endless())
            while len(seen) < 100:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await board.reset()
            return (await board.step(7)).h

    assert np.array_equal(asyncio.run(main()), Golden(model).run([7]).h[0])


def test_frame_too_long():
    board, transport = opened(model_of(LEVELS))
    session = board._conversation.session
    with pytest.raises(TrineError, match="a payload of 1000 bytes is too long"):
        session.submit(Command.STEP, bytes(1000), 0.0)
    (reply,) = Splitter(999).feed(transport.board.exchange(encode(Frame(session.nonce, 0, 3, bytes(1000)))))
    refused = decode(reply)
    assert refused is not None and refused.reason is Reason.CORRUPT and transport.board.counts["tokens"] == 0
    assert np.array_equal(board.step(7).h, Golden(model_of(LEVELS)).run([7]).h[0])
