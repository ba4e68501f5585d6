"""Distributions of a trained LSTM's weights, and of its gates over a text."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trine_sw.training.models.float_model import FloatLanguageModel
from trine_sw.training.models.ternary_model import TernaryLanguageModel

__all__ = ["distributions"]

_BINS = 40
_SPREAD = 4.0  # weights are shown up to this many times the mean magnitude of their row


@torch.no_grad()
def distributions(model: TernaryLanguageModel | FloatLanguageModel, tokens: NDArray[np.integer]) -> Any:
    """Histograms of the weights, over the mean size of their row, and of each soft gate over tokens (T,).

    A histogram is ``edges`` (n + 1) and ``shares`` (n) of all numbers. With a ternary model, ``values`` has
    what these are quantised to and how often. None for another cell than nn.LSTM or the ternary LSTM.
    """
    model.eval()
    ids = torch.from_numpy(np.asarray(tokens, np.int64))[:, None].to(model.head_in_nats()[0].device)
    layer: Any = getattr(model, model.config.cell)
    names = model.config.spec.gate_names
    if isinstance(model, TernaryLanguageModel) and model.config.cell == "lstm":
        weight = layer.weight
        trits, scale = layer.quantised()
        _, _, h = model(ids, model.initial_state(1))
        inputs = torch.cat([model.embedding_trits()[ids], _before(h)], dim=-1)[:, 0]
        z = layer.preactivation(inputs @ trits.T, scale.squeeze(1), layer.offset)
        values: Sequence[Tensor | None] = layer.gate_values(z)
        quantised: Tensor | None = trits
        slope = layer.options.slope
    elif isinstance(model, FloatLanguageModel) and model.quantisers is None and model.config.cell == "lstm":
        weight = torch.cat([layer.weight_ih_l0, layer.weight_hh_l0], dim=1)
        _, _, h = model(ids, model.initial_state(1))
        inputs = torch.cat([model.embedding.weight[ids], _before(h)], dim=-1)[:, 0]
        z = inputs @ weight.T + layer.bias_ih_l0 + layer.bias_hh_l0
        values, quantised, slope = [None] * len(names), None, 1.0
    else:
        return None
    gates: dict[str, Any] = {}
    for name, part, value in zip(names, z.chunk(len(names), dim=-1), values, strict=True):
        soft = torch.tanh(slope * part) if name == "g" else torch.sigmoid(slope * part)
        gates[name] = _histogram(soft, -1.0 if name == "g" else 0.0, 1.0, value)
    relative = weight / weight.abs().mean(dim=1, keepdim=True).clamp_min(1e-12)
    return {"weight": _histogram(relative, -_SPREAD, _SPREAD, quantised), "gates": gates}


def _before(h: Tensor) -> Tensor:
    """The h that each step starts from, of h (T, 1, H)."""
    return torch.cat([torch.zeros_like(h[:1]), h[:-1]])


def _histogram(numbers: Tensor, low: float, high: float, values: Tensor | None) -> dict[str, Any]:
    clamped = numbers.detach().float().cpu().clamp(low, high).numpy()
    counts, edges = np.histogram(clamped, _BINS, (low, high))
    made: dict[str, Any] = {
        "edges": [round(float(edge), 4) for edge in edges],
        "shares": [round(float(count / clamped.size), 6) for count in counts],
    }
    if values is not None:
        kinds, of_kind = np.unique(values.detach().cpu().numpy() + 0.0, return_counts=True)
        made["values"] = {f"{kind:g}": round(float(n / values.numel()), 6)
                          for kind, n in zip(kinds, of_kind, strict=True)}  # fmt: skip
    return made
