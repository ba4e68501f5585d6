"""From a trained model to integers: every real number folds into a threshold."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from trine_sw.cell_torch import TernaryLSTM
from trine_sw.language_model import TernaryLanguageModel
from trine_sw.model import Layer, Model

__all__ = ["export", "fold_thresholds"]


@torch.no_grad()
def export(model: TernaryLanguageModel, vocabulary: list[str], training: dict[str, Any]) -> Model:
    """The model whose golden run equals ``model`` in evaluation mode, in every h, c and integer logit."""
    trits, scale = model.lstm.quantised()
    head_weight, head_bias, head_scale = model.head_integers()
    return Model(
        config=model.config,
        layers=[Layer(_integers(trits, np.int8), fold_thresholds(model.lstm, scale.squeeze(1)))],
        embedding_weight=_integers(model.embedding_trits(), np.int8),
        head_weight=_integers(head_weight, np.int8),
        head_bias=_integers(head_bias, np.int32),
        head_scale=float(head_scale),
        vocabulary=vocabulary,
        training=training,
    )


@torch.no_grad()
def fold_thresholds(lstm: TernaryLSTM, scale: Tensor) -> np.ndarray:
    """Integer thresholds int32 (4H, 2) of a layer whose rows have the real scales (4H,).

    Exact, because nothing is solved: z of every sum that a row can reach is computed in the very
    floating-point operations of evaluation, and since z never falls as the sum grows, the number of sums
    below z's threshold is the place of the integer one.
    """
    size, reach = lstm.config.hidden, lstm.config.columns
    sums = torch.arange(-reach, reach + 1, dtype=scale.dtype).unsqueeze(1)  # (2 reach + 1, 1)
    z = lstm.preactivation(sums, scale, lstm.bias)
    high = (z < lstm.high).sum(dim=0) - reach  # the lowest sum with z >= high; reach + 1 where none has
    low = high.clone()
    f, g = slice(size, 2 * size), slice(2 * size, 3 * size)
    low[f] = (z[:, f] < lstm.low[:size]).sum(dim=0) - reach
    low[g] = (z[:, g] <= lstm.low[size:]).sum(dim=0) - reach - 1  # the highest sum with z <= low
    return torch.stack([low, high], dim=1).to(torch.int32).numpy()


def _integers(values: Tensor, dtype: type) -> np.ndarray:
    return values.detach().numpy().astype(dtype)
