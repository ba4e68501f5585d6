"""Export of a trained model to integers: each real number becomes part of a threshold."""

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trine_sw.model import Encoder, Layer, Model
from trine_sw.support.errors import TrineError
from trine_sw.training.models.network_parts import NetworkParts
from trine_sw.training.models.ternary_model import TernaryLanguageModel
from trine_sw.training.nn.layers import TernaryLayer
from trine_sw.training.nn.states import TRITS

__all__ = ["export", "export_network", "fold_thresholds"]


@torch.no_grad()
def export(
    model: TernaryLanguageModel,
    vocabulary: list[str] | None,
    training: dict[str, Any],
    second: TernaryLanguageModel | None = None,
) -> Model:
    """The model whose golden run equals ``model`` in evaluation mode, in every h, c and integer logit.

    A float head is rounded to float16. ``second`` has the same cell, and a head of the other kind, which
    goes into the file too. What is folded is what the CPU computes, wherever the model was trained.
    """
    if model.head_bias.device.type != "cpu":
        model = copy.deepcopy(model).cpu()
    if model.states != TRITS:
        raise TrineError("only a model of three states can be exported: the engine runs no other")
    _check_finite(model.embedding, *([] if model.head is None else [model.head]))
    heads = _head(model)
    if second is not None:
        heads |= _head(second if second.head_bias.device.type == "cpu" else copy.deepcopy(second).cpu())
    return Model(
        config=model.config,
        layers=[_layer(layer) for layer in model.stack],
        embedding_weight=_integers(model.embedding_trits(), np.int8),
        **heads,
        vocabulary=vocabulary,
        training=training,
    )


@torch.no_grad()
def export_network(parts: NetworkParts, description: dict[str, Any]) -> Model:
    """The model of recurrent layers, with encoder and head where there are any; without an embedding.

    ``description`` holds further members of :class:`Model`: its task, labels, inputs, and so on.
    """
    layers, encoder, head = parts = copy.deepcopy(parts)
    for part in parts:
        if isinstance(part, nn.Module):
            part.cpu().eval()
    members: dict[str, Any] = dict(description)
    config = layers.config
    if encoder is not None:
        members["encoder"] = encoder if isinstance(encoder, Encoder) else encoder.to_model()
    if head is not None:
        _check_finite(head.weight)
        weight, bias, scale = head.integers()
        config = replace(config, vocab_size=head.out_features)
        members |= {"head_weight": _integers(weight, np.int8), "head_bias": _integers(bias, np.int32)}
        members["head_scale"] = 1.0 if head.offset is not None else float(scale)
        if head.offset is not None:
            members["output_scale"] = scale.double().numpy()
            members["output_offset"] = head.offset.double().numpy()
    return Model(config=config, layers=[_layer(layer) for layer in layers.stack], **members)


def _layer(layer: TernaryLayer) -> Layer:
    trits, scale = layer.quantised()
    if not all(bool(torch.isfinite(part).all()) for part in (scale, layer.offset)):
        raise TrineError("a layer's scales or biases are no numbers: its training has diverged")
    threshold, reset = fold_thresholds(layer, scale.squeeze(1))
    return Layer(_integers(trits, np.int8), threshold, reset)


def _head(model: TernaryLanguageModel) -> dict[str, Any]:
    if model.head_kind == "float":
        weight, bias = model.head_in_nats()
        return {"host_head_weight": weight.half().numpy(), "host_head_bias": bias.half().numpy()}
    weight, bias, scale = model.head_integers()
    return {
        "head_weight": _integers(weight, np.int8),
        "head_bias": _integers(bias, np.int32),
        "head_scale": float(scale),
    }


@torch.no_grad()
def fold_thresholds(layer: TernaryLayer, scale: Tensor) -> tuple[np.ndarray, np.ndarray | None]:
    """Integer thresholds int32 (rows, 2) of a layer whose rows have the real scales (rows,); n's without h.

    Exact, because nothing is solved: z of every sum that a row can reach is computed in the very
    floating-point operations of evaluation, and since z never falls as the sum grows, the number of sums
    below z's threshold is the place of the integer one.
    """
    bounds = _folded(layer, scale, layer.folding_bias(reset=False))
    if not layer.config.spec.has_reset:
        return bounds.flatten(0, 1).numpy(), None
    reset = _folded(layer, scale, layer.folding_bias(reset=True))[layer.config.spec.candidate]
    return bounds.flatten(0, 1).numpy(), reset.numpy()


def _folded(layer: TernaryLayer, scale: Tensor, bias: Tensor) -> Tensor:
    """Thresholds (gates, H, 2) of all gates."""
    spec, reach = layer.config.spec, layer.config.columns
    sums = torch.arange(-reach, reach + 1, dtype=scale.dtype).unsqueeze(1)  # (2 reach + 1, 1)
    z = layer.preactivation(sums, scale, bias).unflatten(1, (spec.rows, -1))
    high = (z < layer.high.unflatten(0, (spec.rows, -1))).sum(dim=0) - reach  # the lowest sum with z >= high
    low = high.clone()
    blend, trit = spec.blend, spec.candidate
    low_blend, low_trit = layer.low.chunk(2)
    low[blend] = (z[:, blend] < low_blend).sum(dim=0) - reach
    low[trit] = (z[:, trit] <= low_trit).sum(dim=0) - reach - 1  # the highest sum with z <= low
    bounds = torch.stack([low, high], dim=-1).to(torch.int32)
    bounds[[gate.kind is None for gate in spec.gates]] = 0
    return bounds


def _check_finite(*weights: Tensor) -> None:
    """Raise :class:`TrineError` where a weight is no number, of which a trit would be 0."""
    if not all(bool(torch.isfinite(weight).all()) for weight in weights):
        raise TrineError("a weight is no number: training has diverged")


def _integers(values: Tensor, dtype: type) -> np.ndarray:
    exact = values.detach().double().numpy()
    limit = float(np.iinfo(dtype).max)
    if not (np.abs(exact) <= limit).all():  # nor where one is NaN
        raise TrineError(
            f"a weight or a bias is no number, or its integer is beyond {limit:.0f}: training has diverged"
        )
    return exact.astype(dtype)
