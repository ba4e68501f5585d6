"""Operations that are left half-way, in every way that there is: the board can be used, and is in step."""

import asyncio
import gc
import signal
import sys
import threading
import time

import numpy as np
import pytest

from tests.helpers.board_over_wires import LEVELS, FaultyTransport, model_of, opened
from trine_sw.driver import AsyncBoard, Board, BoardState
from trine_sw.driver.transports import ModelTransport
from trine_sw.engine.default import default_engine
from trine_sw.golden import Golden
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import Command
from trine_sw.link.session import BoardGone
from trine_sw.support.errors import TrineError

MODEL = model_of(LEVELS)
GOLDEN = Golden(MODEL)
TOKENS = np.random.default_rng(7).integers(0, 30, 3000)
STATES = GOLDEN.run(TOKENS)


def in_step(board: Board) -> int:
    """How many of TOKENS the board has applied, by its counter; its state is theirs, and it goes on."""
    applied = board.counters.tokens
    state = board.state
    if applied:
        assert np.array_equal(state.h, STATES.h[applied - 1]) and np.array_equal(
            state.c, STATES.c[applied - 1]
        )
    assert np.array_equal(board.step(TOKENS[applied]).h, STATES.h[applied])
    return applied


def started(board, operation):
    conversation = board._conversation
    return conversation.start(conversation.exchange_of(operation))


class Left(Exception):
    pass


def leave_by_break(board):
    for _ in board.stream(TOKENS):
        break


def leave_by_exception(board):
    with pytest.raises(Left):
        for _ in board.stream(TOKENS):
            raise Left


def leave_by_exception_of_the_tokens(board):
    def tokens():
        yield from TOKENS[:40]
        raise Left

    with pytest.raises(Left):
        list(board.stream(tokens()))


def leave_by_close(board):
    steps = board.stream(TOKENS)
    next(steps)
    with pytest.raises(TrineError, match="under way"):
        board.step(1)
    steps.close()


def leave_by_garbage_collection(board):
    steps = board.stream(TOKENS)
    next(steps)
    cycle = [steps]
    cycle.append(cycle)
    del steps, cycle
    gc.collect()


def leave_before_it_begins(board):
    board.stream(TOKENS)


@pytest.mark.parametrize(
    "leave", [value for name, value in list(globals().items()) if name.startswith("leave_")]
)
@pytest.mark.parametrize("stream", ["stream", "stream_blocks"])
def test_stream_that_is_left(leave, stream):
    board, _ = opened(MODEL)
    board.stream = getattr(board, stream)
    leave(board)
    in_step(board)


async def async_break(board):
    async for _ in board.stream(TOKENS):
        break


async def async_exception(board):
    with pytest.raises(Left):
        async for _ in board.stream(TOKENS):
            raise Left


async def async_close(board):
    steps = board.stream(TOKENS)
    await anext(steps)
    with pytest.raises(TrineError, match="under way"):
        await board.step(1)
    await steps.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(steps)


async def async_garbage_collection(board):
    steps = board.stream(TOKENS)
    await anext(steps)
    cycle = [steps]
    cycle.append(cycle)
    del steps, cycle
    gc.collect()


async def async_cancel(board):
    async def take():
        async for _ in board.stream(TOKENS):
            await asyncio.sleep(0)

    task = asyncio.create_task(take())
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def async_two_tasks(board):
    steps = board.stream(TOKENS[:300])
    taken = await asyncio.gather(*(anext(steps) for _ in range(2)), return_exceptions=True)
    assert sum(isinstance(step, TrineError) for step in taken) in (0, 1)
    await steps.aclose()


@pytest.mark.parametrize(
    "leave", [value for name, value in list(globals().items()) if name.startswith("async_")]
)
@pytest.mark.parametrize("stream", ["stream", "stream_blocks"])
def test_async_stream_that_is_left(leave, stream):
    """The next call works at once, without the event loop having come round."""
    device = BoardModel(MODEL, default_engine(MODEL))

    async def main():
        board = AsyncBoard(lambda: ModelTransport(device), MODEL, "the board", 5.0)
        await board._begin()
        board.stream = getattr(board, stream)
        await leave(board)
        applied = (await board.counters()).tokens
        state = await board.read_state()
        assert np.array_equal(state.c, STATES.c[applied - 1])
        assert np.array_equal((await board.step(TOKENS[applied])).h, STATES.h[applied])

    asyncio.run(main())


def test_callback_that_fails():
    def fails(choice):
        raise Left

    board, _ = opened(MODEL)
    with pytest.raises(Left):
        board.generate(TOKENS[:3], 500, 0.5, 3, on_choice=fails)
    board.reset()
    assert np.array_equal(board.generate(TOKENS[:3], 9, 0.5, 3), GOLDEN.generate(TOKENS[:3], 9, 0.5, 3))

    async def main():
        board = AsyncBoard(lambda: ModelTransport(BoardModel(MODEL, default_engine(MODEL))), MODEL, "it", 5.0)
        await board._begin()
        with pytest.raises(Left):
            await board.generate(TOKENS[:3], 500, 0.5, 3, on_choice=fails)
        await board.reset()
        return await board.generate(TOKENS[:3], 9, 0.5, 3)

    assert np.array_equal(asyncio.run(main()), GOLDEN.generate(TOKENS[:3], 9, 0.5, 3))


