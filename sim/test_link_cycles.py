"""The fast codec keeps up with the engine, or with the wire, and answers as the board model does."""

from __future__ import annotations

import pytest

from sim.measure.link_cycles import Traffic, Wire, link_cycles
from trine_sw.engine import EngineConfig
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

LINK = LinkConfig(window=4, slot_bytes=512, receive_bytes=1024, codec="fast")
WIDE = ModelConfig(
    hidden=48,
    embedding=24,
    vocab_size=20,
    cell_max=15,
    cell_shift=1,
    output_shift=1,
    head_levels=(0, 1, 2, 3),
)
#: The state queue is what limits.
LONG = ModelConfig(hidden=64, embedding=64, vocab_size=3, cell_max=7)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("config", "engine", "wants"),
    [
        pytest.param(LONG, EngineConfig(300, 8, embedding="host", head="host"), ("h",), id="queue"),
        pytest.param(
            WIDE,
            EngineConfig(300, 3, sampler_ways=2),
            ("h", "u", "choice", "top2", "generate"),
            id="engine",
        ),
        pytest.param(
            WIDE,
            EngineConfig(100, 3, sampler_ways=2),
            ("h", "choice"),
            id="folded",
        ),
    ],
)
def test_tokens_follow_each_other(config: ModelConfig, engine: EngineConfig, wants: tuple[str, ...]) -> None:
    """In frames of 512 bytes within 1.2 times the engine's cycles, the wire's bytes, or the cycles for which
    the state queue is taken by one token's state, from its marker on, whichever are most. Where the largest
    logits are wanted, a cycle for each symbol comes on top: until all logits are read, the head adds up none
    of the next token."""
    model = random_model(config, seed=2, activity=0.25)
    wire = Wire(model, engine, LINK, optimised=False)
    for want in wants:
        traffic = Traffic.of(model, engine, LINK, want, 6)
        cycles = link_cycles(wire, BoardModel(model, engine, LINK), traffic)
        queue = 15 + config.hidden / 10 if want in ("h", "u") else 0
        listed = config.vocab_size if want.startswith("top") else 0
        assert cycles < 1.2 * max(traffic.engine + listed, traffic.wire, queue), want
