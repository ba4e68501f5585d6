"""Recipes: everything that decides a training run, by name."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from trine_sw.data import OwnText
from trine_sw.model import HeadKind
from trine_sw.model.config import ModelConfig
from trine_sw.support.checks import finite_real, integer, share, shown
from trine_sw.support.errors import TrineError
from trine_sw.support.json_text import json_text
from trine_sw.support.plain_values import from_plain
from trine_sw.support.reading import read_text
from trine_sw.training.nn.layers import CellOptions
from trine_sw.training.nn.soft_cell import Quantisers
from trine_sw.training.nn.states import TRITS, States
from trine_sw.training.recipes.combinations import check_together
from trine_sw.training.recipes.recipe_file import (
    beside,
    file_text,
    file_values,
    language_keys,
    language_values,
)
from trine_sw.training.recipes.schedule import LATER, Schedule
from trine_sw.training.recipes.text_teacher import TextTeacher
from trine_sw.training.sequences.recipe import SequenceRecipe

__all__ = [
    "RECIPES",
    "SEQUENCE_RECIPES",
    "TEACHERS",
    "AnyRecipe",
    "Recipe",
    "Role",
    "language_recipe",
    "parse_recipe",
    "read_recipe",
    "recipe",
    "recipe_text",
]

Role = Literal["float", "teacher", "teacher-2", "teacher-3", "ternary", "head"]
"""Role of a model in a recipe: float baseline, teacher (a wider float model) and its other seeds, student
(the ternary model), or ternary head for the finished student."""
TEACHERS: tuple[Role, ...] = ("teacher", "teacher-2", "teacher-3")
"""The roles of the float models that a teacher is the mean of."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training run: the ternary model, and the float LSTM of the same size that it is measured against.

    Parameters
    ----------
    name, dataset, seed : the recipe's name, the text, and where all randomness starts. The text is one that
        Trine knows by name, or a file.
    config : the model. Its vocabulary size must be that of the text.
    schedule, baseline : of the ternary model; of the float one, whose best learning rate is another.
    options : how the ternary cell is trained.
    embedding_factor : sparsity of the ternary embedding, as in ``TernaryLanguageModel``.
    activity_cost : added to the loss, times the share of h that is active.
    distil : share of the loss that compares with the trained baseline's probabilities, not with the text
        (Hinton et al., 2015); the baseline is then trained first.
    quantisers : of the baseline, which is then the paper's soft cell with these, and no float LSTM.
    head, tied : the ternary model's head, and whether it shares its weights with the embedding, in both.
    unigram : the head's bias is the logarithm of each word's share of the training text, and is not trained.
    warm_start : the ternary model starts from the trained baseline's weights.
    teacher : what to distil from instead, which is then trained first. None: see the two that follow.
    teacher_hidden : units of a float LSTM of the student's layers to distil from, whatever the cell; 0: none.
    teaching : how that one is trained; None: as the baseline is.
    baseline_tied, baseline_distil : whether the baseline shares its head's weights with the embedding,
        whatever the ternary model does; and the share of its loss that compares with the teacher.
    mapped_head : share of the updates up to which the student's float head is the baseline's, which it starts
        from, times a map (H, H) that is trained instead of it; 0: never.
    ternary_head : how a ternary head is made of the finished model's float one and learns from it, while the
        cell stays as it is; None: it is not.
    rounded_rows : of the ternary head, those of the most frequent words, whose trits, before training, are
        chosen by what their errors do to the loss (``head_rounding``), and not by size alone.
    keep_float_head : the float head stays in the file beside the ternary one.
    head_from_teacher : the ternary head learns from the teacher, and not from the float head.
    finish_cell : the cell is trained on together with the ternary head, and only these two go into the file.
    needs_start : the ternary model is not begun from random weights: a finished one must be given
        (``train(start=...)``).
    states : how many values the ternary model's weights and activations have, for studies: where it is not
        three of each, no model file can be made.

    Examples
    --------
    >>> from dataclasses import replace
    >>> recipe = trine.Recipe.named("shakespeare-small")
    >>> recipe.config.hidden, recipe.schedule.learning_rate
    (64, 0.002)
    >>> quick = replace(recipe, name="quick", schedule=replace(recipe.schedule, epochs=1))
    """

    name: str
    dataset: str | OwnText
    config: ModelConfig
    schedule: Schedule
    baseline: Schedule
    seed: int = 1
    options: CellOptions = CellOptions()
    embedding_factor: float = 1.4
    activity_cost: float = 0.0
    distil: float = 0.0
    head: HeadKind = field(default="ternary", metadata=LATER)
    tied: bool = field(default=False, metadata=LATER)
    quantisers: Quantisers | None = field(default=None, metadata=LATER)
    unigram: bool = field(default=False, metadata=LATER)
    warm_start: bool = field(default=False, metadata=LATER)
    teacher_hidden: int = field(default=0, metadata=LATER)
    teaching: Schedule | None = field(default=None, metadata=LATER)
    ternary_head: Schedule | None = field(default=None, metadata=LATER)
    rounded_rows: int = field(default=0, metadata=LATER)
    keep_float_head: bool = field(default=True, metadata=LATER)
    teacher: TextTeacher | None = field(default=None, metadata=LATER)
    baseline_tied: bool = field(default=False, metadata=LATER)
    baseline_distil: float = field(default=0.0, metadata=LATER)
    mapped_head: float = field(default=0.0, metadata=LATER)
    head_from_teacher: bool = field(default=False, metadata=LATER)
    finish_cell: bool = field(default=False, metadata=LATER)
    needs_start: bool = field(default=False, metadata=LATER)
    states: States = field(default=TRITS, metadata=LATER)

    def __post_init__(self) -> None:
        integer(self.seed, "seed", 0, 2**32 - 1)
        integer(self.teacher_hidden, "teacher_hidden", 0, 1 << 16)
        integer(self.rounded_rows, "rounded_rows", 0, 1 << 24)
        share(self.distil, "distil")
        if not finite_real(self.embedding_factor, "embedding_factor") > 0:
            raise TrineError(f"embedding_factor must be above 0, not {self.embedding_factor}")
        if finite_real(self.activity_cost, "activity_cost") < 0:
            raise TrineError(f"activity_cost must not be negative, not {self.activity_cost}")
        share(self.baseline_distil, "baseline_distil")
        share(self.mapped_head, "mapped_head")
        check_together(self)

    @classmethod
    def named(cls, name: str) -> "Recipe":
        """A recipe that Trine has; :class:`TrineError` lists the names where there is none of that name."""
        return language_recipe(name)

    @property
    def roles(self) -> tuple[Role, ...]:
        """What it trains, in an order in which each comes after what it needs."""
        teachers = self.teachers
        first: tuple[Role, ...] = (*teachers, "float") if self.baseline_distil else ("float", *teachers)
        return (*first, "ternary", *(() if self.ternary_head is None else ("head",)))

    @property
    def teachers(self) -> tuple[Role, ...]:
        """The roles of the float models that are its teacher and nothing else."""
        if self.teacher is not None and self.teacher.baseline:
            return ()
        if self.teacher is not None:
            return TEACHERS[: len(self.teacher.seeds)]
        return TEACHERS[:1] if self.teacher_hidden else ()

    @property
    def teaching_roles(self) -> tuple[Role, ...]:
        """The roles of the float models that a student learns from: its teachers, or else its baseline."""
        return self.teachers or ("float",)

    def learns_from(self, role: Role) -> tuple[Role, ...]:
        """Roles whose models' probabilities a role learns from, their mean where there are several."""
        if role == "head":
            return self.teaching_roles if self.head_from_teacher else ("ternary",)
        if role == "float":
            return self.teachers if self.baseline_distil else ()
        if role == "ternary" and self.distil:
            return self.teaching_roles
        return ()

    def needs(self, role: Role) -> tuple[Role, ...]:
        """Roles whose models must be trained before this one."""
        start: tuple[Role, ...] = ()
        if role == "head":
            start = ("ternary",)
        elif role == "ternary" and self.warm_start:
            start = ("float",)
        return tuple(dict.fromkeys((*start, *self.learns_from(role))))

    def schedule_of(self, role: Role) -> Schedule:
        """Optimizer and learning-rate schedule of that role."""
        if role == "head":
            assert self.ternary_head is not None
            return self.ternary_head
        if role in TEACHERS and self.teacher is not None:
            assert self.teacher.schedule is not None
            return self.teacher.schedule
        if role == "teacher" and self.teaching is not None:
            return self.teaching
        return self.schedule if role == "ternary" else self.baseline

    def seed_of(self, role: Role) -> int:
        """Where all randomness of that role starts."""
        if role in TEACHERS and self.teacher is not None:
            return self.teacher.seeds[TEACHERS.index(role)]
        return self.seed

    def fingerprint(self, role: Role) -> str:
        """All that decides the run of a role, as text."""
        return json_text(self._decisive(role), sort_keys=True)

    def _decisive(self, role: Role) -> dict[str, Any]:
        content = _content(self)
        if isinstance(self.dataset, OwnText):  # wherever the file is now
            content["dataset"] = self.dataset.identity()
        content.pop("keep_float_head", None)  # decides what is written, not how it is trained
        teacher: dict[str, Any] = content.get("teacher") or {}
        teacher.pop("require_validation", None)  # decides whether, not how
        if role in TEACHERS and self.teacher is not None:  # of any student of this text
            for name in ("seeds", "ngram", "ngram_order"):
                teacher.pop(name, None)
            size = self.config.vocab_size
            of_text = {"dataset": content["dataset"], "vocab_size": size, "seed": self.seed_of(role)}
            return of_text | {"teacher": teacher}
        if role in ("float", *TEACHERS):
            names = ("dataset", "config", "baseline", "seed", "tied", "unigram", "quantisers")
            names += ("teacher_hidden", "teaching") if role == "teacher" else ("baseline_tied",)
            names += ("teacher", "baseline_distil") if self.baseline_distil else ()
            return {name: content[name] for name in names if name in content}
        if role == "ternary":
            for name in ("ternary_head", "rounded_rows", "head_from_teacher", "finish_cell"):
                content.pop(name, None)
        return content


