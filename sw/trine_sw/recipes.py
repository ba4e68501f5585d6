"""Recipes: everything that decides a training run, by name."""

import json
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal

from trine_sw.cell_torch import CellOptions
from trine_sw.errors import TrineError
from trine_sw.model import HeadKind
from trine_sw.model_config import ModelConfig
from trine_sw.soft_cell import Quantisers

__all__ = ["RECIPES", "Recipe", "Schedule", "recipe"]

_LATER = {"later": True}  # a field that older fingerprints lack, and new ones where it has its default


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast a model is trained.

    Parameters
    ----------
    epochs, batch, steps : passes over the text; streams; characters that gradients go back through.
    learning_rate, clip, warmup : peak rate; largest gradient norm; updates up to the peak.
    decay : how the rate falls after the peak: along a cosine to a fiftieth, or to a quarter of what it was
        after each epoch that is no better than the best before it.
    optimizer : Adam, or plain stochastic gradient descent.
    dropout, locked : of x and of what the head sees, as in ``LanguageModel``.
    """

    epochs: int
    batch: int = 64
    steps: int = 64
    learning_rate: float = 2e-3
    clip: float = 1.0
    warmup: int = 200
    dropout: float = 0.1
    optimizer: Literal["adam", "sgd"] = field(default="adam", metadata=_LATER)
    decay: Literal["cosine", "plateau"] = field(default="cosine", metadata=_LATER)
    locked: bool = field(default=False, metadata=_LATER)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training run: the ternary model, and the float LSTM of the same size that it is measured against.

    Parameters
    ----------
    name, dataset, seed : the recipe's name, the text, and where all randomness starts.
    config : the model. Its vocabulary size must be that of the text.
    schedule, baseline : of the ternary model; of the float one, whose best learning rate is another.
    options : how the ternary cell is trained.
    embedding_factor : sparsity of the ternary embedding, as in ``TernaryLanguageModel``.
    activity_cost : added to the loss, times the share of h that is active.
    distil : share of the loss that compares with the trained baseline's probabilities, not with the text
        (Hinton et al., 2015); the baseline is then trained first.
    quantisers : of the baseline, which is then the paper's soft cell with these, and no float LSTM.
    head, tied : the ternary model's head, and whether it shares its weights with the embedding, in both.
    """

    name: str
    dataset: str
    config: ModelConfig
    schedule: Schedule
    baseline: Schedule
    seed: int = 1
    options: CellOptions = CellOptions()
    embedding_factor: float = 1.4
    activity_cost: float = 0.0
    distil: float = 0.0
    head: HeadKind = field(default="ternary", metadata=_LATER)
    tied: bool = field(default=False, metadata=_LATER)
    quantisers: Quantisers | None = field(default=None, metadata=_LATER)

    def fingerprint(self, kind: str) -> str:
        """All that decides the run of a kind, ``"ternary"`` or ``"float"``, as text."""
        content = _content(self)
        if kind == "float":
            names = ("dataset", "config", "baseline", "seed", "tied", "quantisers")
            content = {name: content[name] for name in names if name in content}
        return json.dumps(content, sort_keys=True)


def _content(value: Any) -> Any:
    """A dataclass as a dictionary, without the later fields that have their default."""
    if not is_dataclass(value):
        return value
    kept = (entry for entry in fields(value) if not _is_later_default(value, entry))
    return {entry.name: _content(getattr(value, entry.name)) for entry in kept}


def _is_later_default(value: Any, entry: Any) -> bool:
    return "later" in entry.metadata and getattr(value, entry.name) == entry.default


RECIPES = {
    entry.name: entry
    for entry in (
        Recipe(
            name="shakespeare",
            dataset="shakespeare",
            config=ModelConfig(
                hidden=256,
                embedding=128,
                vocab_size=65,
                cell_max=15,
                cell_shift=2,
                output_shift=1,
                head_levels=(0, 1, 2, 3),
            ),
            schedule=Schedule(epochs=45, learning_rate=3e-3, dropout=0.05),
            baseline=Schedule(epochs=45),
            distil=0.7,
        ),
        Recipe(
            name="shakespeare-small",
            dataset="shakespeare",
            config=ModelConfig(
                hidden=64,
                embedding=32,
                vocab_size=65,
                cell_max=15,
                cell_shift=2,
                output_shift=1,
                head_levels=(0, 1, 2, 3),
            ),
            schedule=Schedule(epochs=40, dropout=0.0),
            baseline=Schedule(epochs=40, dropout=0.0),
        ),
        *(
            Recipe(
                name=f"ptb-{cell}-300",
                dataset="ptb",
                config=ModelConfig(
                    cell=cell,
                    hidden=300,
                    embedding=300,
                    vocab_size=10_000,
                    cell_max=15,
                    cell_shift=2,
                    output_shift=1,
                    head_levels=(0, 1, 2, 3),
                ),
                schedule=Schedule(epochs=9, batch=20, steps=35, learning_rate=3e-3, dropout=0.25),
                baseline=Schedule(epochs=9, batch=20, steps=35, dropout=0.4),
                options=CellOptions(scale="norm"),
                head="float",
            )
            for cell in ("lstm", "gru")
        ),
    )
}


def recipe(name: str) -> Recipe:
    """The recipe of that name; :class:`TrineError` lists the names where there is none."""
    if name not in RECIPES:
        raise TrineError(f"{name!r} is no recipe; there are {', '.join(RECIPES)}")
    return RECIPES[name]
