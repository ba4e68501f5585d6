"""How fast the driver is by itself: ``python -m sim.measure.driver_speed`` streams to a device that computes
nothing.

The device answers every frame at once with zeros, in this process; what it takes for that is not counted.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from trine_sw.driver import Board
from trine_sw.driver.transports import ModelTransport
from trine_sw.engine.default import default_engine
from trine_sw.link.board_design import BoardDesign
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import DONE, Command, Frame, Splitter, Want, decode, encode
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.model.trits import pack

__all__ = ["NullTransport", "speed"]


class NullTransport(ModelTransport):
    """Opens as a board does, and answers steps with zeros."""

    def __init__(self, board: BoardModel) -> None:
        super().__init__(board)
        self._splitter = Splitter(board.link.slot_bytes)
        self._bodies: dict[tuple[int, int], bytes] = {}
        self.seconds = 0.0

    def write(self, data: bytes) -> None:
        started, answers = time.process_time(), []
        for part in self._splitter.feed(data):
            frame = decode(part)
            assert frame is not None
            if frame.code != Command.STEP:
                answers.append(self.board.exchange(part + b"\0"))
                continue
            key = frame.payload[0], len(frame.payload)
            if key not in self._bodies:
                codec, zeros = self.board.codec, pack(np.zeros((1, self.board.info.hidden), int)).tobytes()
                parts = (
                    zeros if part is Want.H else bytes(size)
                    for part, size in codec.sizes.items()
                    if part in Want(key[0])
                )
                self._bodies[key] = b"".join(parts) * ((len(frame.payload) - 1) // codec.item_bytes)
            answers.append(
                encode(Frame(frame.session, frame.sequence, DONE | Command.STEP, self._bodies[key]))
            )
        self._answers += b"".join(answers)
        self.seconds += time.process_time() - started


def speed(model: Model, want: tuple[str, ...], count: int) -> float:
    """Tokens in a second of this process, wherever else the processor is wanted."""
    engine = default_engine(model)
    device = BoardModel(**BoardDesign(model, engine).parts)
    transport = NullTransport(device)
    board = Board(lambda: transport, model, "the null device", 5.0)
    board._begin()
    tokens = np.arange(count) % model.config.vocab_size
    for _ in board.stream(tokens[:2000], want):  # tables are made
        pass
    started, of_device = time.process_time(), transport.seconds
    seen = sum(1 for _ in board.stream(tokens, want))
    elapsed = time.process_time() - started - (transport.seconds - of_device)
    assert seen == count
    return count / elapsed


def main() -> None:
    for hidden in (64, 256):
        model = random_model(ModelConfig(hidden=hidden, embedding=64, vocab_size=65), seed=1)
        for want in (("choice",), ("h",), ("h", "cycles")):
            rate = speed(model, want, int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
            print(f"{hidden} units, {' and '.join(want)}: {rate:,.0f} tokens/s")


if __name__ == "__main__":
    main()