def _content(value: Any) -> Any:
    """A dataclass as a dictionary, without the later fields that have their default."""
    if not is_dataclass(value):
        return value
    kept = (entry for entry in fields(value) if not _is_later_default(value, entry))
    return {entry.name: _content(getattr(value, entry.name)) for entry in kept}


def _is_later_default(value: Any, entry: Any) -> bool:
    return "later" in entry.metadata and getattr(value, entry.name) == entry.default


AnyRecipe = Recipe | SequenceRecipe
"""A recipe of a language model, or one of a model of sequences."""


def read_recipe(path: str | os.PathLike[str]) -> AnyRecipe:
    """The recipe in a TOML file. Data that lies beside the file is found from any folder.

    Raises
    ------
    TrineError
        That names the file and the key: where it is no TOML, a key is unknown (with the nearest that there
        is), missing, of another type or out of range. A text file is read for its symbols.
    """
    text = read_text(path)
    name = re.sub(r"[^\w.+-]+", "-", Path(path).stem).strip("-+.")  # as files are named after it
    try:
        return parse_recipe(text, name or "recipe", Path(path).parent)
    except TrineError as error:
        raise TrineError(f"{path}: {error}") from None


def parse_recipe(text: str, name: str, folder: Path = Path()) -> AnyRecipe:
    """The recipe of a TOML text; ``name`` where it does not say its own, and the folder of its data."""
    values = file_values(text, name)
    if values["task"] == "language":
        known = [entry.name for entry in fields(Recipe)]
        with language_keys():
            return from_plain(Recipe, language_values(values, known, folder))
    found = from_plain(SequenceRecipe, values)
    return replace(found, data=beside(found.data, folder))


