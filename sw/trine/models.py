"""A model as users name it: itself, or the path of its file."""

from __future__ import annotations

import os

from trine_sw.model import Model
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = ["as_model", "check_embedding"]


def as_model(model: Model | str | os.PathLike[str]) -> Model:
    """A model, or the one in the file of that path."""
    if isinstance(model, Model):
        return model
    if isinstance(model, str | os.PathLike):
        return Model.load(model)
    raise TrineError(f"the model must be a Model, or the path of its file, not {shown(model)}")


def check_embedding(model: Model) -> None:
    """Raise :class:`TrineError` for a model that takes no tokens."""
    if model.embedding_weight is None:
        raise TrineError(
            "the model has no embedding: it takes input vectors, and no tokens; trine.Board.stream takes them"
        )
