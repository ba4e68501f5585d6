"""The executor, case by case: short exchanges, each about one thing, whose replies are the board model's."""

import random
import struct

import pytest

from tests.helpers.link_run import check
from tests.hw.test_executor_states import CASES, LINK, TINY, Requests
from trine_sw.link.protocol import DONE, Command, Frame, Reason, Want
from trine_sw.model.random_model import random_model


def opened(case: str = "lstm") -> Requests:
    """A host with session 1 open."""
    config, engine = CASES[case]
    host = Requests(config, engine, random.Random(case))
    host.session = 0
    host.open(1)
    return host


def answered(host: Requests) -> list[Frame]:
    """The replies to all but OPEN, which are the board model's."""
    frames = check(random_model(host.config, seed=5), host.engine, host.sent, LINK)
    return [frame for frame in frames if frame.code != DONE | Command.OPEN]


def reasons(host: Requests) -> list[Reason | None]:
    return [frame.reason for frame in answered(host)]


def write(host: Requests, first: int, *cells: tuple[int, int]) -> None:
    host.turn(Command.WRITE, struct.pack("<H", first) + b"".join(struct.pack("<bb", *cell) for cell in cells))


def read(host: Requests) -> None:
    host.turn(Command.READ, struct.pack("<HH", 0, host.codec.info.cells))


def test_a_step_takes_the_best_after_a_generation_that_was_sampled() -> None:
    """The temperature is of GENERATE alone, whatever its bytes have left in the registers."""
    host = opened()
    host.turn(Command.GENERATE, struct.pack("<HHBIB", 2, 4095, 1, 12345, 0))
    for _ in range(2):
        host.turn(Command.STEP, bytes([Want.CHOICE, 0, 1, 2, 3, 4, 0, 3]))
    assert reasons(host) == 3 * [None]


@pytest.mark.parametrize("case", ["lstm", "gru"])
def test_a_session_starts_from_the_zero_state(case: str) -> None:
    """Whatever state the session before it has left, or half written."""
    host = opened(case)
    step = bytes([Want.H, 1, 2, 0, 1])
    host.turn(Command.STEP, step)
    for session in (2, 3):
        write(host, 0, (0, 0))
        host.open(session)
        read(host)
        host.turn(Command.STEP, step)
    frames = answered(host)
    assert not any(frame.reason for frame in frames)
    steps = [frame.payload for frame in frames if frame.code == DONE | Command.STEP]
    assert len(steps) == 3 and len(set(steps)) == 1 and any(steps[0])


@pytest.mark.parametrize("given_up_by", [Command.STEP, Command.GENERATE, Command.RESET])
def test_a_state_half_written_is_given_up(given_up_by: Command) -> None:
    """By a token or a reset: what is kept may be read, and the next cell cannot be written."""
    host = opened()
    write(host, 0, (2, 1))
    read(host)
    host.turn(Command.RESUME)
    payload = {Command.STEP: b"\1\1", Command.GENERATE: struct.pack("<HHBIB", 1, 0, 0, 0, 1)}
    host.turn(given_up_by, payload.get(given_up_by, b""))
    read(host)
    write(host, 1, (2, 1))
    assert reasons(host) == [None, Reason.STATE, None, None, None, Reason.STATE]


def test_a_token_starts_from_the_state_that_was_written() -> None:
    """Also where it would have started from zero: first after OPEN, and after RESET."""
    host = opened()
    top = TINY.cell_max
    for _ in range(2):
        write(host, 0, (top, 1), (-top, -1), (top, 1))
        read(host)
        host.turn(Command.STEP, bytes([Want.H, 1]))
        read(host)
        host.turn(Command.RESET)
        host.turn(Command.STEP, bytes([Want.H, 1]))
        read(host)
        host.turn(Command.RESET)
    frames = answered(host)
    assert not any(frame.reason for frame in frames)
    reads = [frame.payload for frame in frames if frame.code == DONE | Command.READ]
    assert reads[:3] == reads[3:] and len(set(reads)) == 3


@pytest.mark.parametrize("case", ["lstm", "gru"])
def test_the_largest_states_and_no_larger_ones_are_written(case: str) -> None:
    """Of each cell, and of either sign."""
    host = opened(case)
    top, cells = host.config.cell_max, host.codec.info.cells
    for sign in (1, -1):
        write(host, 0, *cells * [(sign * top, sign)])
        read(host)
        write(host, 0, *(cells - 1) * [(0, 0)], (sign * (top + 1), sign))
        host.turn(Command.RESUME)
    assert reasons(host) == 2 * [None, None, Reason.VALUE, None]


def test_a_reply_as_long_as_a_slot_and_none_that_is_longer() -> None:
    """Tokens whose records fill the reply to its last byte, and one more."""
    host = opened()
    one_of_h_and_u = [want for want in map(Want, range(1, 32)) if Want.H | Want.U not in want]
    sizes = {want: host.codec.record_bytes(want) for want in one_of_h_and_u}
    want, size = next(each for each in sizes.items() if each[1] > 1 and LINK.max_payload % each[1] == 0)
    count = LINK.max_payload // size
    for tokens in (count, count + 1):
        host.turn(Command.STEP, bytes([want]) + bytes(tokens))
    frames = answered(host)
    assert [frame.reason for frame in frames] == [None, Reason.ROOM]
    assert len(frames[0].payload) == LINK.max_payload