def recipe_text(chosen: AnyRecipe) -> str:
    """A recipe as the text of a TOML file, of which :func:`read_recipe` makes an equal one."""
    if isinstance(chosen, Recipe) and chosen.baseline == chosen.schedule:
        return file_text(chosen, "baseline")
    return file_text(chosen)


def _built_in() -> Iterator[AnyRecipe]:
    """The recipes whose files lie in this package, by name."""
    for entry in sorted(
        files("trine_sw.training.recipes").iterdir(), key=lambda entry: entry.name.removesuffix(".toml")
    ):
        if entry.name.endswith(".toml"):
            yield parse_recipe(entry.read_text(encoding="utf-8"), entry.name.removesuffix(".toml"))


RECIPES: dict[str, Recipe] = {}
"""The recipes of language models that Trine has, by name."""
SEQUENCE_RECIPES: dict[str, SequenceRecipe] = {}
"""The recipes of models of sequences that Trine has, by name."""
for _recipe in _built_in():
    if isinstance(_recipe, Recipe):
        RECIPES[_recipe.name] = _recipe
    else:
        SEQUENCE_RECIPES[_recipe.name] = _recipe


def recipe(name: str | os.PathLike[str]) -> AnyRecipe:
    """The recipe that Trine has of that name, or the one in that TOML file.

    Raises :class:`TrineError` where there is none of that name, and as :func:`read_recipe` does.
    """
    if not isinstance(name, str | os.PathLike):
        raise TrineError(f"a recipe is a Recipe, a name or the path of a TOML file, not {shown(name)}")
    known: dict[str, AnyRecipe] = {**RECIPES, **SEQUENCE_RECIPES}
    if isinstance(name, str) and name in known:
        return known[name]
    if str(name).endswith(".toml") or Path(name).name != str(name):
        return read_recipe(name)
    raise TrineError(f"{name!r} is no recipe; there are {', '.join(known)}; or give the path of a .toml file")


def language_recipe(name: str | os.PathLike[str]) -> Recipe:
    """As :func:`recipe`; :class:`TrineError` for a recipe of a model of sequences."""
    found = recipe(name)
    if not isinstance(found, Recipe):
        raise TrineError(f"{found.name} is a recipe of a model of sequences, and not of a text")
    return found
