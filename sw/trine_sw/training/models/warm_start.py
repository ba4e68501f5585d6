"""A ternary model that starts from the weights of a trained float one."""

from typing import Any

import torch
from torch import Tensor

from trine_sw.support.errors import TrineError
from trine_sw.training.models.float_model import FloatLanguageModel
from trine_sw.training.models.ternary_model import TernaryLanguageModel
from trine_sw.training.nn.quantise import TTQ_FACTOR, mean_size, ttq
from trine_sw.training.nn.soft_cell import SoftLSTM

__all__ = ["warm_start"]


@torch.no_grad()
def warm_start(model: TernaryLanguageModel, trained: FloatLanguageModel) -> None:
    """Put the weights of ``trained``, of the same shape, into ``model``.

    Every row keeps its size: an embedding's trit stands for a number as large as those that it replaces, so
    the first layer's columns of x grow by that, and the gain of a row of ``scale="norm"`` makes its trits as
    large as it was.
    The head sees levels up to the last one where it saw numbers up to 1.
    """
    given: Any = getattr(trained, trained.config.cell)
    shape, other = (
        (of.cell, of.layers, of.hidden, of.embedding, of.vocab_size) for of in (model.config, trained.config)
    )
    if shape != other or isinstance(given, SoftLSTM):
        raise TrineError("a warm start needs a plain float model of the same cell and sizes")
    model.embedding.copy_(trained.embedding.weight)
    sizes = [_size(trained.embedding.weight, model.embedding_factor), *[1.0] * (model.config.layers - 1)]
    for number, size in enumerate(sizes):
        _layer(model, number, given, size)
    top = model.config.head_levels[-1]
    model.head_bias.copy_(trained.head.bias)
    if model.head is not None:
        model.head.copy_(trained.head.weight / top)
    if model.log_head_scale is not None:
        model.log_head_scale.copy_((_size(trained.head.weight) / top).log())


def _layer(model: TernaryLanguageModel, number: int, given: Any, size: float | Tensor) -> None:
    """One layer, whose x is trits that stand for numbers of this size."""
    layer = model.stack[number]
    of_x, of_h, bias_x, bias_h = (
        getattr(given, f"{part}_l{number}") for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    weight = torch.cat([of_x * size, of_h], dim=1)
    spec = model.config.spec
    # From the order of the float cell's rows to that of the ternary layer's.
    order = [spec.float_gates.index(name) for name in spec.weight_gates]
    weight, bias_x, bias_h = (
        torch.cat([part.chunk(len(order))[n] for n in order]) for part in (weight, bias_x, bias_h)
    )
    if spec.has_reset:
        split = -model.config.hidden  # n's come last, and stay apart
        layer.bias.copy_(torch.cat([bias_x[:split] + bias_h[:split], bias_x[split:], bias_h[split:]]))
    else:
        layer.bias.copy_(bias_x + bias_h)
    layer.weight.copy_(weight)
    if layer.gain is not None:
        trits = ttq(weight).abs()
        count = trits.sum(dim=1).clamp_min(1)
        layer.gain.copy_((weight.abs() * trits).sum(dim=1) / count.sqrt())


def _size(weight: Tensor, factor: float = TTQ_FACTOR) -> Tensor:
    """Mean magnitude of the numbers that are quantised to +1 or -1."""
    return mean_size(weight, ttq(weight, factor))
