"""Training of a sequence recipe: its models, measured, exported and recorded."""

import os

from rich.console import Console

from trine_sw.model import Model
from trine_sw.support.errors import TrineError
from trine_sw.training.sequences.recipe import SequenceRecipe

__all__ = ["train_sequences"]


def train_sequences(
    recipe: SequenceRecipe,
    *,
    out: str | os.PathLike[str] | None = None,
    runs: str | os.PathLike[str] = "runs",
    results: str | os.PathLike[str] | None = None,
    resume: bool = False,
    device: str | None = None,
    threads: int = 1,
    console: Console | None = None,
) -> Model:
    """Train a recipe's models on sequences, measure them, and write the ternary one and its record.

    Parameters
    ----------
    recipe : what to train, and on what.
    out : model file, by default ``NAME.trine``, of the recipe's name.
    runs : folder of the checkpoints.
    results : folder of the record and of its figures; None: the folder of the checkpoints.
    resume : go on from the checkpoints; what is finished is not trained again.
    device : ``"cpu"`` or ``"cuda"``; by default a GPU where there is one.
    threads : of PyTorch. Results depend on it in the last bits.
    console : where progress is shown; standard output by default.
    """
    raise TrineError("sequence recipes cannot be trained yet")
