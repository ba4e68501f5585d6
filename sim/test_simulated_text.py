"""Texts through the simulated engine in segments: exact, resumed, and never wrong in silence."""

import hashlib
import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trine import simulated_steps
from trine.engine_steps import EngineSteps
from trine.reports.simulated_text_report import measure_gateware, write_gateware_report
from trine.simulated_steps import simulate_text
from trine_hw.simulation import comparison
from trine_sw.cluster.job import Cluster
from trine_sw.data import load_text
from trine_sw.data import text as data
from trine_sw.data.evaluation import evaluate
from trine_sw.engine import EngineConfig
from trine_sw.engine.timing import token_cycles
from trine_sw.golden import Golden, State
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError
from trine_sw.support.interruption import Interrupted

CONFIG = ModelConfig(
    hidden=11, embedding=6, vocab_size=9, cell_max=15, cell_shift=1, output_shift=1, head_levels=(0, 1, 2)
)
#: Where it is installed, the one that compiles faster.
SIMULATOR = "icarus" if shutil.which("iverilog") else "verilator"
TOKENS = np.random.default_rng(4).integers(0, 9, 100)


def check(model, engine, text):
    trace = Golden(model).run(TOKENS)
    np.testing.assert_array_equal(text.u, trace.u)
    uncut = token_cycles(model, engine, TOKENS, head=engine.head == "board").cycles
    np.testing.assert_array_equal(text.cycles_uncut, uncut)
    # Each segment finds the engine idle, and is otherwise as fast as one run.
    assert text.cycles.shape == uncut.shape and 0 < np.count_nonzero(text.cycles != uncut) < 10
    assert text.segments == 4 and text.cpu_s > 0


@pytest.mark.nightly
def test_segments_of_a_folded_lstm(tmp_path, monkeypatch):
    model, engine = random_model(CONFIG, seed=1), EngineConfig(20, 2)

    def run(**options):
        finished = []
        text = simulate_text(
            model, TOKENS, engine, SIMULATOR, segment=30, runs=tmp_path, progress=finished.append, **options
        )
        assert sorted(finished) == [10, 30, 30, 30]
        return text

    check(model, engine, run())
    assert not list(tmp_path.iterdir())

    # A state that is not the one before is noticed; what was finished is kept, and nothing of it is redone.
    right, simulated = EngineSteps.state_before, simulated_steps._simulate

    def wrong(steps, start):
        state = right(steps, start)
        return State(state.h, (state.c + (start == 60)).astype(np.int8))

    monkeypatch.setattr(EngineSteps, "state_before", wrong)
    with pytest.raises(TrineError, match=r"(h|c|u|logits) of token 6\d"):
        run()
    (kept,) = tmp_path.iterdir()
    assert sorted(path.name for path in kept.iterdir()) == ["000000000.npz", "000000030.npz"]
    begun = []

    def noted(common, part, tick):
        begun.append(part.start)
        return simulated(common, part, tick)

    monkeypatch.setattr(EngineSteps, "state_before", right)
    monkeypatch.setattr(simulated_steps, "_simulate", noted)
    check(model, engine, run())
    assert begun == [60, 90]

    # So is a cycle too many.
    monkeypatch.setattr(comparison, "_predicted", lambda *a, **k: (np.ones(len(a[2]), np.int64), 0))
    with pytest.raises(TrineError, match="cycles of token 0 is"):
        run()


