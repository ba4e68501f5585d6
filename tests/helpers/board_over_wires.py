"""A board model behind wires with faults, as the driver's tests use it."""

import numpy as np

from trine_sw.driver import Board
from trine_sw.driver.transports import ModelTransport
from trine_sw.engine import EngineConfig
from trine_sw.engine.default import default_engine
from trine_sw.link.board_model import BoardModel
from trine_sw.link.faulty_wire import FaultyWire
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model

__all__ = [
    "EVERYTHING",
    "LEVELS",
    "TRITS",
    "FaultyTransport",
    "check_steps",
    "host_engine",
    "model_of",
    "opened",
]

LEVELS = ModelConfig(
    hidden=21, embedding=9, vocab_size=30, cell_max=15, cell_shift=1, output_shift=1, head_levels=(0, 1, 2, 3)
)
TRITS = ModelConfig(hidden=13, embedding=7, vocab_size=300, cell_max=7)
EVERYTHING = ("h", "u", "cycles", "logits", "choice")


def model_of(config: ModelConfig) -> Model:
    return random_model(config, seed=8)


class FaultyTransport(ModelTransport):
    """A board model behind wires with faults; it may also be unplugged."""

    def __init__(self, device: BoardModel, rate: float = 0, seed: int = 1):
        super().__init__(device)
        self.up, self.down = FaultyWire(rate, seed), FaultyWire(rate, seed + 1)
        self.arrived, self.answered = bytearray(), bytearray()  # all that came out of the wires
        self.writes_left: float = float("inf")

    def write(self, data):
        self.writes_left -= 1
        if self.writes_left < 0:
            raise OSError(5, "Input/output error")
        arrived = self.up.carry(data)
        answered = self.down.carry(self.board.exchange(arrived))
        self.arrived += arrived
        self.answered += answered
        self._answers += answered


def opened(
    model: Model, *, engine: EngineConfig | None = None, given=None, link=None, rate=0.0, seed=1
) -> tuple[Board, FaultyTransport]:
    transport = FaultyTransport(BoardModel(model, engine or default_engine(model), link), rate, seed)
    board = Board(lambda: transport, given or model, "the board", 5.0)
    board._begin()
    return board, transport


def host_engine(config: ModelConfig, **places) -> EngineConfig:
    return EngineConfig(4 * config.hidden + config.vocab_size, 2, **places)


def check_steps(steps, trace, *, names=EVERYTHING):
    assert len(steps) == len(trace.h)
    for t, step in enumerate(steps):
        for name in ("h", "u", "logits"):
            if name in names:
                assert np.array_equal(getattr(step, name), getattr(trace, name)[t]), (t, name)
            else:
                assert getattr(step, name) is None
        if "choice" in names:
            assert step.choice == trace.logits[t].argmax()
