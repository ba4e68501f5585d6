"""Training runs: what they write, resumption to the last bit, and what stops them."""

import hashlib
import json
import math
import os
import signal
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.helpers.exported import assert_equal_to_golden  # noqa: E402
from trine_sw.data import DataSet, Part, TextFile  # noqa: E402
from trine_sw.data import text as data  # noqa: E402
from trine_sw.data.evaluation import evaluate, golden_logits  # noqa: E402
from trine_sw.golden import Golden  # noqa: E402
from trine_sw.model import Model, ModelConfig  # noqa: E402
from trine_sw.support.errors import TrineError  # noqa: E402
from trine_sw.training.loop.checkpoint import load_checkpoint  # noqa: E402
from trine_sw.training.loop.run import Run  # noqa: E402
from trine_sw.training.models.export import export  # noqa: E402
from trine_sw.training.recipes import RECIPES, Recipe, Schedule, recipe  # noqa: E402
from trine_sw.training.train import train  # noqa: E402

TEXT = "what is it that you would say to me of the sea, and what of the trees? " * 60
CONFIG = ModelConfig(
    hidden=12,
    embedding=6,
    vocab_size=len(set(TEXT)),
    cell_max=15,
    cell_shift=2,
    output_shift=1,
    head_levels=(0, 1, 2, 3),
)
GRU = replace(CONFIG, cell="gru")
TINY = Recipe(
    name="tiny",
    dataset="tiny",
    config=CONFIG,
    schedule=Schedule(epochs=3, batch=8, steps=16, warmup=5, dropout=0.1, learning_rate=1e-2),
    baseline=Schedule(epochs=3, batch=8, steps=16, warmup=5, dropout=0.1, learning_rate=1e-2),
)


def shortened(epochs):
    return replace(TINY, schedule=replace(TINY.schedule, epochs=epochs))


