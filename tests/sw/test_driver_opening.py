"""Which board it is: a URL that names none, a port without one, and one with another model or protocol."""

import os
import select
import threading
import tty
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.board_over_wires import LEVELS, TRITS, FaultyTransport, host_engine, model_of, opened
from trine_sw.driver import Board
from trine_sw.engine.default import default_engine
from trine_sw.golden import Golden
from trine_sw.link import board_session
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import LinkConfig
from trine_sw.link.session import BoardGone
from trine_sw.support.errors import TrineError


def test_board_with_another_model():
    with pytest.raises(TrineError, match="another model"):
        opened(model_of(LEVELS), given=model_of(TRITS))
    model = model_of(LEVELS)
    assert model.head_bias is not None
    with pytest.raises(TrineError, match="another model"):
        opened(model, given=replace(model, head_bias=model.head_bias + 1))


def test_board_takes_another_head_of_the_host():
    """Its logits are those of the head that is given."""
    model = model_of(LEVELS)
    assert model.head_bias is not None
    given = replace(model, head_bias=model.head_bias + np.arange(len(model.head_bias), dtype=np.int32))
    board, _ = opened(model, engine=host_engine(model.config, head="host"), given=given)
    wanted = Golden(given).run([3]).logits
    assert wanted is not None and np.array_equal(board.step(3, ("logits",)).logits, wanted[0])


@pytest.mark.parametrize(
    "told, message",
    [
        ({"version": 3}, "version 3 of the protocol, and this driver version 4: the board is the older one"),
        ({"version": 5}, "version 5 .* version 4: this computer's Trine is the older one; update it"),
        ({"receive_bytes": 3000}, "receive_bytes must be a power of two.*build its bitstream"),
    ],
)
def test_board_of_another_version(told, message):
    transport = FaultyTransport(BoardModel(model_of(TRITS), default_engine(model_of(TRITS))))
    transport.board.info = replace(transport.board.info, **told)
    board = Board(lambda: transport, None, "the board", 1.0)
    with pytest.raises(TrineError, match=message):
        board._begin()


@pytest.mark.parametrize(
    "version, message",
    [(3, "the board is the older one; build"), (9, "this computer's Trine is the older one")],
)
def test_board_that_refuses_this_version(monkeypatch, version, message):
    """It says no to OPEN, and in INFO which version it speaks: what is to be updated is told."""
    device = BoardModel(model_of(TRITS), default_engine(model_of(TRITS)))
    device.info = replace(device.info, version=version)
    monkeypatch.setattr(board_session, "PROTOCOL_VERSION", version)
    for rate in (0, 0.02):
        board = Board(lambda rate=rate: FaultyTransport(device, rate), None, "the board", 5.0)
        with pytest.raises(TrineError, match=f"speaks version {version} .* driver version 4: {message}"):
            board._begin()


def test_a_program_with_less_room_than_the_board():
    """Frames in flight and their bytes are no more than it has; the results are the same."""
    model = model_of(LEVELS)
    most = LinkConfig(window=2, slot_bytes=64, receive_bytes=64)
    transport = FaultyTransport(BoardModel(model, default_engine(model), LinkConfig(slot_bytes=1024)))
    sizes = []

    def write(data):
        sizes.append(len(data))
        FaultyTransport.write(transport, data)

    transport.write = write
    board = Board(lambda: transport, model, "the board", 5.0, most=most)
    board._begin()
    assert (board.info.window, board.info.slot_bytes, board.info.receive_bytes) == (2, 64, 64)
    tokens = np.random.default_rng(1).integers(model.config.vocab_size, size=300)
    found = [step.h for step in board.stream(tokens)]
    np.testing.assert_array_equal(found, Golden(model).run(tokens).h)
    board.state = board.state
    assert max(sizes) <= 64 and max(map(len, transport.answered.split(b"\0")[1:])) < 64
    with pytest.raises(TrineError, match="most must be a LinkConfig"):
        Board.connected(lambda: transport, model, "the board", most=3)


def random_link(rng: np.random.Generator) -> LinkConfig:
    slot = 2 ** int(rng.integers(6, 12))
    receive = slot * 2 ** int(rng.integers(0, 4))
    return LinkConfig(2 ** int(rng.integers(0, 7)), slot, receive, str(rng.choice(["serial", "fast"])))


