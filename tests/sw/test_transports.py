"""What carries bytes to a board: ports that hold replies back, many open files, a board that is in use."""

import contextlib
import errno
import os
import resource
import select
import socket
import termios
import threading
import time
import tty

import numpy as np
import pytest

from tests.helpers.board_over_wires import LEVELS, model_of
from tests.helpers.paths import ROOT
from trine_hw.simulation.board_server import BoardServer
from trine_sw.driver import AsyncBoard, Board
from trine_sw.driver.transports import ModelTransport, SerialTransport
from trine_sw.driver.waiting import readable, writable
from trine_sw.engine.default import default_engine
from trine_sw.golden import Golden
from trine_sw.link.board_model import BoardModel
from trine_sw.link.session import BoardGone
from trine_sw.support.errors import TrineError

MODEL = model_of(LEVELS)
TOKENS = np.arange(30)
EXPECTED = Golden(MODEL).run(TOKENS).h


def device() -> BoardModel:
    return BoardModel(MODEL, default_engine(MODEL))


@contextlib.contextmanager
def many_open_files():
    """More than select() can count."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1300:
        pytest.skip(f"this system lets a process open {hard} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1300), hard))
    taken = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while taken[-1] < 1100:
            taken.append(os.dup(taken[0]))
        yield
    finally:
        for number in taken:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def plugged(answer):
    """A serial port with this behind it."""
    master, slave = os.openpty()
    tty.setraw(slave)
    over = threading.Event()

    def serve():
        while not over.is_set():
            if select.select([master], [], [], 0.02)[0]:
                os.write(master, answer(os.read(master, 4096)))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        over.set()
        thread.join()
        os.close(master)
        os.close(slave)


class Latency:
    """A serial port as pyserial gives it, which may know nothing of latency."""

    error: BaseException | None = None
    asked: list[bool]

    def __init__(self, port, baud, **options):
        assert options["exclusive"]
        Latency.asked = []

    def set_low_latency_mode(self, low):
        Latency.asked.append(low)
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize(
    "error",
    [
        None,
        ValueError("Failed to update ASYNC_LOW_LATENCY flag to True: [Errno 25]"),
        NotImplementedError("Low latency not supported on this platform"),
        PermissionError(errno.EPERM, "Operation not permitted"),
        termios.error(errno.EIO, "Input/output error"),
        AttributeError("no such method"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_low_latency_is_asked_for(monkeypatch, error):
    """Where it cannot be had nothing else happens; the transport says whether it was."""
    monkeypatch.setattr("serial.Serial", Latency)
    monkeypatch.setattr(Latency, "error", error)
    assert SerialTransport("/dev/ttyUSB9", 1_000_000).low_latency is (error is None)
    assert Latency.asked == [True]


def test_port_without_latency_works():
    with plugged(device().exchange) as port, Board.open(port, MODEL) as board:
        assert isinstance(board._transport, SerialTransport) and not board._transport.low_latency
        assert np.array_equal([step.h for step in board.stream(TOKENS)], EXPECTED)


@pytest.mark.parametrize(
    "error, message",
    [
        (termios.error(errno.EIO, "Input/output error"), "cannot open /dev/ttyUSB9: .*Input/output error"),
        (termios.error(errno.ENOTTY, "Inappropriate ioctl"), "is no serial port"),
        (
            OverflowError("signed integer is greater than maximum"),
            "cannot be set to 9600 baud: signed integer",
        ),
    ],
)
def test_port_that_cannot_be_set(monkeypatch, error, message):
    def fails(*args, **options):
        raise error

    monkeypatch.setattr("serial.Serial", fails)
    with pytest.raises(TrineError, match=message):
        Board.open("/dev/ttyUSB9", MODEL, baud=9600)


@pytest.mark.parametrize(
    "url, given, expected",
    [
        ("/dev/ttyUSB9", None, 3_000_000),
        ("/dev/ttyUSB9", 250_000, 250_000),
        ("/dev/ttyUSB9?baud=1500000", None, 1_500_000),
        ("/dev/ttyUSB9?baud=1500000", 250_000, 250_000),
        ("COM3?baud=921600", None, 921_600),
    ],
)
def test_baud_rate_of_a_port(monkeypatch, url, given, expected):
    """The boards' by default; the argument before the URL. Messages have port and rate."""

    def fails(port, baud, **options):
        assert (port, baud) == (url.partition("?")[0], expected)
        raise ValueError("Failed to set custom baud rate")

    monkeypatch.setattr("serial.Serial", fails)
    with pytest.raises(TrineError, match=f"cannot be set to {expected} baud: .*trine build --baud"):
        Board.open(url, MODEL, baud=given)


