"""Trits of a head's rows, chosen by what their errors do to the loss."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.helpers.small_recipe import CONFIG, SCHEDULE, small_recipe  # noqa: E402
from trine_sw.training.loop.run import Run  # noqa: E402
from trine_sw.training.models.head_rounding import best_scale, round_rows  # noqa: E402
from trine_sw.training.models.ternary_model import TernaryLanguageModel  # noqa: E402
from trine_sw.training.nn.layers import CellOptions  # noqa: E402
from trine_sw.training.nn.quantise import ttq  # noqa: E402


def _head(words, units, seen, seed=0):
    """A float head, and what it sees: whole numbers up to 3, some of which go together."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(words, units, generator=generator) * 0.3
    bias = torch.randn(words, generator=generator)
    mix = torch.randn(seen, units // 2, generator=generator) @ torch.randn(
        units // 2, units, generator=generator
    )
    return weight, bias, mix.round().clamp(-3, 3)


def _loss(weight, bias, u, wanted):
    return -(wanted * (u @ weight.T + bias).log_softmax(dim=-1)).sum(dim=-1).mean().item()


def test_one_row_is_as_good_as_the_best_of_all():
    """Of the 3^6 rows of six trits, with the best bias for each, by the loss's second-order form."""
    weight, bias, u = _head(words=5, units=6, seen=400)
    logits = u @ weight.T + bias
    scale = torch.tensor(0.3)
    trits, moved = round_rows(weight[:1], bias[:1], u, logits.logsumexp(dim=-1), scale)
    chance = logits.softmax(dim=-1)[:, 0]
    spread = chance * (1 - chance)

    def cost(row, shift=None):
        error = u @ (row * scale - weight[0])
        shift = -(spread * error).sum() / spread.sum() if shift is None else shift
        return (spread * (error + shift).square()).sum().item()

    every = [cost(torch.tensor(row)) for row in itertools.product((-1.0, 0.0, 1.0), repeat=6)]
    assert cost(trits[0], moved[0] - bias[0]) == pytest.approx(min(every), rel=0.01)
    nearest = cost((weight[0] / scale).round().clamp(-1, 1))
    assert nearest > 1.05 * min(every)  # the case is none where rounding alone would do


def test_rounded_rows_predict_more_like_the_float_head():
    weight, bias, u = _head(words=40, units=30, seen=3000)
    logits = u @ weight.T + bias
    scale = best_scale(weight, bias, u, ttq(weight))
    trits, moved = round_rows(weight, bias, u, logits.logsumexp(dim=-1), scale)
    assert set(trits.unique().tolist()) <= {-1.0, 0.0, 1.0}
    wanted = logits.softmax(dim=-1)
    floor = _loss(weight, bias, u, wanted)
    plain = _loss(ttq(weight) * scale, bias, u, wanted) - floor
    rounded = _loss(trits * scale, moved, u, wanted) - floor
    assert 0 < rounded < 0.6 * plain


def test_best_scale_is_the_best_of_those_tried():
    weight, bias, u = _head(words=40, units=30, seen=500)
    trits = ttq(weight)
    wanted = (u @ weight.T + bias).softmax(dim=-1)
    scale = best_scale(weight, bias, u, trits)
    found = _loss(trits * scale, bias, u, wanted)
    for other in (0.8, 0.9, 1.1, 1.2):
        assert found <= _loss(trits * scale * other, bias, u, wanted) + 1e-3


def test_rows_are_set_and_the_others_stay():
    torch.manual_seed(0)
    config = replace(CONFIG, vocab_size=50)
    model = TernaryLanguageModel(config, CellOptions(), one_threshold=True)
    before = model.head_integers()[0].clone()
    words = torch.tensor([3, 40, 7])
    trits = torch.randint(-1, 2, (3, config.hidden)).float()
    model.set_head_rows(words, trits, torch.tensor([1.0, 2.0, 3.0]))
    after = model.head_integers()[0]
    assert torch.equal(after[words], trits)
    assert model.head_bias[words].tolist() == [1.0, 2.0, 3.0]
    rest = torch.ones(50, dtype=torch.bool)
    rest[words] = False
    assert (after[rest] == before[rest]).float().mean() > 0.95  # the threshold moves with the mean


@pytest.fixture
def finished(sea, monkeypatch, tmp_path):
    """A recipe whose head's ten first rows are rounded, and its finished ternary model."""
    recipe = small_recipe(sea, monkeypatch)
    head = replace(SCHEDULE, epochs=1, learning_rate=1e-5, dropout=0.0)
    recipe = replace(recipe, ternary_head=head, rounded_rows=10)
    first = Run(recipe, "ternary", tmp_path / "ternary.pt")
    first.fit()
    return recipe, {"ternary": first.best_model()}


def _watched(run):
    """The head's trits before each of the run's updates."""
    seen, step = [], run._step

    def watching(inputs, targets):
        seen.append(run.model.head_integers()[0].clone())
        return step(inputs, targets)

    run._step = watching
    return seen


def test_a_run_of_a_head_begins_with_rounded_rows(finished, tmp_path):
    """Those of the ten most frequent words, whose trits no threshold gives."""
    recipe, ready = finished
    begun = {}
    for rows in (0, 10):
        run = Run(replace(recipe, rounded_rows=rows), "head", tmp_path / f"{rows}.pt", ready=ready)
        seen = _watched(run)
        run.fit()
        begun[rows] = seen[0]
    counts = np.bincount(run.tokens, minlength=len(begun[0]))
    order = torch.from_numpy(np.argsort(-counts, kind="stable").copy())
    changed = (begun[0] != begun[10]).sum(dim=1)[order]
    assert changed[:10].sum() >= 5 and changed[10:].sum() <= 1  # the threshold moves with the mean of all


def test_a_resumed_head_is_not_rounded_again(finished, tmp_path):
    recipe, ready = finished
    whole = Run(recipe, "head", tmp_path / "whole.pt", ready=ready)
    whole.fit()

    broken = Run(recipe, "head", tmp_path / "broken.pt", ready=ready)
    step = broken._step

    def failing(inputs, targets):
        if broken.update == 3:
            broken.save()
            raise RuntimeError
        return step(inputs, targets)

    broken._step = failing
    with pytest.raises(RuntimeError):
        broken.fit()
    again = Run(recipe, "head", tmp_path / "broken.pt", ready=ready)
    again.resume()
    again.fit()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name])
