"""Advice for a model that a chip does not hold: a chip that does, and the size that fits."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import replace

from trine_sw.fit import fits
from trine_sw.fit.cost import Chip, fits_alike
from trine_sw.model import Model
from trine_sw.model.random_model import random_model

__all__ = ["advice", "largest_hidden"]


def largest_hidden(model: Model, chip: Chip) -> int:
    """Most units of a model like this one that ``chip`` is expected to hold; 0 if not even one.

    Embedding, vocabulary, cell and what lies in the file are as ``model``'s; the weights are random.
    """
    has_embedding, has_head = model.embedding_weight is not None, model.head_weight is not None

    def held(hidden: int) -> bool:
        other = random_model(replace(model.config, hidden=hidden), seed=1)
        parts = {} if has_embedding else {"embedding_weight": None}
        if not has_head:
            parts |= {"head_weight": None, "head_bias": None, "head_scale": None}
        return fits(replace(other, **parts), chip)

    least, most = 0, model.config.hidden  # the first is held, the second is not
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (middle, most) if held(middle) else (least, middle)
    return least


def advice(model: Model, chip: Chip, chips: Iterable[Chip]) -> str:
    """The smallest of ``chips`` that holds ``model``, and the largest model like it that ``chip`` holds."""
    others = sorted((other for other in chips if other.lut4 > chip.lut4), key=lambda other: other.lut4)
    different: dict[Hashable, Chip] = {}
    for other in others:
        different.setdefault(fits_alike(other), other)
    nearest = next((other.name for other in different.values() if fits(model, other)), None)
    board = f"the smallest board that holds it is {nearest}" if nearest else "no board holds it"
    hidden = largest_hidden(model, chip)
    size = f"up to {hidden} units" if hidden else "not even one unit"
    return f"{board}; of such a model {chip.name} holds {size}"
