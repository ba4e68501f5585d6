"""How fast the driver is by itself: ``python -m sim.measure.driver_speed`` streams to a device that computes
nothing.

The device answers every frame at once with zeros, in this process; what it takes for that is not counted.
Processor time is counted, and the best of several runs is shown: other programs share caches and cores.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import numpy as np

from trine_sw.driver import Board
from trine_sw.driver.transports import ModelTransport
from trine_sw.engine import EngineConfig
from trine_sw.engine.default import default_engine
from trine_sw.link.board_design import BoardDesign
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import DONE, Command, Frame, LinkConfig, Splitter, Want, decode, encode
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.model.trits import pack

__all__ = ["CASES", "Case", "NullTransport", "speed"]

_RUNS = 10


@dataclass(frozen=True)
class Case:
    """A stream that is measured.

    Members
    -------
    hidden, embedding : of the model
    want : what is asked for of each token
    slot_bytes : of the board's frames
    on_host : whether embedding and head are on the host
    trits : whether input vectors are given in place of tokens
    steps : whether the results come as steps, not as blocks of arrays
    """

    hidden: int
    want: tuple[str, ...]
    embedding: int = 64
    slot_bytes: int = 256
    on_host: bool = False
    trits: bool = False
    steps: bool = False

    @property
    def name(self) -> str:
        given = f"{self.embedding} trits" if self.trits else "tokens"
        place = ", embedding on the host" if self.on_host and not self.trits else ""
        form = "steps" if self.steps else "blocks"
        asked = " and ".join(self.want)
        return f"{self.hidden} units{place}, {given} in, {asked} out, {self.slot_bytes} bytes a slot, {form}"


CASES = (
    Case(64, ("choice",)),
    Case(64, ("choice",), steps=True),
    Case(64, ("h",)),
    Case(64, ("h",), steps=True),
    Case(256, ("h", "cycles")),
    *(
        Case(300, ("h",), 300, slot_bytes, on_host=True, trits=trits)
        for slot_bytes in (256, 2048)
        for trits in (False, True)
    ),
)


class NullTransport(ModelTransport):
    """Opens as a board does, and answers steps with zeros, which it does not count; it does nothing else."""

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
            if frame.code == Command.RESET:
                answers.append(encode(Frame(frame.session, frame.sequence, DONE | Command.RESET)))
                continue
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


def _device(case: Case, model: Model) -> BoardModel:
    link = LinkConfig(slot_bytes=case.slot_bytes, receive_bytes=max(2048, 8 * case.slot_bytes))
    engine = default_engine(model)
    if case.on_host:
        engine = EngineConfig(4 * case.hidden + 65, 2, embedding="host", head="host")
    return BoardModel(**(BoardDesign(model, engine).parts | {"link": link}))


def speed(case: Case, count: int, runs: int = _RUNS) -> float:
    """Tokens in a second of this process, wherever else the processor is wanted: the best of the runs."""
    config = ModelConfig(hidden=case.hidden, embedding=case.embedding, vocab_size=65)
    model = random_model(config, seed=1)
    transport = NullTransport(_device(case, model))
    board = Board.connected(lambda: transport, model, "the null device")
    tokens = np.arange(count) % config.vocab_size
    if case.trits:
        assert model.embedding_weight is not None
        tokens = model.embedding_weight[tokens]
    for _ in board.stream(tokens[:2000], case.want):  # tables are made
        pass
    best = 0.0
    for _ in range(runs):
        started, of_device = time.process_time(), transport.seconds
        if case.steps:
            seen = sum(1 for _ in board.stream(tokens, case.want))
        else:
            seen = sum(len(block) for block in board.stream_blocks(tokens, case.want))
        elapsed = time.process_time() - started - (transport.seconds - of_device)
        assert seen == count
        best = max(best, count / elapsed)
    return best


def main() -> None:
    for case in CASES:
        rate = speed(case, int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
        print(f"{case.name}: {rate:,.0f} tokens/s")


if __name__ == "__main__":
    main()