def test_stream_of_a_board_that_was_opened_anew():
    """It does not go on in the new session."""
    board, _ = opened(MODEL)
    steps = board.stream(TOKENS)
    taken = [next(steps)]
    board.close()
    board.reset()
    with pytest.raises(BoardGone, match="this stream is over"):
        for step in steps:
            taken.append(step)
    assert np.array_equal([step.h for step in taken], STATES.h[: len(taken)])
    assert np.array_equal(board.step(TOKENS[0]).h, STATES.h[0])


def test_patience_is_of_those_who_wait():
    """Replies that were lost while nobody waited are asked for again, however long that has been."""
    board, transport = opened(MODEL)
    now, times = transport.clock(), iter(range(10**6))
    exchange = started(board, board._conversation.stream(TOKENS, "h"))
    transport.write(exchange.outgoing(now))
    exchange.done = True
    assert board._conversation.session.outstanding
    transport._answers = b""  # lost on the way
    transport.clock = lambda: now + 60 + next(times) / 100
    in_step(board)


def test_refusal_of_a_series_that_was_given_up():
    """A board that has been halted by what nobody waits for any more takes the next request."""
    board, _ = opened(MODEL)
    requests = board._conversation.requests
    tokens = requests._tokens
    requests._tokens = lambda values: bytes([200]) * len(values)  # type: ignore
    operation = board._conversation.stream(TOKENS, "h")
    exchange = started(board, operation)
    clock = time.monotonic
    board._move(exchange.outgoing(clock()), 0, lambda data, now: [])  # no reply arrives; the series is left
    exchange.done = True
    requests._tokens = tokens
    assert in_step(board) == 0


@pytest.mark.parametrize("seed", range(3))
def test_interrupted_anywhere(seed):
    """Ctrl-C between any two steps of the program: every token sent has been applied once, or not at all."""
    board, transport = opened(MODEL, rate=1e-4, seed=seed)
    rng = np.random.default_rng(seed)
    applied, interrupted = 0, 0
    for _ in range(120):
        left = int(rng.integers(1, 4000))

        def trace(frame, event, arg):
            nonlocal left
            frame.f_trace_opcodes = True
            if event == "opcode" and "trine_sw" in frame.f_code.co_filename:
                left -= 1
                if left == 0:
                    raise KeyboardInterrupt
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            stream = board.stream_blocks if seed % 2 else board.stream
            for _ in stream(TOKENS[applied : applied + 60], ("h",)):
                pass
        except KeyboardInterrupt:
            interrupted += 1
        finally:
            sys.settrace(before)
        applied = in_step(board) + 1
        if applied > 2500:
            break
    assert interrupted > 60


def test_state_written_in_part():
    """What was interrupted between its frames says so where it is read, and may be written again."""
    board, transport = opened(MODEL)
    list(board.stream(TOKENS[:20]))
    state = BoardState(STATES.h[9], STATES.c[9], 77)
    writes = board._conversation.requests.writes(state)
    first = next(iter(writes))
    payload = first[1][:12]
    exchange = started(
        board, type(board._conversation.counters())(iter([(Command.WRITE, payload)]), lambda payloads: [])
    )
    while not exchange.done:
        board._move(exchange.outgoing(time.monotonic()), 0, exchange.incoming)
    with pytest.raises(TrineError, match="written in part: write it whole"):
        _ = board.state
    board.state = state
    assert board.state.generator == 77 and np.array_equal(board.state.c, STATES.c[9])
    assert np.array_equal(board.step(TOKENS[10]).h, STATES.h[10])


def test_port_opened_by_a_task_that_was_cancelled_is_closed():
    closed = threading.Event()

    class Slow(ModelTransport):
        def close(self):
            closed.set()

    def connect():
        time.sleep(0.2)
        return Slow(BoardModel(MODEL, default_engine(MODEL)))

    async def main():
        board = AsyncBoard(connect, MODEL, "the board", 5.0)
        task = asyncio.create_task(board._begin())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert closed.wait(60)


def test_interrupted_by_a_signal(monkeypatch):
    """As Ctrl-C does it: in the middle of a frame that the board model computes."""
    board, transport = opened(MODEL)
    for delay in (0.001, 0.004, 0.009):
        signal.setitimer(signal.ITIMER_REAL, delay)
        before = signal.signal(signal.SIGALRM, signal.default_int_handler)
        try:
            while True:
                board.generate([1], 60, 0.5, 1)
        except KeyboardInterrupt:
            pass
        finally:
            signal.signal(signal.SIGALRM, before)
        board.reset()
        assert np.array_equal(board.generate([1], 9, 0.5, 1), GOLDEN.generate([1], 9, 0.5, 1))
    assert isinstance(transport, FaultyTransport)
