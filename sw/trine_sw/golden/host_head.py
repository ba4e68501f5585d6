"""A float head that the host computes from what the ternary layer gives; the choice between two heads."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trine_sw.golden import Golden, check_head_inputs
from trine_sw.model import HeadKind, Model
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = ["HostHead", "Logits", "head_of"]

Logits = Callable[[NDArray[Any]], NDArray[Any]]
"""Head inputs u (..., H) -> logits (..., V)."""


class HostHead:
    """The float head of a model: real logits of u, in float32 of float16 weights."""

    def __init__(self, model: Model) -> None:
        if model.host_head_weight is None or model.host_head_bias is None:
            raise TrineError("the model has no float head")
        self._config = model.config
        self._weight = np.ascontiguousarray(model.host_head_weight.astype(np.float32).T)
        self._bias = model.host_head_bias.astype(np.float32)

    def logits(self, u: NDArray[np.integer]) -> NDArray[np.float32]:
        """Real logits (..., V) of head inputs u (..., H)."""
        return check_head_inputs(u, self._config).astype(np.float32) @ self._weight + self._bias


def head_of(model: Model, kind: HeadKind | None = None, golden: Golden | None = None) -> tuple[Logits, float]:
    """The head of that kind, or the model's first, and what its logits are to be multiplied by to be real.

    ``golden`` is the model's, where there is one already. Raises :class:`TrineError` where there is no such
    head.
    """
    if not model.heads:
        raise TrineError("the model has no head: there is nothing to measure")
    kind = model.heads[0] if kind is None else kind
    if not isinstance(kind, str) or kind not in model.heads:
        what = kind if isinstance(kind, str) and kind in ("float", "ternary") else shown(kind)
        raise TrineError(f"the model has no {what} head, but a {model.heads[0]} one")
    if kind == "float":
        return HostHead(model).logits, 1.0
    assert model.head_scale is not None
    return (golden or Golden(model)).logits, model.head_scale
