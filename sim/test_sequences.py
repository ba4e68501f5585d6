"""Sequences in simulated engines and boards: the golden model's outputs, the timing model's cycles."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.task_models import features, task_model
from trine.sequence_backends import run_on
from trine.simulated_steps import simulate_sequences
from trine_hw.simulation import comparison
from trine_hw.simulation.virtual_board import VirtualBoard
from trine_sw.driver import Board
from trine_sw.engine import EngineConfig
from trine_sw.engine.default import default_engine
from trine_sw.golden.sequences import run_sequences, sequence_trits
from trine_sw.support.errors import TrineError

#: Where it is installed, the one that compiles faster.
SIMULATOR = "icarus" if shutil.which("iverilog") else "verilator"
LENGTHS = [4, 1, 9, 1, 1, 12, 2]
#: Task, reduction, the model's cell and layers, the engine's lanes (None: one for each row) and head.
CASES = [
    ("classify", "last", "gru", 1, None, "board"),
    ("classify", "sum", "lstm", 1, 20, "board"),
    ("label", "last", "mgu", 1, 16, "board"),
    ("regress", "last", "gru", 2, 20, "board"),
    ("regress", "sum", "gru", 1, None, "host"),
]


def same(found, expected):
    for name in ("classes", "logits", "values"):
        one, other = getattr(found, name), getattr(expected, name)
        assert (one is None) == (other is None)
        if one is not None:
            for a, b in zip(one, other, strict=True):
                np.testing.assert_array_equal(a, b)


def case(task, reduction, cell, layers, lanes, head):
    model = task_model(task, reduction=reduction, cell=cell, layers=layers, seed=3)
    engine = default_engine(model)
    if lanes is not None:
        engine = replace(engine, lanes=lanes, sampler_ways=1)
    if head == "host":
        engine = EngineConfig(engine.lanes, 2, embedding="host", head="host")
    return model, engine, features(np.random.default_rng(4), LENGTHS)


@pytest.mark.parametrize("options", CASES, ids=[f"{c[0]}-{c[1]}-{c[5]}" for c in CASES])
def test_engine_in_a_simulator_gives_what_the_golden_model_gives(options):
    model, engine, x = case(*options)
    golden, simulated = (run_on(name, model, x, engine=engine) for name in ("golden", SIMULATOR))
    same(simulated.outputs, golden.outputs)
    same(golden.outputs, run_sequences(model, x))
    np.testing.assert_array_equal(simulated.h, golden.h)
    np.testing.assert_array_equal(simulated.cycles, golden.cycles)


def test_segments_need_not_end_where_sequences_do(tmp_path, monkeypatch):
    model, engine, x = case(*CASES[0])
    trits = list(sequence_trits(model, x))
    text = simulate_sequences(model, trits, engine, SIMULATOR, segment=8, runs=tmp_path)
    golden = run_on("golden", model, x, engine=engine)
    assert text.segments == 4 and len(text.u) == sum(LENGTHS)
    np.testing.assert_array_equal(text.cycles_uncut, golden.cycles)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(comparison, "_predicted", lambda *a, **k: (np.ones(len(a[2]), np.int64), 0))
    with pytest.raises(TrineError, match="the simulated engine differs: cycles of token 0 is"):
        simulate_sequences(model, trits, engine, SIMULATOR, segment=8, runs=tmp_path)


@pytest.mark.parametrize("options", [CASES[0], CASES[4]], ids=["choices", "head inputs"])
def test_simulated_board_at_its_pins(options):
    model, engine, x = case(*options)
    expected = run_sequences(model, x)
    with Board.connected(lambda: VirtualBoard(model, engine, SIMULATOR), model) as board:
        if model.task == "regress":
            np.testing.assert_array_equal(board.regress(x), expected.values)
        else:
            np.testing.assert_array_equal(board.classify(x), expected.classes)
        for output, logits in zip(board.sequences(x[:3]), expected.logits, strict=False):
            np.testing.assert_array_equal(output.logits, logits)
        steps = list(board.stream(x[5][:4], want=["h"]))
        board.reset()
        again = list(board.stream(x[5][:4], want=["h"]))
        assert any((a.h != b.h).any() for a, b in zip(steps, again, strict=True))  # the state went on
