"""Boards on USB of high speed in Verilator: each reply is the model's, and the bus takes its time."""

from dataclasses import replace

import numpy as np
import pytest

from sim.measure.link_cycles import Traffic
from sim.measure.usb_rate import usb_rate
from sim.usb.board import echo_board, usb_board
from trine_sw.engine import EngineConfig
from trine_sw.link.board_design import BoardDesign
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

pytest.importorskip("luna", reason="LUNA is not installed: pip install 'trine[usb]'")
pytestmark = pytest.mark.nightly

MODEL = random_model(ModelConfig(hidden=20, embedding=4, vocab_size=8), seed=1)
DESIGN = BoardDesign(MODEL, EngineConfig(lanes=90, banks=2), LinkConfig(8, 1024, 8192, "fast"), clock_hz=8e7)
#: Of a transaction beside its data: SYNC, PID, CRC and ends of three packets, and the least time between two.
_LEAST_OVERHEAD = 40


def traffic():
    return Traffic.of(MODEL, DESIGN.engine, DESIGN.link, "h", 30)


def test_a_board_answers_as_its_model():
    """Full frames without a pause; a reply that is another model's is found."""
    board = usb_board(DESIGN, mhz=80, optimised=False)
    rate = usb_rate(board, traffic(), BoardModel(**DESIGN.parts))
    assert rate.cycles >= max(rate.payload, traffic().engine * 60 / 80)
    other = replace(DESIGN, model=random_model(MODEL.config, seed=2))
    with pytest.raises(ValueError, match="is not the one that is expected"):
        usb_rate(board, traffic(), BoardModel(**other.parts))


def test_an_echo_is_as_fast_as_the_bus():
    """Random bytes come back; a packet takes no less than USB has it, and little more."""
    board, rng = echo_board(DESIGN.link, mhz=80, optimised=False), np.random.default_rng(3)
    frames = [rng.integers(1, 256, 1022).astype(np.uint8).tobytes() + b"\0" for _ in range(30)]
    rate = usb_rate(board, Traffic(frames, 4, 0, 0))  # a packet for a token: a frame has two each way
    assert 512 + _LEAST_OVERHEAD <= rate.cycles <= 512 + 60
    assert rate.payload == 511.5
