"""The driver over Linux' SPI, with stand-ins for spidev and gpiod, and a board model behind them."""

import asyncio
import enum
import os
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from trine_sw.driver import AsyncBoard, Board, BoardGone
from trine_sw.driver.urls import connector
from trine_sw.engine.default import default_engine
from trine_sw.golden import Golden
from trine_sw.link.board_model import BoardModel
from trine_sw.link.faulty_wire import FaultyWire
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

MODEL = random_model(ModelConfig(hidden=7, embedding=4, vocab_size=9), seed=4)
TOKENS = np.random.default_rng(2).integers(0, 9, 60)
URL = "spi:///dev/spidev0.0?ready=25&hz=8000000"


class Value(enum.Enum):
    INACTIVE = 0
    ACTIVE = 1


class Wires:
    """A board model behind SPI, by whole bytes: a frame is sent once it is there, zeros otherwise."""

    def __init__(self, rate=0.0, window=4):
        self.device = BoardModel(MODEL, default_engine(MODEL), LinkConfig(window=window))
        self.up, self.down = FaultyWire(rate, 3), FaultyWire(rate, 4)
        self.replies = bytearray()
        self.edges, self.raise_edge = os.pipe()
        os.set_blocking(self.edges, False)
        self.opened, self.closed, self.error = [], [], None
        self.longest = 0

    @property
    def high(self):
        return bool(self.replies)

    def transfer(self, data):
        if self.error is not None:
            raise self.error
        self.longest = max(self.longest, len(data))
        before = self.high
        sent = bytes(self.replies[: len(data)]).ljust(len(data), b"\0")
        del self.replies[: len(data)]
        self.replies += self.device.exchange(self.up.carry(bytes(data)))
        if self.high and not (before and self.replies):
            os.write(self.raise_edge, b"e")
        return list(self.down.carry(sent)[: len(data)].ljust(len(data), b"\0"))

    def modules(self):
        wires = self

        class SpiDev:
            def open_path(self, path):
                wires.opened.append(path)
                if path != "/dev/spidev0.0":
                    raise FileNotFoundError(2, "No such file or directory")

            def xfer2(self, values):
                return wires.transfer(bytes(values))

            def close(self):
                wires.closed.append("spi")

        class Request:
            fd = wires.edges

            def wait_edge_events(self, timeout):
                import select

                return bool(select.select([wires.edges], [], [], timeout)[0])

            def read_edge_events(self):
                return os.read(wires.edges, 64)

            def get_value(self, line):
                return Value.ACTIVE if wires.high else Value.INACTIVE

            def release(self):
                wires.closed.append("gpio")

        def request_lines(chip, consumer, config):
            wires.opened.append((chip, *config))
            if chip != "/dev/gpiochip0":
                raise PermissionError(13, "Permission denied")
            return Request()

        spidev, gpiod = ModuleType("spidev"), ModuleType("gpiod")
        spidev.__dict__["SpiDev"] = SpiDev
        gpiod.__dict__.update(
            line=SimpleNamespace(
                Value=Value, Direction=SimpleNamespace(INPUT=1), Edge=SimpleNamespace(RISING=1)
            ),
            LineSettings=lambda **settings: settings,
            request_lines=request_lines,
        )
        return {"spidev": spidev, "gpiod": gpiod}


@pytest.fixture
def wires(monkeypatch):
    def make(**options):
        made = Wires(**options)
        for name, module in made.modules().items():
            monkeypatch.setitem(sys.modules, name, module)
        return made

    return make


@pytest.mark.parametrize("rate", [0, 3e-3])
def test_a_stream_over_spi_is_the_golden_model_s(wires, rate):
    there, trace = wires(rate=rate), Golden(MODEL).run(TOKENS)
    with Board.open(URL, MODEL) as board:
        steps = list(board.stream(TOKENS[:50], ("h", "choice"))) + [
            board.step(t, ("h",)) for t in TOKENS[50:]
        ]
        damaged = board.counters.damaged + board.host_counters.damaged
    assert [np.array_equal(step.h, h) for step, h in zip(steps, trace.h, strict=True)] == [True] * 60
    assert there.opened == ["/dev/spidev0.0", ("/dev/gpiochip0", 25)] and there.closed == ["spi", "gpio"]
    assert there.longest <= 4096
    assert bool(there.up.faults.total + there.down.faults.total) == bool(rate) >= bool(damaged)


def test_replies_wake_asyncio(wires):
    there, trace = wires(), Golden(MODEL).run(TOKENS)

    async def run():
        async with await AsyncBoard.open(URL, MODEL) as board:
            found = [step.h async for step in board.stream(TOKENS[:30], ("h",))]
            return found + [(await board.step(token, ("h",))).h for token in TOKENS[30:34]]

    assert np.array_equal(asyncio.run(asyncio.wait_for(run(), 60)), trace.h[:34])
    assert there.closed == ["spi", "gpio"]


def test_a_bus_that_fails_is_a_board_that_has_gone(wires):
    there = wires()
    with Board.open(URL, MODEL) as board:
        there.error = OSError(5, "Input/output error")
        with pytest.raises(BoardGone, match="Input/output error"):
            board.step(1)
        there.error = None
        board.reset()
        assert np.array_equal(board.step(TOKENS[0], ("h",)).h, Golden(MODEL).run(TOKENS[:1]).h[0])


def test_what_cannot_be_opened_is_said(wires):
    there = wires()
    with pytest.raises(TrineError, match="cannot use /dev/spidev1.0: No such file.*is SPI switched on"):
        Board.open("spi:///dev/spidev1.0?ready=3", MODEL)
    with pytest.raises(TrineError, match="cannot use line 3 of /dev/gpiochip9: Permission denied"):
        Board.open("spi:///dev/spidev0.0?ready=3&chip=/dev/gpiochip9", MODEL)
    assert there.closed == ["spi"]


@pytest.mark.parametrize("missing", ["spidev", "gpiod"])
def test_a_package_that_is_missing(wires, monkeypatch, missing):
    wires()
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(TrineError, match=rf"SPI needs the package {missing}: pip install 'trine\[spi\]'"):
        Board.open(URL, MODEL)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("spi:", "is no board on SPI"),
        ("spi://host/dev/spidev0.0?ready=1", "is no board on SPI"),
        ("spi://[host/dev/spidev0.0?ready=1", "is no board on SPI"),
        ("spi://[host]/dev/spidev0.0?ready=1", "is no board on SPI"),
        ("spi://\u2100/dev/spidev0.0?ready=1", "is no board on SPI"),
        ("spi:///dev/spidev0.0", "names no line"),
        ("spi:///dev/spidev0.0?hz=1000", "names no line"),
        ("spi:///dev/spidev0.0?ready=x", "'x' in .* must be a whole number"),
        ("spi:///dev/spidev0.0?ready=", "must be a whole number"),
        ("spi:///dev/spidev0.0?ready=1&hz=0", "from 1 to 100,000,000"),
        ("spi:///dev/spidev0.0?ready=1&speed=3", "is no board on SPI"),
        ("spi:///dev/spidev0.0?ready", "is no board on SPI"),
    ],
)
def test_urls_that_are_none(url, message):
    with pytest.raises(TrineError, match=f"{message}.*write spi:///dev/spidev0.0\\?ready=GPIO"):
        connector(url)
