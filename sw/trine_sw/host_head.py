"""A float head that the host computes from what the ternary layer gives."""

import numpy as np
from numpy.typing import NDArray

from trine_sw.errors import TrineError
from trine_sw.model import Model

__all__ = ["HostHead"]


class HostHead:
    """The float head of a model: real logits of u, in float32 of float16 weights."""

    def __init__(self, model: Model) -> None:
        if model.host_head_weight is None or model.host_head_bias is None:
            raise TrineError("the model has no float head")
        self._weight = np.ascontiguousarray(model.host_head_weight.astype(np.float32).T)
        self._bias = model.host_head_bias.astype(np.float32)

    def logits(self, u: NDArray[np.integer]) -> NDArray[np.float32]:
        """Real logits (..., V) of head inputs u (..., H)."""
        return u.astype(np.float32) @ self._weight + self._bias
