"""Recipes: everything that decides a training run, by name."""

from dataclasses import dataclass

from trine_sw.cell_torch import CellOptions
from trine_sw.errors import TrineError
from trine_sw.model import ModelConfig

__all__ = ["RECIPES", "Recipe", "recipe"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training run. The float baseline of the same name takes all of it but ``options`` and what follows.

    Parameters
    ----------
    name, dataset, seed : the recipe's name, the text, and where all randomness starts.
    config : the model. Its vocabulary size must be that of the text.
    epochs, batch, steps : passes over the text; streams; characters that gradients go back through.
    learning_rate, clip, warmup : Adam's peak rate; largest gradient norm; updates up to the peak, after which
        the rate falls along a cosine to a fiftieth.
    dropout : of x and of what the head sees.
    options : how the ternary cell is trained.
    embedding_factor : sparsity of the ternary embedding, as in ``TernaryLanguageModel``.
    activity_cost : added to the loss, times the share of h that is active.
    """

    name: str
    dataset: str
    config: ModelConfig
    epochs: int
    batch: int = 64
    steps: int = 64
    learning_rate: float = 2e-3
    clip: float = 1.0
    warmup: int = 200
    dropout: float = 0.1
    seed: int = 1
    options: CellOptions = CellOptions()
    embedding_factor: float = 1.4
    activity_cost: float = 0.0


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
            epochs=45,
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
            epochs=40,
            dropout=0.0,
        ),
    )
}


def recipe(name: str) -> Recipe:
    """The recipe of that name; :class:`TrineError` lists the names where there is none."""
    if name not in RECIPES:
        raise TrineError(f"{name!r} is no recipe; there are {', '.join(RECIPES)}")
    return RECIPES[name]