@pytest.fixture(autouse=True)
def tiny_text(monkeypatch, tmp_path):
    (tmp_path / "data/tiny").mkdir(parents=True)
    (tmp_path / "data/tiny/input.txt").write_text(TEXT, encoding="utf-8")
    digest = hashlib.sha256(TEXT.encode()).hexdigest()
    file = TextFile("tiny/input.txt", "https://example.org/tiny", digest)
    monkeypatch.setitem(
        data.DATA_SETS, "tiny", DataSet({"train": Part(file, 0, 90), "valid": Part(file, 90)})
    )
    monkeypatch.setitem(RECIPES, "tiny", TINY)
    monkeypatch.delenv("TRINE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    data._read.cache_clear()
    data._symbols.cache_clear()
    torch.set_num_threads(1)


def test_train_writes_model_and_record(tmp_path):
    model = train("tiny")
    record = json.loads((tmp_path / "tiny-training.json").read_text(encoding="utf-8"))
    loaded = Model.load(tmp_path / "tiny.trine")
    assert model is not None and loaded.digest() == model.digest()
    assert loaded.training == record
    quality = evaluate(loaded, "tiny", "valid")
    assert record["ternary"]["valid_nats"] == quality["nats_per_token"]
    assert quality["nats_per_token"] < math.log(CONFIG.vocab_size)
    assert record["float"]["valid_nats"] > 0
    rows = (tmp_path / "tiny-training.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 2 * TINY.schedule.epochs
    assert loaded.decode(loaded.encode("sea")) == "sea"


@pytest.mark.parametrize("config", [CONFIG, GRU, replace(CONFIG, layers=2)], ids=["lstm", "gru", "stacked"])
def test_trained_weights_export_exactly(tmp_path, config):
    run = Run(replace(shortened(2), config=config), "ternary", tmp_path / "run.pt")
    run.fit()
    assert run.log[-1]["valid_nats"] < run.log[0]["valid_nats"] + 0.1
    assert_equal_to_golden(run.best_model())


def interrupt_at(monkeypatch, run, epoch, update):
    """Ctrl-C while that update is made."""
    original = run._step

    def step(inputs, targets):
        if (run.epoch, run.update) == (epoch, update):
            os.kill(os.getpid(), signal.SIGINT)
        return original(inputs, targets)

    monkeypatch.setattr(run, "_step", step)


@pytest.mark.parametrize(("kind", "optimizer"), [("ternary", "adam"), ("float", "adam"), ("ternary", "sgd")])
def test_resumed_equals_uninterrupted(tmp_path, monkeypatch, kind, optimizer):
    """Half way through its hardening too."""
    schedule = replace(TINY.schedule, optimizer=optimizer)
    recipe = replace(TINY, schedule=schedule, options=replace(TINY.options, harden=(0.2, 0.9)))
    whole = Run(recipe, kind, tmp_path / "whole.pt")
    whole.fit()
    path = tmp_path / "cut.pt"
    first = Run(recipe, kind, path)
    interrupt_at(monkeypatch, first, 1, 7)
    with pytest.raises(TrineError, match="interrupted.*--resume"):
        first.fit()
    torch.manual_seed(99)
    second = Run(recipe, kind, path)
    second.resume()
    assert (second.epoch, second.update) == (1, 8)
    second.fit()
    for ours, theirs in zip(
        second.model.state_dict().values(), whole.model.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs)
    for ours, theirs in zip(second.log, whole.log, strict=True):
        assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}
    assert second.best["valid_nats"] == whole.best["valid_nats"]


def test_finished_part_is_not_trained_again(monkeypatch):
    assert train("tiny", roles=("float",)) is None
    original = Run._step

    def step(run, inputs, targets):
        assert run.role == "ternary"
        return original(run, inputs, targets)

    monkeypatch.setattr(Run, "_step", step)
    model = train("tiny", resume=True)
    assert model is not None and "float" in model.training


def test_loss_that_is_no_number_stops(tmp_path):
    path = tmp_path / "run.pt"
    run = Run(shortened(1), "ternary", path)
    run.fit()
    before = path.read_bytes()
    run.epoch = 0
    with torch.no_grad():
        run.model.head_bias[0] = math.nan
    with pytest.raises(TrineError, match="no number after epoch 0, update 0; the last checkpoint"):
        run.fit()
    assert path.read_bytes() == before


def test_wrong_checkpoints(tmp_path):
    path = tmp_path / "run.pt"
    run = Run(TINY, "ternary", path)
    with pytest.raises(TrineError, match="no checkpoint"):
        run.resume()
    run.save()
    with pytest.raises(TrineError, match="another recipe"):
        Run(replace(TINY, seed=2), "ternary", path).resume()
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TrineError, match="no whole checkpoint"):
        load_checkpoint(path, TINY.fingerprint("ternary"))


def test_unknown_recipe():
    with pytest.raises(TrineError, match="'sonnets' is no recipe; there are .*shakespeare, "):
        recipe("sonnets")


def test_evaluation_is_the_same_however_logits_come(tmp_path):
    run = Run(TINY, "ternary", tmp_path / "run.pt")
    model = export(run.model.eval(), run.vocabulary, {})
    whole = evaluate(model, "tiny", "valid", 200)
    assert whole["tokens"] == 200
    assert whole["perplexity"] == pytest.approx(math.exp(whole["nats_per_token"]))
    golden = Golden(model)
    as_array = evaluate(model, "tiny", "valid", 200, backend=lambda tokens: golden.run(tokens).logits)
    assert as_array == whole
    pieces = evaluate(
        model, "tiny", "valid", 200, backend=lambda tokens: np.array_split(golden.run(tokens).logits, 7)
    )
    assert pieces["nats_per_token"] == pytest.approx(whole["nats_per_token"], rel=1e-12)
    with pytest.raises(TrineError, match="logits for 10 tokens, and 200"):
        evaluate(model, "tiny", "valid", 200, backend=lambda tokens: golden.run(tokens[:10]).logits)
    flat = evaluate(
        model, "tiny", "valid", 50, backend=lambda tokens: np.zeros((len(tokens), CONFIG.vocab_size), int)
    )
    assert flat["nats_per_token"] == pytest.approx(math.log(CONFIG.vocab_size))
    assert evaluate(model, "tiny", "valid", 200, backend=golden_logits(model)) == whole
