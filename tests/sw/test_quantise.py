"""The quantisers: values, gradients, and the examples in their documentation."""

import doctest

import pytest

torch = pytest.importorskip("torch")

from trine_sw.model import trits  # noqa: E402
from trine_sw.training.nn import quantise, soft_cell  # noqa: E402
from trine_sw.training.nn.quantise import btq, round_straight_through, row_scale, ttq, uniform  # noqa: E402


@pytest.mark.parametrize("module", [quantise, soft_cell, trits])
def test_examples(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    "function",
    [ttq, btq, lambda value: uniform(value, 4), round_straight_through],
    ids=["ttq", "btq", "uniform", "round"],
)
def test_gradients_go_straight_through(function):
    value = torch.randn(5, 7, requires_grad=True)
    weights = torch.randn(5, 7)
    (function(value) * weights).sum().backward()
    torch.testing.assert_close(value.grad, weights, rtol=0, atol=0)


def test_ttq_is_of_each_row():
    weight = torch.randn(30, 50) * torch.logspace(-3, 3, 30).unsqueeze(1)
    values = ttq(weight)
    assert set(values.unique().tolist()) == {-1.0, 0.0, 1.0}
    density = values.abs().mean(dim=1)
    assert density.min() > 0.35 and density.max() < 0.8  # 57 % of normal weights are above 0.7 E|w|
    assert not ttq(torch.zeros(2, 3)).any()


def test_alpha_is_the_best_scale():
    weight = torch.randn(4, 40)
    values = ttq(weight)
    alpha = row_scale(weight, values, "alpha")
    error = ((weight - alpha * values) ** 2).sum()
    for factor in (0.95, 1.05):
        assert ((weight - factor * alpha * values) ** 2).sum() > error
    assert row_scale(torch.zeros(1, 3), torch.zeros(1, 3), "norm").isfinite().all()
    torch.testing.assert_close((row_scale(weight, values, "norm") * values).norm(dim=1), torch.ones(4))


def test_a_row_in_another_order_has_the_same_threshold_and_scale():
    """As on another device, which sums in another order."""
    torch.manual_seed(0)
    weight, order = torch.randn(2000, 300), torch.randperm(300)
    trits = ttq(weight)
    assert (ttq(weight[:, order]) == trits[:, order]).all()
    for scale in ("alpha", "norm"):
        assert (row_scale(weight[:, order], trits[:, order], scale) == row_scale(weight, trits, scale)).all()
    counts = trits.abs().sum(dim=-1, keepdim=True).double()
    assert (row_scale(weight, trits, "norm") == (1 / counts.sqrt()).float()).all()


@pytest.mark.parametrize("value", [-0.8, -0.2, 0.0, 0.5])
def test_bernoulli_has_the_value_as_its_mean(value):
    drawn = btq(torch.full((20_000,), value), True, torch.Generator().manual_seed(3))
    assert abs(drawn.mean().item() - value) < 0.015
    assert set(drawn.unique().tolist()) <= {-1.0, 0.0, 1.0}
    assert (drawn * value >= 0).all()
