"""Microseconds that one step takes a program: ``python -m sim.measure.pty_latency``, with the golden board at
the other end of a pseudo-terminal.

The board model runs in a process of its own. The terminal has no baud rate and no USB chip: what is measured
is the driver, the system's terminals and the board model, whose own part is shown, too.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
import tty

from trine_sw.driver import Board
from trine_sw.driver.transports import ModelTransport
from trine_sw.engine.default import default_engine
from trine_sw.link.board_model import BoardModel
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model

__all__ = ["step_times"]

_COUNT = 2000
_MODEL = ModelConfig(hidden=64, embedding=64, vocab_size=65)


def step_times(board: Board, count: int = _COUNT) -> list[float]:
    """Microseconds of so many calls of ``board.step``, each asking for the next token."""
    found = []
    for number in range(count):
        started = time.perf_counter()
        board.step(number % 65, ("choice",))
        found.append(1e6 * (time.perf_counter() - started))
    return found


def _serve(model: Model, wire: int) -> None:
    board = BoardModel(model, default_engine(model))
    while True:
        os.write(wire, board.exchange(os.read(wire, 4096)))


def _over_a_terminal(model: Model) -> list[float]:
    wire, port = os.openpty()
    tty.setraw(port)
    server = multiprocessing.Process(target=_serve, args=(model, wire), daemon=True)
    server.start()
    try:
        with Board.open(os.ttyname(port), model) as board:
            return step_times(board)
    finally:
        server.terminate()
        server.join()


class _Timed(BoardModel):
    """A board model that notes the microseconds of each exchange."""

    def reset(self) -> None:
        super().reset()
        self.spent: list[float] = []

    def exchange(self, data: bytes) -> bytes:
        started = time.perf_counter()
        answer = super().exchange(data)
        self.spent.append(1e6 * (time.perf_counter() - started))
        return answer


def _in_this_process(model: Model) -> tuple[list[float], list[float]]:
    """Of the steps, and of the board model's part of them."""
    device = _Timed(model, default_engine(model))
    with Board.connected(lambda: ModelTransport(device), model) as board:
        return step_times(board), device.spent[1:]


def main() -> None:
    model = random_model(_MODEL, seed=1)
    here, of_model = _in_this_process(model)
    rows = {
        "over a pseudo-terminal": _over_a_terminal(model),
        "with the board in the same process": here,
        "of which the board model": of_model,
    }
    for name, times in rows.items():
        print(f"a step {name}: {statistics.median(times):.0f} us")


if __name__ == "__main__":
    main()
