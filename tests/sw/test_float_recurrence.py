"""The float LSTM layer whose products may be short against PyTorch's: outputs and gradients."""

import pytest
import torch
from torch import nn

from trine_sw.training.nn.float_recurrence import float_lstm
from trine_sw.training.nn.recurrence import Numerics
from trine_sw.training.nn.regularised import RegularisedLayers


def figures(layer: nn.LSTM, numerics: Numerics | None, seed: int) -> list[torch.Tensor]:
    """h, the last h and c, and gradients by x, h, c, weights and bias; by PyTorch's layer where None."""
    draw = torch.Generator().manual_seed(seed)
    steps, streams, inputs, units = 9, 3, layer.input_size, layer.hidden_size
    x = torch.randn(steps, streams, inputs, generator=draw, requires_grad=True)
    h = torch.randn(streams, units, generator=draw).tanh().requires_grad_()
    c = torch.randn(streams, units, generator=draw, requires_grad=True)
    given = [x, h, c, layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0]
    if numerics is None:
        made, (last_h, last_c) = layer(x, (h[None], c[None]))
        last_h, last_c = last_h[0], last_c[0]
    else:
        bias = layer.bias_ih_l0 + layer.bias_hh_l0
        made, last_h, last_c = float_lstm(x, layer.weight_ih_l0, layer.weight_hh_l0, bias, h, c, numerics)
    weights = [torch.randn(part.shape, generator=draw) for part in (made, last_h, last_c)]
    total = sum((part * by).sum() for part, by in zip((made, last_h, last_c), weights, strict=True))
    assert isinstance(total, torch.Tensor)
    return [made, last_h, last_c, *torch.autograd.grad(total, given)]


@pytest.mark.parametrize("seed", range(4))
def test_equals_pytorchs_layer(seed: int):
    torch.manual_seed(seed)
    layer = nn.LSTM(5 + seed, 7 - seed)
    for own, theirs in zip(figures(layer, Numerics(), seed), figures(layer, None, seed), strict=True):
        torch.testing.assert_close(own, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_short_products_differ_by_their_rounding(seed: int):
    torch.manual_seed(seed)
    layer = nn.LSTM(40, 48)
    own, theirs = figures(layer, Numerics(torch.bfloat16), seed), figures(layer, None, seed)
    for mine, right in zip(own, theirs, strict=True):
        assert (mine - right).norm() < 0.02 * right.norm()
    assert not torch.equal(own[0], theirs[0])


def test_layers_train_by_it_and_are_evaluated_by_pytorchs():
    torch.manual_seed(0)
    layers = RegularisedLayers("lstm", 24, 32, 2)
    x, zero = torch.randn(6, 2, 24), torch.zeros(2, 2, 32)
    exact, (exact_h, _) = layers(x, (zero, zero))
    layers.numerics = Numerics(torch.bfloat16)
    short, (short_h, _) = layers(x, (zero, zero))
    assert not torch.equal(short, exact)
    torch.testing.assert_close(short, exact, rtol=0.05, atol=0.01)
    torch.testing.assert_close(short_h, exact_h, rtol=0.05, atol=0.01)
    again, _ = layers.eval()(x, (zero, zero))
    assert torch.equal(again, exact)


def test_dropped_recurrent_weights_are_made_up_for():
    torch.manual_seed(0)
    layers = RegularisedLayers("lstm", 24, 300, recurrent=0.3)
    kept = []
    for _ in range(2):
        layers.zero_grad()
        h, _ = layers(torch.zeros(2, 1, 24), (torch.ones(1, 1, 300), torch.zeros(1, 1, 300)))
        h.sum().backward()
        kept.append((layers.weight_hh_l0.grad != 0).float().mean().item())
    assert kept == pytest.approx([0.7, 0.7], abs=0.02)
