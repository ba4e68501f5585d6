"""Rows of the studies of how many states weights and activations have."""

from collections.abc import Sequence
from dataclasses import replace

from trine_sw.studies.study import Row
from trine_sw.training.nn.layers import CellOptions
from trine_sw.training.nn.states import States
from trine_sw.training.recipes import Recipe

__all__ = ["SLOPES_OF_STATES", "slope_rows", "state_rows"]

_SLOPES = (0.5, 1.0, 2.0)

SLOPES_OF_STATES: dict[tuple[int, int], float] = {
    (weights, activations): 1.0 for weights in (2, 3, 5) for activations in (2, 3, 5, 7)
}
"""λ with the lowest validation of ``states-slope``, by states of weights and of activations."""


def slope_rows(plain: Recipe) -> Sequence[Row]:
    """Every pair of numbers of states with every λ."""
    return [
        _row(plain, weights, activations, slope, f"{weights}-{activations}-{slope:g}")
        for weights, activations in SLOPES_OF_STATES
        for slope in _SLOPES
    ]


def state_rows(plain: Recipe) -> Sequence[Row]:
    """Every pair of numbers of states with its λ."""
    return [
        _row(plain, weights, activations, slope, f"{weights}-{activations}")
        for (weights, activations), slope in SLOPES_OF_STATES.items()
    ]


def _row(plain: Recipe, weights: int, activations: int, slope: float, name: str) -> Row:
    """A model that is trained as the ladder's best without a teacher, of a finer head."""
    words = plain.config.vocab_size
    recipe = replace(
        plain,
        config=replace(plain.config, cell_shift=2, output_shift=1, head_levels=tuple(range(8))),
        options=CellOptions(scale="norm", harden=(0.08, 0.4), slope=slope),
        schedule=replace(
            plain.schedule,
            learning_rate=3e-3,
            dropout=0.1,
            head_dropout=0.3,
            head_rate=0.4,
            head_decay=0.8,
            sampled=2_560 if words > 2_560 else 0,
            stratified=1_000 if words > 2_560 else 0,
        ),
        unigram=True,
        embedding_factor=1.5,
        activity_cost=0.35,
        states=States(weights=weights, activations=activations),
    )
    what = f"W of {weights} states, activations of {activations}, λ = {slope:g}"
    return Row(name=name, what=what, recipe=recipe, role="ternary")
