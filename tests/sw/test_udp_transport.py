"""The driver over UDP sockets of this machine, with a board model at their other end."""

import asyncio
import errno
import socket

import numpy as np
import pytest
from cobs import cobs

from tests.helpers.udp_board import UDPBoard
from trine_sw.driver import AsyncBoard, Board, BoardGone
from trine_sw.driver.udp import UDPTransport
from trine_sw.driver.urls import connector
from trine_sw.engine.default import default_engine
from trine_sw.golden import Golden
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

MODEL = random_model(ModelConfig(hidden=7, embedding=4, vocab_size=9), seed=4)
TOKENS = np.random.default_rng(2).integers(0, 9, 1200)
H = Golden(MODEL).run(TOKENS).h


def device(window=8):
    return BoardModel(MODEL, default_engine(MODEL), LinkConfig(window, 64, 64 * window))


@pytest.mark.parametrize(
    ("fault", "window", "segments"),
    [(0, 8, True), (0.01, 8, True), (0.01, 8, False), (0.1, 8, True), (0.05, 64, True), (0.05, 1, True)],
)
def test_each_token_once_over_udp(fault, window, segments, monkeypatch):
    """Datagrams of each direction are lost, doubled and held back, at random."""
    if not segments:
        monkeypatch.setattr("trine_sw.driver.udp._MOST_SEGMENTS", 1)
    count = 1200 if fault < 0.05 else 400
    with UDPBoard(device(window), fault, seed=window) as served:
        with Board.open(f"udp://127.0.0.1:{served.port}", MODEL) as board:
            got = [block.h for block in board.stream_blocks(TOKENS[:count], want=("h",))]
            assert np.array_equal(np.concatenate(got), H[:count])
            counters, host = board.counters, board.host_counters
        assert served.board.counts["tokens"] == count == counters.tokens
        assert (fault or host.resent == 0) and counters.damaged == host.damaged == 0
        assert bool(sum(served.faults.values())) == bool(fault)


def test_asynchronous_driver_over_udp():
    async def run(port):
        async with await AsyncBoard.open(f"udp://127.0.0.1:{port}", MODEL) as board:
            return [step.h async for step in board.stream(TOKENS[:200], want=("h",))]

    with UDPBoard(device(), 0.02) as served:
        assert np.array_equal(np.stack(asyncio.run(run(served.port))), H[:200])


def pair():
    """A transport, and the socket at its other end with what comes there."""
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.bind(("127.0.0.1", 0))
    other.settimeout(5)
    return UDPTransport("127.0.0.1", other.getsockname()[1]), other


def test_runs_of_equal_frames_are_sent_by_one_call():
    transport, other = pair()
    rng = np.random.default_rng(1)
    lengths = [11, *[200] * 70, 90, 300, 300, 12, 13, *[1018] * 65]
    frames = [rng.integers(0, 256, length, np.uint8).tobytes() for length in lengths]
    transport.write(b"\0" + b"".join(cobs.encode(frame) + b"\0" for frame in frames))
    assert [other.recv(2000) for _ in frames] == frames
    calls = {
        True: 8,
        False: len(frames),
    }  # or each by itself
    assert transport.calls <= (calls[True] if transport._segments else calls[False] + 1)
    other.connect(transport._socket.getsockname())
    for frame in frames:
        other.send(frame)
    read = b""
    while read.count(b"\0") < len(frames):
        read += transport.read(5)
    assert [cobs.decode(part) for part in read.split(b"\0")[:-1]] == frames
    transport.close()
    other.close()


def test_a_kernel_without_segmentation(monkeypatch):
    transport, other = pair()

    class Refuses:
        """A socket that cannot segment."""

        def __getattr__(self, name):
            return getattr(self.socket, name)

        def sendmsg(self, *_):
            raise OSError(errno.EIO, "no checksums here")

    refuses = Refuses()
    refuses.socket = transport._socket
    monkeypatch.setattr(transport, "_socket", refuses)
    frames = [bytes([n] * 40) for n in range(1, 9)]
    for _ in range(2):
        transport.write(b"".join(cobs.encode(frame) + b"\0" for frame in frames))
        assert [other.recv(2000) for _ in frames] == frames
    assert transport.calls == 17
    transport.close()
    other.close()


def test_nobody_is_at_the_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(BoardGone, match="has gone .*refused"):
        Board.open(f"udp://127.0.0.1:{port}", MODEL, patience=2)


@pytest.mark.parametrize(
    "url", ["udp:", "udp://", "udp://h:0", "udp://h:70000", "udp://h:1/x", "udp://a:b:1"]
)
def test_urls_that_are_no_boards_on_ethernet(url):
    with pytest.raises(TrineError, match="is no board on Ethernet: write udp://host or udp://host:port"):
        connector(url)


def test_hosts_that_are_not_there():
    with pytest.raises(TrineError, match="cannot reach 'no.such.host.invalid': .*the board's address"):
        connector("udp://no.such.host.invalid")[0]()
