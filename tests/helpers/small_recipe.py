"""A recipe that trains in a second, on the data set "sea"."""

from dataclasses import replace

import torch

from trine_sw.model import ModelConfig
from trine_sw.training.recipes import RECIPES, Recipe, Schedule

__all__ = ["CONFIG", "SCHEDULE", "small_recipe"]

CONFIG = ModelConfig(
    hidden=12, embedding=6, vocab_size=18, cell_shift=2, output_shift=1, head_levels=(0, 1, 2, 3)
)
SCHEDULE = Schedule(epochs=2, batch=8, steps=16, warmup=5, learning_rate=1e-2)


def small_recipe(sea, monkeypatch):
    """The recipe "tiny", of a float head, which ``trine train`` then knows."""
    config = replace(CONFIG, vocab_size=len(set(sea)))
    recipe = Recipe(
        name="tiny", dataset="sea", config=config, schedule=SCHEDULE, baseline=SCHEDULE, head="float"
    )
    monkeypatch.setitem(RECIPES, "tiny", recipe)
    torch.set_num_threads(1)
    return recipe
