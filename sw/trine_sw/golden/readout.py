"""Readout of a model: the outputs of a sequence, made of what its head sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trine_sw.golden.golden import check_head_inputs
from trine_sw.model import HeadKind, Model
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = ["Outputs", "Readout"]


@dataclass(frozen=True)
class Outputs:
    """What a model made of N sequences.

    Members
    -------
    classes : int64 (N,) of the task ``"classify"``, a list of int64 (T,) of ``"label"``, None of a regression
    logits : (N, K) after the reduction, int64 of a ternary head and float64 of a float one; None of
        ``"label"``
    values : float64 (N, K) of a regression, otherwise None
    """

    classes: NDArray[np.int64] | list[NDArray[np.int64]] | None
    logits: NDArray[Any] | None
    values: NDArray[np.float64] | None


class Readout:
    """A head and a reduction.

    Logits are linear in u, so those of several steps added up are W · sum(u) + steps · bias. The sums of a
    ternary head are exact; those of a float one are of float64, in which sums of float16 weights are exact
    for all but extreme weights.

    Parameters
    ----------
    model : whose task is not language
    kind : of its heads; by default the first

    Raises
    ------
    TrineError
        If the model has no such head, or its task is language.
    """

    def __init__(self, model: Model, kind: HeadKind | None = None) -> None:
        if model.task == "language":
            raise TrineError(
                "the model is a language model: it predicts tokens, and has no outputs of a sequence"
            )
        if not model.heads:
            raise TrineError("the model has no head: it gives states, and nothing makes outputs of them")
        kind = model.heads[0] if kind is None else kind
        if not isinstance(kind, str) or kind not in model.heads:
            raise TrineError(f"the model has no head {shown(kind)}, but a {model.heads[0]} one")
        self.model = model
        self.kind: HeadKind = kind
        ternary = kind == "ternary"
        weight, bias = (
            (model.head_weight, model.head_bias)
            if ternary
            else (model.host_head_weight, model.host_head_bias)
        )
        assert weight is not None and bias is not None
        self._weight = np.ascontiguousarray(weight.astype(np.float64).T)
        self._bias = bias.astype(np.float64)
        #: Of logits: int64, or float64 of a float head.
        self.logit_type = np.int64 if ternary else np.float64

    @property
    def every_step(self) -> bool:
        """Whether the head sees every step of a sequence, or its last one alone."""
        return self.model.task == "label" or self.model.reduction == "sum"

    def logits(self, u: NDArray[np.integer], steps: int | NDArray[np.integer] = 1) -> NDArray[Any]:
        """Logits (..., K) of head inputs (..., H), added up over so many steps each."""
        if isinstance(steps, int) and steps == 1:
            check_head_inputs(u, self.model.config)
        # Below 2**53, integers are exact in float64.
        bias = np.multiply.outer(np.asarray(steps, np.float64), self._bias)
        return (u.astype(np.float64) @ self._weight + bias).astype(self.logit_type)

    def reduced(self, u: NDArray[np.integer]) -> NDArray[Any]:
        """Logits (K,) of a sequence's head inputs (T, H), after the reduction."""
        if self.model.reduction == "last":
            return self.logits(u[-1])
        return self.logits(u.sum(axis=0, dtype=np.int64), len(u))

    def classes(self, logits: NDArray[Any]) -> NDArray[np.int64]:
        """The class (...) with the largest of the logits (..., K), the first of equals."""
        return logits.argmax(axis=-1).astype(np.int64)

    def values(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """Values (..., K) of a regression's logits after the reduction."""
        real = logits.astype(np.float64)
        if self.kind == "float":
            return real
        assert self.model.output_scale is not None and self.model.output_offset is not None
        return self.model.output_offset + self.model.output_scale * real

    def outputs(self, found: Sequence[NDArray[Any]]) -> Outputs:
        """The outputs of sequences of which these were found: logits (K,) each, or classes (T,) of
        ``"label"``."""
        if self.model.task == "label":
            return Outputs(list(found), None, None)
        logits = np.array(found, self.logit_type).reshape(len(found), self.model.config.vocab_size)
        if self.model.task == "regress":
            return Outputs(None, logits, self.values(logits))
        return Outputs(self.classes(logits), logits, None)
