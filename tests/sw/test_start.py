"""A ternary model that starts from a model file: it computes what that computes, and learns on from there."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.helpers.small_recipe import CONFIG, SCHEDULE, small_recipe  # noqa: E402
from trine_sw.data import symbols  # noqa: E402
from trine_sw.model import ModelConfig  # noqa: E402
from trine_sw.model.model_file import model_tensors  # noqa: E402
from trine_sw.support.errors import TrineError  # noqa: E402
from trine_sw.training.loop.run import Run  # noqa: E402
from trine_sw.training.models.export import export  # noqa: E402
from trine_sw.training.models.start import start_from  # noqa: E402
from trine_sw.training.models.ternary_model import TernaryLanguageModel  # noqa: E402
from trine_sw.training.nn.layers import CellOptions  # noqa: E402
from trine_sw.training.nn.recurrence import Numerics  # noqa: E402
from trine_sw.training.recipes import RECIPES  # noqa: E402
from trine_sw.training.train import train  # noqa: E402

OPTIONS = CellOptions(scale="norm")


@pytest.fixture
def tiny(sea, monkeypatch):
    monkeypatch.setattr(Numerics, "fastest", lambda device: Numerics())  # compiling would take longest
    return small_recipe(sea, monkeypatch)


def trained(config, seed, *, options=OPTIONS, factor=1.2, head="ternary"):
    """A model whose rows have biases and sizes of all kinds."""
    torch.manual_seed(seed)
    model = TernaryLanguageModel(config, options, embedding_factor=factor, head=head)
    with torch.no_grad():
        for layer in model.stack:
            layer.bias.normal_(0, 2)
            layer.weight *= torch.rand(len(layer.weight), 1) * 3
        model.embedding *= torch.rand(config.vocab_size, 1) * 3
        assert model.head is not None
        model.head.normal_()
        model.head_bias.normal_()
        if model.log_head_scale is not None:
            model.log_head_scale.normal_()
    return model.eval()


def random_config(random, cell):
    return ModelConfig(
        cell=cell,
        hidden=int(random.integers(3, 40)),
        embedding=int(random.integers(3, 40)),
        vocab_size=int(random.integers(2, 30)),
        layers=int(random.integers(1, 4)),
        cell_shift=2,
        output_shift=1,
        head_levels=(0, 1, 2, 3),
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("cell", ["lstm", "gru", "mgu"])
@pytest.mark.parametrize("head", ["ternary", "float"])
def test_what_starts_from_a_file_is_that_file(cell, head, seed):
    """In every trit, threshold and head weight, whatever is drawn for what a file does not say."""
    random = np.random.default_rng([seed, len(cell)])
    config = random_config(random, cell)
    factor = float(random.uniform(0.7, 1.5))
    words = [f"word{number}" for number in range(config.vocab_size)]
    given = export(trained(config, seed, factor=factor, head=head), words, {})
    densest = np.abs(given.embedding_weight).mean(axis=1).max()
    model = trained(config, seed + 100, factor=min(factor, 0.8 / densest), head=head)
    start_from(model, given, words)
    made = model_tensors(export(model, words, {}))
    wanted = model_tensors(given)
    if head == "ternary":  # the logarithm of a scale is rounded
        assert export(model, words, {}).head_scale == pytest.approx(given.head_scale, rel=1e-6)
    for name, tensor in wanted.items():
        if name == "head_bias":
            np.testing.assert_allclose(made[name], tensor, atol=1)
        else:
            np.testing.assert_array_equal(made[name], tensor, err_msg=name)


def test_rows_go_with_their_symbols():
    """A text with other symbols takes those that it shares, wherever they stand; the others stay."""
    config = replace(CONFIG, vocab_size=5)
    given = export(trained(config, 1), list("abcde"), {})
    model = trained(replace(config, vocab_size=4), 2)
    before = export(model, list("exay"), {})
    start_from(model, given, list("exay"))
    after = export(model, list("exay"), {})
    for name in ("embedding_weight", "head_weight"):
        for row, symbol in enumerate("exay"):
            there = "abcde".find(symbol)
            wanted = getattr(before, name)[row] if there < 0 else getattr(given, name)[there]
            np.testing.assert_array_equal(getattr(after, name)[row], wanted)
    assert not np.array_equal(after.embedding_weight, before.embedding_weight)


@pytest.mark.parametrize("head, other", [("float", "ternary"), ("ternary", "float")])
def test_a_head_of_the_other_kind_begins_as_near_as_it_can(head, other):
    words = list("abcdefghijkl")
    config = replace(CONFIG, hidden=64, vocab_size=12)
    given = trained(config, 3, head=head)
    model = trained(config, 4, head=other)
    start_from(model, export(given, words, {}), words)
    for (made, bias), (wanted, of_given) in [(model.head_in_nats(), given.head_in_nats())]:
        same = torch.nn.functional.cosine_similarity(made, wanted, dim=1)
        assert same.min() > (0.999 if other == "float" else 0.8)
        assert (bias - of_given).abs().max() < 0.6  # half a step of the integers


def test_what_does_not_fit_is_refused_before_anything_is_trained(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(RECIPES, "tiny", replace(tiny, needs_start=True))
    with pytest.raises(TrineError, match="starts from a trained model: give its file with --start"):
        train("tiny")
    words = [f"w{number}" for number in range(tiny.config.vocab_size)]
    foreign = export(trained(tiny.config, 0), words, {})
    refused = {
        "knows none of the text's symbols": foreign,
        "1 LSTM layer of 13 units and 6 trits of embedding, and the recipe 1 LSTM layer of 12 units": export(
            trained(replace(tiny.config, hidden=13), 0), words, {}
        ),
        "1 GRU layer of 12": export(trained(replace(tiny.config, cell="gru"), 0), words, {}),
        "2 LSTM layers of 12": export(trained(replace(tiny.config, layers=2), 0), words, {}),
        "its vocabulary": export(trained(tiny.config, 0), None, {}),
        "must have a head": replace(foreign, head_weight=None, head_bias=None, head_scale=None),
    }
    for message, model in refused.items():
        model.save(tmp_path / "other.trine")
        with pytest.raises(TrineError, match=message):
            train("tiny", start=tmp_path / "other.trine")
    with pytest.raises(TrineError, match="which is not trained now"):
        train("tiny", start=tmp_path / "other.trine", roles=["float"])
    with pytest.raises(TrineError, match="cannot read .*missing.trine"):
        train("tiny", start=tmp_path / "missing.trine")
    assert not list(tmp_path.rglob("*.pt"))
    dense = trained(tiny.config, 0, factor=0.3)
    known = export(dense, sorted(symbols("sea")), {})
    with pytest.raises(TrineError, match=r"lower it to 0\.\d\d"):
        start_from(trained(tiny.config, 1, factor=1.5), known, sorted(symbols("sea")))


def test_a_run_from_a_start_goes_on_to_the_last_bit(tiny, tmp_path):
    """It is hard from its first update, and is taken up with the same start alone."""
    words = list(symbols("sea"))
    start = export(trained(tiny.config, 7, head="float"), words, {})
    recipe = replace(tiny, options=CellOptions(scale="norm", harden=(0.2, 0.9)))
    whole = Run(recipe, "ternary", tmp_path / "whole.pt", start=start)
    np.testing.assert_array_equal(export(whole.model, words, {}).embedding_weight, start.embedding_weight)
    whole.fit()
    assert float(whole.model.layer.hard) == 1
    cut = Run(recipe, "ternary", tmp_path / "cut.pt", start=start)
    step = cut._step

    def stopping(*window):
        assert cut.model.layer.hard == 1 or (cut.epoch, cut.update) == (0, 0)
        if (cut.epoch, cut.update) == (1, 3):
            os.kill(os.getpid(), signal.SIGINT)
        return step(*window)

    cut._step = stopping
    with pytest.raises(TrineError, match="interrupted"):
        cut.fit()
    for other in (None, export(trained(tiny.config, 8, head="float"), words, {})):
        with pytest.raises(TrineError, match="begun with another --start"):
            Run(recipe, "ternary", tmp_path / "cut.pt", start=other).resume()
    last = Run(recipe, "ternary", tmp_path / "cut.pt", start=start)
    last.resume()
    last.fit()
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, last.model.state_dict()[name]), name


def test_the_record_says_what_it_started_from(tiny, tmp_path, monkeypatch):
    words = list(symbols("sea"))
    start = export(trained(tiny.config, 7, head="float"), words, {})
    start.save(tmp_path / "first.trine")
    model = train("tiny", start=tmp_path / "first.trine", roles=["ternary"])
    assert model is not None and model.training["start"] == start.digest().hex()
    monkeypatch.setitem(RECIPES, "tiny", replace(tiny, ternary_head=replace(SCHEDULE, epochs=1)))
    again = train("tiny", roles=["head"], resume=True)  # what is only read needs no start
    assert again is not None and again.heads == ("float", "ternary")
    assert again.training["start"] == start.digest().hex()
    with pytest.raises(TrineError, match=r"first\.trine"):
        train("tiny", start=tmp_path / "first.trine", out=tmp_path / "first.trine", resume=True)
