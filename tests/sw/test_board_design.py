"""Boards of every kind, made of one model and engine, say the same of themselves and do the same."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import MonkeyPatch

from trine import demo
from trine_boards import BOARDS
from trine_boards.top import BoardTop
from trine_hw.link.uart import UARTLink
from trine_hw.simulation import virtual_board
from trine_sw.driver import Board
from trine_sw.engine.default import default_engine
from trine_sw.golden import Golden
from trine_sw.link.board_info import INFO_BYTES, Info
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model


@st.composite
def models(draw) -> Model:
    """All that decides how long frames are: units, trits or levels, symbols, what stays on the host."""
    levels = draw(st.sampled_from([(0, 1), (0, 5), (0, 1, 2, 3)]))
    config = ModelConfig(
        hidden=draw(st.integers(1, 60)),
        embedding=draw(st.integers(1, 30)),
        vocab_size=draw(st.one_of(st.integers(2, 30), st.integers(250, 700))),
        cell=draw(st.sampled_from(["lstm", "gru"])),
        layers=draw(st.integers(1, 2)),
        cell_max=15,
        cell_shift=1,
        output_shift=1 if len(levels) > 2 else 0,
        head_levels=levels,
    )
    model = random_model(config, seed=draw(st.integers(0, 9)))
    return replace(model, embedding_weight=None) if draw(st.booleans()) else model


def simulated(model: Model, folder: Path) -> Info:
    """What the gateware that a simulator would run says."""
    made: list[UARTLink] = []
    with MonkeyPatch.context() as patch:
        patch.setattr(virtual_board, "to_verilog", lambda board: made.append(board) or "")
        patch.setattr(virtual_board, "kept", lambda name, tool, make: make(folder) and folder)
        virtual_board.build_board(model, default_engine(model), "verilator", LinkConfig())
    return made[0].link.info


@settings(max_examples=25)
@given(models())
def test_every_kind_of_board_says_the_same(tmp_path_factory, model):
    folder = tmp_path_factory.mktemp("design")
    model.save(path := folder / "m.trine")
    engine = default_engine(model)
    real = BoardTop(model, engine, BOARDS["ulx3s"], 80).pinned.link.info
    with Board.open(f"golden:{path}") as board, demo._opened(model, engine, "golden") as shown:
        infos = [board.info, shown.info, simulated(model, folder), real]
        assert len({replace(info, clock_hz=0, baud=0) for info in infos}) == 1
        assert real.link.max_payload >= INFO_BYTES
        want = ("u", "cycles", *(("logits", "choice") if model.head_weight is not None else ()))
        x = np.zeros((2, model.config.embedding), np.int8) if model.embedding_weight is None else [1, 0]
        steps = list(board.stream(x, want))
    trace = Golden(model).run_vectors(x) if model.embedding_weight is None else Golden(model).run(x)
    assert np.array_equal([step.u for step in steps], trace.u)
    if trace.logits is not None:
        assert np.array_equal([step.logits for step in steps], trace.logits)
