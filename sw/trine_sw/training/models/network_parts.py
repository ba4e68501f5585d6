"""The parts of a network that a model file has: encoder, recurrent layers, head, found by their types."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import nn

from trine_sw.model import Encoder
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError
from trine_sw.training.nn.encoder import TernaryEncoder
from trine_sw.training.nn.layer_stack import TernaryRNN
from trine_sw.training.nn.linear import TernaryLinear

__all__ = ["NetworkParts", "find_parts"]

_LAYERS = "TernaryLSTM, TernaryGRU or TernaryMGU"


class NetworkParts(NamedTuple):
    """What of a network goes into a model file."""

    layers: TernaryRNN
    encoder: TernaryEncoder | Encoder | None = None
    head: TernaryLinear | None = None


def find_parts(network: Any, encoder: Any = None, head: Any = None) -> NetworkParts:
    """The parts of a network, or layers with an encoder and a head that are given beside them.

    Raises :class:`TrineError` where a part is missing or there is more than one, or their sizes do not fit.
    """
    if not isinstance(network, nn.Module):
        raise TrineError(f"network must be a torch.nn.Module with a {_LAYERS}, not {shown(network)}")
    layers = _only(network, TernaryRNN, _LAYERS)
    if layers is None:
        kind = type(network).__name__
        raise TrineError(
            f"network must be a TernaryLanguageModel or hold one {_LAYERS} of trine.nn, and {kind} has none"
        )
    if any(layer.weight.dtype != torch.float32 for layer in layers.stack):
        raise TrineError("the layers compute in float32: call float() on them")
    found = NetworkParts(
        layers,
        _given(encoder, (TernaryEncoder, Encoder), "encoder")
        or _only(network, TernaryEncoder, "TernaryEncoder"),
        _given(head, (TernaryLinear,), "head") or _only(network, TernaryLinear, "TernaryLinear"),
    )
    size = layers.input_size
    if found.encoder is not None:
        size = found.encoder.size if isinstance(found.encoder, Encoder) else found.encoder.out_features
    if size != layers.input_size:
        raise TrineError(
            f"the encoder makes {size} trits, and the layers take {layers.input_size}: set input_size to that"
        )
    if found.head is None and (other := _linear(network, layers.hidden_size)):
        raise TrineError(
            f"{other} is a torch.nn.Linear, whose real weights no board computes: make it a TernaryLinear, "
            "or export the layers alone"
        )
    if found.head is not None and found.head.in_features != layers.hidden_size:
        sizes = f"{found.head.in_features} inputs, and the layers have {layers.hidden_size} units"
        raise TrineError(f"the head takes {sizes}: set in_features to the layers' hidden_size")
    return found


def _only(network: nn.Module, kind: type, name: str) -> Any:
    """The one module of that kind, which may have several names; None where there is none."""
    found = {id(part): (path, part) for path, part in network.named_modules() if isinstance(part, kind)}
    if len(found) > 1:
        paths = ", ".join(path for path, _ in found.values())
        raise TrineError(
            f"network has {len(found)} of {name} ({paths}), and a model file has one: export the parts that "
            "belong together"
        )
    return next((part for _, part in found.values()), None)


def _linear(network: nn.Module, size: int) -> str | None:
    """The name of a float head of so many inputs."""
    of_size = (
        path
        for path, part in network.named_modules()
        if isinstance(part, nn.Linear) and part.in_features == size
    )
    return next(of_size, None)


def _given(part: Any, kinds: tuple[type, ...], name: str) -> Any:
    if part is not None and not isinstance(part, kinds):
        named = " or ".join(kind.__name__ for kind in kinds)
        raise TrineError(f"{name} must be a {named}, not {shown(part)}")
    return part