def test_an_interruption_says_what_is_kept(tmp_path, monkeypatch):
    """Before the first segment is finished nothing is; what is left is done by as many processes."""
    model, engine = random_model(CONFIG, seed=1), EngineConfig(20, 2)
    simulated = simulated_steps._simulate

    def run(stops, **options):
        def simulate(common, part, tick):
            if part.start == stops:
                os.kill(os.getpid(), signal.SIGINT)
            return simulated(common, part, tick)

        with monkeypatch.context() as patch:
            if stops is not None:
                patch.setattr(simulated_steps, "_simulate", simulate)
            return simulate_text(model, TOKENS, engine, SIMULATOR, segment=30, runs=tmp_path, **options)

    with pytest.raises(Interrupted, match="before the first segment was finished: nothing is kept"):
        run(0)
    assert not list(tmp_path.iterdir())
    with pytest.raises(Interrupted, match="; 2 of 4 segments are finished and kept in .*, and the same comm"):
        run(60)
    (kept,) = tmp_path.iterdir()
    assert sorted(path.name for path in kept.iterdir()) == ["000000000.npz", "000000030.npz"]
    check(model, engine, run(None, cluster=Cluster(10**20)))


@pytest.mark.nightly
def test_segments_of_a_gru_between_host_and_host(tmp_path):
    model = random_model(replace(CONFIG, cell="gru"), seed=2)
    engine = EngineConfig(100, 3, embedding="host", head="host")
    check(model, engine, simulate_text(model, TOKENS, engine, SIMULATOR, segment=30, runs=tmp_path))


@pytest.fixture
def words(monkeypatch, tmp_path):
    """A data set of words and its split: the Penn Treebank's test where it is at hand, or one of its form."""
    monkeypatch.chdir(tmp_path)
    if (Path(os.environ.get("TRINE_DATA", "")) / "ptb/ptb.test.txt").is_file():
        yield "ptb", load_text("ptb", "test")
        return
    rng = np.random.default_rng(1)
    names = [f"w{n}" for n in range(9_999)]
    (tmp_path / "text").mkdir()
    path = tmp_path / "text/test.txt"
    path.write_text("".join(f" {' '.join(rng.choice(names, 20))} \n" for _ in range(30)), encoding="utf-8")
    file = data.TextFile(
        "text/test.txt", "https://example.org", hashlib.sha256(path.read_bytes()).hexdigest()
    )
    monkeypatch.setitem(data.DATA_SETS, "text", data.DataSet({"test": data.Part(file)}, words=True))
    monkeypatch.setenv("TRINE_DATA", str(tmp_path))
    data._read.cache_clear()
    yield "text", load_text("text", "test")
    data._read.cache_clear()


def test_500_words_with_embedding_and_head_on_the_host(words, tmp_path):
    dataset, text = words
    rng = np.random.default_rng(1)
    vocabulary = [*dict.fromkeys([data.END, *text.split(), *(f"unused{n}" for n in range(4096))])]
    config = replace(CONFIG, hidden=16, embedding=12, vocab_size=len(vocabulary), head_levels=(0, 1, 2, 3))
    weight = rng.normal(0, 0.3, (len(vocabulary), 16)).astype(np.float16)
    model = replace(
        random_model(config, seed=1, activity=0.25),
        vocabulary=vocabulary,
        head_weight=None,
        head_bias=None,
        head_scale=None,
        host_head_weight=weight,
        host_head_bias=np.zeros(len(vocabulary), np.float16),
    )
    model.training = {"data_set": dataset, "seed": 1}
    report = measure_gateware(model, "words", dataset, "test", 500, SIMULATOR, lanes=32, banks=3)
    assert report.description == f"trained on {dataset}"
    quality = evaluate(model, dataset, "test", 500)
    assert report.quality() == quality and report.perplexity_golden == report.perplexity
    assert (report.tokens, report.lanes, report.groups, report.segments) == (500, 32, 2, 1)
    assert report.cycles_per_token == report.cycles_per_token_uncut > report.columns_per_token / 3 * 2
    written = [
        path.read_text(encoding="utf-8") for path in write_gateware_report(report, tmp_path / "results")
    ]
    assert json.loads(written[0])["perplexity"] == quality["perplexity"]
    assert f"| {quality['perplexity']} |" in written[1] and "500 tokens" in written[1]
    assert f"| the model | trained on {dataset} |" in written[1]
