"""A study: a question, and the models that answer it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from trine_sw.model.config import ModelConfig
from trine_sw.support.errors import TrineError
from trine_sw.training.nn.layers import CellOptions
from trine_sw.training.recipes import Recipe, Schedule

__all__ = ["DATA_SETS", "Row", "Study"]

DATA_SETS = {10_000: "ptb", 2_000: "ptb-2000"}
"""Vocabularies, and the data set of each."""

_UNITS = 300


@dataclass(frozen=True, kw_only=True)
class Row:
    """One model of a study.

    Parameters
    ----------
    name, what : short, and as a table says it.
    recipe : how it is trained.
    role : which of the recipe's models is measured.
    start : model file, from the top of the repository, that the ternary model starts from; "": none.
    """

    name: str
    what: str
    recipe: Recipe
    role: Literal["float", "ternary"]
    start: str = ""


@dataclass(frozen=True, kw_only=True)
class Study:
    """A question and the models that answer it.

    Parameters
    ----------
    name, title : short, and as a heading.
    about : what the rows have in common and what they show.
    words, epochs : vocabulary and passes over the text, unless a run says otherwise.
    rows : makes the rows from the recipe that they all start from.
    """

    name: str
    title: str
    about: str
    words: int
    epochs: int
    rows: Callable[[Recipe], Sequence[Row]]

    def at(self, words: int | None = None, epochs: int | None = None) -> list[Row]:
        """The rows with that vocabulary, and trained for so many epochs."""
        words = self.words if words is None else words
        epochs = self.epochs if epochs is None else epochs
        if words not in DATA_SETS:
            raise TrineError(f"words must be {' or '.join(map(str, DATA_SETS))}, not {words}")
        if epochs < 1:
            raise TrineError(f"the epochs must be at least 1, not {epochs}")
        schedule = Schedule(epochs=epochs, batch=20, steps=35, dropout=0.25)
        plain = Recipe(
            name=self.name,
            dataset=DATA_SETS[words],
            config=ModelConfig(hidden=_UNITS, embedding=_UNITS, vocab_size=words),
            schedule=schedule,
            baseline=schedule,
            options=CellOptions(three_state_forget=False),
            head="float",
        )
        return [
            replace(row, recipe=replace(row.recipe, name=f"{self.name}-{row.name}"))
            for row in self.rows(plain)
        ]