@pytest.mark.parametrize("rate", ["", "0", "-1", "1e6", "1000000 ", "99999999999", "012"])
def test_url_with_a_baud_rate_that_is_none(rate):
    with pytest.raises(TrineError, match="has no baud rate: write /dev/ttyUSB9.baud=N"):
        Board.open(f"/dev/ttyUSB9?baud={rate}", MODEL)


def test_silent_port_is_told_with_its_rate():
    with plugged(lambda data: b"") as port:
        with pytest.raises(TrineError, match=r"\(3,000,000 baud\) does not answer: .* baud rate right"):
            Board.open(port, MODEL, patience=0.1)


def test_port_that_takes_nothing(monkeypatch):
    """One whose other side does not read is given up, with an error."""
    monkeypatch.setattr("trine_sw.driver.transports._WRITE_PATIENCE", 0.2)
    master, slave = os.openpty()
    tty.setraw(slave)
    transport = SerialTransport(os.ttyname(slave), 1_000_000)
    with pytest.raises(TimeoutError, match="takes no more bytes"):
        transport.write(bytes(1 << 20))
    transport.close()
    os.close(master)
    os.close(slave)


def test_what_was_closed_is_not_waited_for():
    ours, theirs = socket.socketpair()
    assert writable([ours], 0) == [ours] and readable([ours], 0) == []
    theirs.send(b"x")
    assert readable([ours, theirs], None) == [ours]
    ours.close()
    theirs.close()
    for wait in (readable, writable):
        with pytest.raises(OSError, match="closed"):
            wait([ours], 5)


class Virtual:
    """What a simulated board is to its server."""

    def __init__(self):
        self.transport = ModelTransport(device())

    def write(self, data):
        self.transport.write(data)

    def read(self, timeout):
        return self.transport.read(timeout)

    @property
    def idle(self):
        return not self.transport._answers

    def close(self):
        pass


@contextlib.contextmanager
def served(grace, monkeypatch):
    monkeypatch.setattr("trine_hw.simulation.board_server._GRACE", grace)
    server = BoardServer(Virtual(), 0)  # type: ignore[arg-type]

    def serve():
        with contextlib.suppress(OSError):  # closed
            server.serve()

    threading.Thread(target=serve, daemon=True).start()
    yield f"socket://127.0.0.1:{server.port}"
    server._listener.shutdown(socket.SHUT_RDWR)
    server.close()


def test_second_client_is_told_that_the_board_is_in_use(monkeypatch):
    with served(0.2, monkeypatch) as url, Board.open(url, MODEL) as board:
        assert np.array_equal(board.step(0).h, EXPECTED[0])
        for _ in range(3):
            with pytest.raises(TrineError, match="in use by another program: end that first") as told:
                Board.open(url, MODEL)
            assert not isinstance(told.value, BoardGone)
        silent = socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1])))  # says nothing
        silent.settimeout(60)
        assert silent.recv(10) == b""
        silent.close()
        assert np.array_equal([step.h for step in board.stream(TOKENS[1:])], EXPECTED[1:])
        board.close()
        with Board.open(url, MODEL) as after:
            assert np.array_equal(after.step(0).h, EXPECTED[0])


def test_second_client_is_served_if_the_first_goes(monkeypatch):
    with served(120, monkeypatch) as url:
        first = Board.open(url, MODEL)
        threading.Timer(0.3, first.close).start()
        started = time.monotonic()
        with Board.open(url, MODEL) as second:
            assert np.array_equal(second.step(0).h, EXPECTED[0])
        assert time.monotonic() - started < 60  # long before the server would have sent it away


def test_more_open_files_than_select_can_count(monkeypatch):
    """At a serial port and at a socket, and of a server, its listener, its client."""
    import asyncio

    async def task(url):
        async with await AsyncBoard.open(url, MODEL) as board:
            return (await board.step(0)).h

    with plugged(device().exchange) as port, many_open_files(), served(0.2, monkeypatch) as url:
        for where in (port, url):
            with Board.open(where, MODEL) as board:
                number = board._transport and board._transport.fileno()
                assert number is not None and number > 1023
                assert np.array_equal([step.h for step in board.stream(TOKENS)], EXPECTED)
            assert np.array_equal(asyncio.run(task(where)), EXPECTED[0])


def test_nothing_waits_by_select():
    """Which takes no descriptor above 1,023."""
    root = ROOT
    files = [path for part in ("sw", "hw", "boards") for path in (root / part).rglob("*.py")]
    assert len(files) > 100
    assert not [path for path in files if "select.select(" in path.read_text(encoding="utf-8")]