def test_window_and_frames_are_what_both_sides_have_room_for():
    """Of random sizes of either side: neither is sent more frames, longer ones or more bytes at once than it
    has room for, and the results are the same."""
    model, rng = model_of(LEVELS), np.random.default_rng(5)
    tokens = rng.integers(model.config.vocab_size, size=120)
    expected = Golden(model).run(tokens).h
    smaller = set()
    for _ in range(12):
        board_has, host_has = random_link(rng), random_link(rng)
        device = BoardModel(model, default_engine(model), board_has)
        transport, waiting, most = FaultyTransport(device), [], [0, 0, 0]

        def write(data, transport=transport, waiting=waiting, most=most):
            frames = [len(part) + 1 for part in data.split(b"\0") if part]
            waiting += frames
            seen = (len(waiting), max(frames, default=0), sum(waiting))
            most[:] = map(max, most, seen)
            FaultyTransport.write(transport, data)

        def read(wait, transport=transport, waiting=waiting):
            found = FaultyTransport.read(transport, wait)
            del waiting[: found.count(0)]
            return found

        transport.write, transport.read = write, read
        board = Board(lambda transport=transport: transport, model, "the board", 5.0, most=host_has)
        board._begin()
        names = ("window", "slot_bytes", "receive_bytes")
        agreed = [min(getattr(board_has, name), getattr(host_has, name)) for name in names]
        assert [getattr(board.info, name) for name in names] == agreed
        transport.answered.clear()
        np.testing.assert_array_equal([step.h for step in board.stream(tokens)], expected)
        np.testing.assert_array_equal(board.state.h, expected[-1])
        assert all(map(int.__le__, most, agreed)), (most, agreed)
        assert max(map(len, transport.answered.split(b"\0"))) < agreed[1]
        smaller |= {(host_has.window < board_has.window, host_has.slot_bytes < board_has.slot_bytes)}
    assert len(smaller) == 4  # either side is the smaller one, in either size


@pytest.mark.parametrize(
    "url, message",
    [
        ("nowhere", "is no board"),
        ("golden:", "names no model"),
        ("golden:/missing.trine", "cannot read"),
        ("socket://host", "socket://host:port"),
        ("socket://127.0.0.1:1", "cannot connect"),
        ("/dev/ttyNONE", "there is no port"),
        ("/dev/null", "/dev/null is no serial port; trine ports lists"),
        ("/tmp", "/tmp is no serial port; trine ports lists"),
        (None, "None is no board: write golden:M.trine"),
    ],
)
def test_urls(url, message):
    with pytest.raises(TrineError, match=message):
        Board.open(url)


class Port:
    """A serial port of a pseudo-terminal, with a board model, or what else answers, behind it."""

    def __init__(self, answer):
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.url, self.answer, self.open = os.ttyname(self.slave), answer, True
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while self.open:
            if select.select([self.master], [], [], 0.02)[0]:
                os.write(self.master, self.answer(os.read(self.master, 4096)))

    def unplug(self):
        if self.open:
            self.open = False
            self.thread.join()
            os.close(self.master)
            os.close(self.slave)


@pytest.fixture
def plug():
    ports = []

    def make(answer):
        ports.append(Port(answer))
        return ports[-1]

    yield make
    for port in ports:
        port.unplug()


def test_serial_port_in_use_and_gone(plug):
    model = model_of(LEVELS)
    port = plug(BoardModel(model, default_engine(model)).exchange)
    board = Board.open(port.url, model, patience=2.0)
    tokens = np.arange(30)
    assert np.array_equal([step.h for step in board.stream(tokens)], Golden(model).run(tokens).h)
    with pytest.raises(TrineError, match="in use by another program"):
        Board.open(port.url, model)
    steps = board.stream(7 for _ in range(10**6))
    next(steps)
    port.unplug()
    with pytest.raises(BoardGone, match="has gone"):
        list(steps)
    with pytest.raises(TrineError, match="no port"):
        board.reset()
    board.close()


@pytest.mark.parametrize(
    "answer, message",
    [
        (lambda data: b"", "does not answer: is a Trine bitstream loaded"),
        (lambda data: bytes(255 - byte for byte in data) * 3 + b"\0", "is the baud rate right"),
        (lambda data: b"login: ", "is the baud rate right"),
    ],
    ids=["silence", "wrong baud", "another program"],
)
def test_port_without_a_board(plug, answer, message):
    with pytest.raises(BoardGone, match=message):
        Board.open(plug(answer).url, model_of(LEVELS), patience=0.6)
