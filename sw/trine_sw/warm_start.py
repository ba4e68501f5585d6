"""A ternary model that starts from the weights of a trained float one."""

from typing import Any

import torch
from torch import Tensor, nn

from trine_sw.errors import TrineError
from trine_sw.language_model import FloatLanguageModel, TernaryLanguageModel
from trine_sw.quantise import TTQ_FACTOR, ttq

__all__ = ["warm_start"]


@torch.no_grad()
def warm_start(model: TernaryLanguageModel, trained: FloatLanguageModel) -> None:
    """Put the weights of ``trained``, of the same shape, in the place of those of ``model``.

    Every row keeps its size: an embedding's trit stands for a number as large as those that it replaces, so
    x's columns grow by that, and the gain of a row of ``scale="norm"`` makes its trits as large as it was.
    The head sees levels up to the last one where it saw numbers up to 1.
    """
    layer = model.layer
    given: Any = getattr(trained, trained.config.cell)
    shape = (model.config.cell, model.config.hidden, model.config.embedding, model.config.vocab_size)
    other = (trained.config.cell, trained.config.hidden, trained.config.embedding, trained.config.vocab_size)
    if shape != other or type(given) not in (nn.LSTM, nn.GRU):
        raise TrineError("a warm start needs a plain float model of the same cell and sizes")
    model.embedding.copy_(trained.embedding.weight)
    of_x = given.weight_ih_l0 * _size(trained.embedding.weight, model.embedding_factor)
    weight = torch.cat([of_x, given.weight_hh_l0], dim=1)
    bias_x, bias_h = given.bias_ih_l0, given.bias_hh_l0
    if model.config.cell == "gru":  # PyTorch's rows are r, z, n
        weight, bias_x, bias_h = (_swapped(part) for part in (weight, bias_x, bias_h))
        gates = 2 * model.config.hidden
        layer.bias.copy_(torch.cat([bias_x[:gates] + bias_h[:gates], bias_x[gates:], bias_h[gates:]]))
    else:
        layer.bias.copy_(bias_x + bias_h)
    layer.weight.copy_(weight)
    if layer.gain is not None:
        trits = ttq(weight).abs()
        count = trits.sum(dim=1).clamp_min(1)
        layer.gain.copy_((weight.abs() * trits).sum(dim=1) / count.sqrt())
    top = model.config.head_levels[-1]
    model.head_bias.copy_(trained.head.bias)
    if model.head is not None:
        model.head.copy_(trained.head.weight / top)
    if model.log_head_scale is not None:
        model.log_head_scale.copy_((_size(trained.head.weight) / top).log())


def _size(weight: Tensor, factor: float = TTQ_FACTOR) -> Tensor:
    """Mean magnitude of the numbers that are quantised to +1 or -1."""
    trits = ttq(weight, factor).abs()
    return (weight.abs() * trits).sum() / trits.sum().clamp_min(1)


def _swapped(rows: Tensor) -> Tensor:
    first, second, third = rows.chunk(3)
    return torch.cat([second, first, third])
