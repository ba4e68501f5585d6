"""Batches of ragged sequences: what is drawn, what padding does, how training sequences are varied."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.helpers.toy_sequences import toy_archive, toy_recipe  # noqa: E402
from trine_sw.data.loading import load_splits  # noqa: E402
from trine_sw.training.sequences.augmentation import Augmenter  # noqa: E402
from trine_sw.training.sequences.batches import IGNORED, collated, drawn, in_order  # noqa: E402
from trine_sw.training.sequences.loss import loss_of, taught_loss  # noqa: E402
from trine_sw.training.sequences.recipe import Augmentation, Network, Teacher  # noqa: E402
from trine_sw.training.sequences.roles import new_network  # noqa: E402
from trine_sw.training.sequences.statistics import Statistics, loss_weights  # noqa: E402


@pytest.mark.parametrize("seed", range(5))
def test_an_epoch_sees_every_sequence(seed):
    rng = np.random.default_rng(seed)
    count, size = int(rng.integers(1, 200)), int(rng.integers(1, 40))
    lengths = rng.integers(1, 30, count)
    batches = drawn(lengths, size, rng)
    assert {len(batch) for batch in batches} == {min(size, count)}
    seen = np.concatenate(batches)
    assert set(seen) == set(range(count)) and len(seen) < count + size
    measured = np.concatenate(in_order(lengths, size))
    assert sorted(measured) == list(range(count)) and (np.diff(lengths[measured]) >= 0).all()


def test_batches_hold_sequences_of_about_one_length():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 1000, 640)
    spread = np.mean([np.ptp(lengths[batch]) for batch in drawn(lengths, 64, rng)])
    assert spread < 400  # at random it would be near 1000


def test_different_epochs_differ():
    lengths = np.arange(1, 100)
    first, second = (drawn(lengths, 8, np.random.default_rng(seed)) for seed in (0, 1))
    assert not np.array_equal(np.stack(first), np.stack(second))


@pytest.mark.parametrize("role", ["float", "ternary"])
@pytest.mark.parametrize(
    ("task", "reduction"),
    [("classify", "last"), ("classify", "sum"), ("label", "last"), ("regress", "last"), ("regress", "sum")],
)
def test_padding_changes_nothing(tmp_path, task, role, reduction):
    recipe = toy_recipe(toy_archive(tmp_path / "toy.npz", task), task)
    recipe = replace(recipe, network=replace(recipe.network, reduction=reduction))
    train = load_splits(recipe.data, task)["train"]
    network = new_network(recipe, role, 1, train, Statistics.of(train)).eval()
    batch = collated(train.x, train.y, task)
    with torch.no_grad():
        together = network(batch.x, batch.lengths)
        for number, x in enumerate(train.x):
            alone = network(torch.from_numpy(x).unsqueeze(1), torch.tensor([len(x)]))
            mine = together[: len(x), number] if task == "label" else together[number]
            other = alone[:, 0] if task == "label" else alone[0]
            # Ternary ones are exact; a float one's products differ in the last bits with the batch.
            assert torch.equal(mine, other) if role == "ternary" else torch.allclose(mine, other, atol=1e-5)


def test_padded_steps_have_no_gradient(tmp_path):
    recipe = toy_recipe(toy_archive(tmp_path / "toy.npz", "label"), "label")
    train = load_splits(recipe.data, "label")["train"]
    batch = collated(train.x, train.y, "label")
    outputs = torch.randn(*batch.y.shape, 2, requires_grad=True)
    loss_of(outputs, batch.y, "label", 0.1).backward()
    assert outputs.grad is not None
    padded = batch.y == IGNORED
    assert padded.any() and not outputs.grad[padded].any() and outputs.grad[~padded].any()
    taught = torch.randn_like(outputs)
    distance = taught_loss(outputs, taught, batch.y, "label", Teacher())
    changed = torch.where(padded.unsqueeze(-1), taught + 5, taught)
    assert torch.equal(distance, taught_loss(outputs, changed, batch.y, "label", Teacher()))


def test_a_taught_network_that_agrees_has_no_loss():
    outputs = torch.randn(7, 3)
    y = torch.zeros(7, dtype=torch.int64)
    assert taught_loss(outputs, outputs + 2, y, "classify", Teacher()).item() == pytest.approx(0, abs=1e-6)
    assert taught_loss(outputs, -outputs, y, "classify", Teacher()) > 0.1


def test_weights_of_classes(tmp_path):
    rng = np.random.default_rng(0)
    y = np.array(["a"] * 30 + ["b"] * 10)
    np.savez(tmp_path / "x.npz", x=rng.standard_normal((40, 5, 2)), y=y)
    recipe = toy_recipe(tmp_path / "x.npz", "classify")
    train = load_splits(replace(recipe.data, valid=None, test=None), "classify")["train"]
    assert loss_weights(train, False) is None
    weights = loss_weights(train, True)
    assert weights is not None and torch.allclose(weights, torch.tensor([40 / 60, 2.0]))


@pytest.mark.parametrize("seed", range(20))
def test_varied_sequences(seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((int(rng.integers(1, 30)), int(rng.integers(1, 5)))).astype(np.float32)
    mean, deviation = np.zeros(x.shape[1]), np.ones(x.shape[1])
    options = Augmentation(noise=0.1, level=0.1, shift=3, stretch=0.3, mask_steps=4, mask_features=2)
    varied = Augmenter(options, mean, deviation)(x, np.random.default_rng(seed))
    assert varied.dtype == np.float32 and varied.shape[1] == x.shape[1] and len(varied) >= 1
    assert np.isfinite(varied).all() and abs(len(varied) - len(x)) <= 3 + 0.3 * len(x) + 1
    again = Augmenter(options, mean, deviation)(x, np.random.default_rng(seed))
    assert np.array_equal(varied, again)
    # Where each step has a label, steps stay in their places.
    assert len(Augmenter(options, mean, deviation, steps=False)(x, rng)) == len(x)
    assert np.array_equal(Augmenter(Augmentation(), mean, deviation)(x, rng), x)


def test_network_of_a_recipe_has_its_shape(tmp_path):
    recipe = toy_recipe(toy_archive(tmp_path / "toy.npz", "classify"), "classify")
    recipe = replace(recipe, network=Network(cell="lstm", hidden=5, layers=2, cell_shift=2, output_shift=1))
    train = load_splits(recipe.data, "classify")["train"]
    network = new_network(recipe, "ternary", 1, train, Statistics.of(train))
    config = network.layers.config
    assert (config.cell, config.hidden, config.layers, config.embedding) == ("lstm", 5, 2, 6)


def test_a_sum_s_logits_begin_as_large_as_a_last_step_s(tmp_path):
    """However long sequences are: the scale would need a thousand updates to get there."""
    deviations = []
    for reduction in ("last", "sum"):
        network = Network(hidden=16, reduction=reduction)
        recipe = toy_recipe(toy_archive(tmp_path / "toy.npz", "classify", 200), "classify", network=network)
        train = load_splits(recipe.data, recipe.task)["train"]
        made = new_network(recipe, "ternary", 1, train, Statistics.of(train)).eval()
        batch = collated(train.x, list(train.y), "classify")
        deviations.append(made(batch.x, batch.lengths).std().item())
    assert 0.5 < deviations[1] / deviations[0] < 1.5
