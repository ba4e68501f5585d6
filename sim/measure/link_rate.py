"""Tokens/s that a host gets over a board's link: ``python -m sim.measure.link_rate``, for routed engines.

The project's driver streams to the board model over a line with a simulated clock: a byte takes ten bits at
the board's baud rate in each direction, a token the engine's mean cycles at its clock, and a reply reaches
the program one latency timer (1 ms) of the board's USB chip after its last byte. So the figures are the same
on every machine; the program's own time is not in them (``sim.measure.driver_speed``).

``--results`` writes ``docs/results/link-rates.json``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from sim.measure.routed import design_of, report_of
from trine_boards import BOARDS
from trine_sw.driver import Board
from trine_sw.driver.transports import ModelTransport
from trine_sw.link.board_design import BoardDesign
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import Command, Splitter, decode
from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.json_text import json_text

__all__ = ["BITS", "ENGINES", "TimedTransport", "link_rate", "rates", "timed_board"]

ROOT = Path(__file__).resolve().parents[2]
#: The reports of docs/results whose engines are looked at; their models are in models/.
ENGINES = (
    "icebreaker-shakespeare-small",
    "icebreaker-shakespeare-small-mgu",
    "ulx3s-shakespeare",
    "ulx3s-ptb-lstm-300",
    "ulx3s-ptb-gru-300",
)
#: What a program asks for of each token.
WANTS = ("choice", "h")

#: Of a byte on the line: start, eight, stop.
BITS = 10
_USB_S = 1e-3  # the latency timer that the udev rules and the driver set
_TOKENS = 4000


class TimedTransport(ModelTransport):
    """A board model behind a line of `baud`, with a clock that only the line and the engine advance."""

    def __init__(self, board: BoardModel, baud: float, token_s: float) -> None:
        super().__init__(board)
        self._byte_s = BITS / baud
        self._token_s = token_s
        self._splitter = Splitter(board.link.slot_bytes)
        self._now = self._sent = self._computed = self._answered = 0.0
        self._queue: list[tuple[float, bytes]] = []

    def write(self, data: bytes) -> None:
        """Send frames: each is computed when its last byte is there, and answered when the line is free."""
        self._sent = max(self._sent, self._now)
        for part in self._splitter.feed(data):
            self._sent += (len(part) + 1) * self._byte_s
            frame, answer = decode(part), self.board.exchange(part + b"\0")
            tokens = 0
            if frame is not None and frame.code == Command.STEP:
                tokens = (len(frame.payload) - 1) // self.board.codec.item_bytes
            self._computed = max(self._computed, self._sent) + tokens * self._token_s
            self._answered = max(self._answered, self._computed) + len(answer) * self._byte_s
            self._queue.append((self._answered + _USB_S, answer))

    def read(self, timeout: float) -> bytes:
        """The next answer, at the time at which it arrives; nothing if that is after the timeout."""
        if not self._queue or self._queue[0][0] > self._now + timeout:
            self._now += timeout
            return b""
        arrival, answer = self._queue.pop(0)
        self._now = max(self._now, arrival)
        return answer

    def clock(self) -> float:
        """Simulated seconds."""
        return self._now


def timed_board(report: dict) -> tuple[Board, TimedTransport]:
    """A driver's board of the engine of `report`, open, and the timed line that it is connected by."""
    routed = design_of(report)
    model, baud, clock_hz = routed.model, routed.board.baud, routed.clock_mhz * 1e6
    design = BoardDesign(model, routed.fit.engine, routed.board.link, clock_hz=clock_hz, baud=baud)
    transport = TimedTransport(BoardModel(**design.parts), baud, report["cycles_per_token"] / clock_hz)
    driver = Board(lambda: transport, model, "the timed line", 5.0)
    driver._begin()
    return driver, transport


def link_rate(report: dict, want: str, count: int = _TOKENS) -> float:
    """Tokens/s of a long stream over the link of the engine of `report`, asking for `want` of each token: of
    `count` tokens, from the first answers to the last ones."""
    driver, transport = timed_board(report)
    assert driver.model is not None
    tokens = np.random.default_rng(1).integers(0, driver.model.config.vocab_size, count)
    answered = [(transport.clock(), len(block)) for block in driver.stream_blocks(tokens, (want,))]
    assert driver.host_counters.timeouts == 0 and sum(each for _, each in answered) == count
    (first, ahead), (last, _) = answered[0], answered[-1]
    return (count - ahead) / (last - first)


def rates(name: str) -> dict[str, float]:
    """Baud rate and tokens/s of the routed engine of the report `name`, for each want."""
    report = report_of(name)
    found = {f"{want}_tokens_per_s": round(link_rate(report, want)) for want in WANTS}
    return {"baud": BOARDS[report["board"]].baud} | found


def main() -> None:
    found = {name: rates(name) for name in ENGINES}
    for name, figures in found.items():
        print(name, *(f"{key}: {value:,}" for key, value in figures.items()), sep="  ")
    if "--results" in sys.argv[1:]:
        record = {"command": "python -m sim.measure.link_rate --results", "engines": found}
        with atomic_write(ROOT / "docs/results/link-rates.json") as file:
            file.write((json_text(record, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
