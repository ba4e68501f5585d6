"""Recipes: everything that decides a training run, by name."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

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
from trine_sw.training.recipes.recipe_file import (
    beside,
    file_text,
    file_values,
    language_keys,
    language_values,
)
from trine_sw.training.recipes.schedule import LATER, Schedule
from trine_sw.training.sequences.recipe import SequenceRecipe

__all__ = [
    "RECIPES",
    "SEQUENCE_RECIPES",
    "AnyRecipe",
    "Recipe",
    "Role",
    "language_recipe",
    "parse_recipe",
    "read_recipe",
    "recipe",
    "recipe_text",
]

Role = Literal["float", "teacher", "ternary", "head"]
"""Role of a model in a recipe: float baseline, teacher (a wider float model), student (the ternary model), or
ternary head for the finished student."""


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
    teacher_hidden : units of a float LSTM to distil from instead, whatever the cell; 0: none.
    teaching : how the teacher is trained; None: as the baseline is.
    ternary_head : how a ternary head is made of the finished model's float one and learns from it, while the
        cell stays as it is; None: it is not.
    rounded_rows : of the ternary head, those of the most frequent words, whose trits, before training, are
        chosen by what their errors do to the loss (``head_rounding``), and not by size alone.
    keep_float_head : the float head stays in the file beside the ternary one.

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

    def __post_init__(self) -> None:
        integer(self.seed, "seed", 0, 2**32 - 1)
        integer(self.teacher_hidden, "teacher_hidden", 0, 1 << 16)
        integer(self.rounded_rows, "rounded_rows", 0, 1 << 24)
        share(self.distil, "distil")
        if not finite_real(self.embedding_factor, "embedding_factor") > 0:
            raise TrineError(f"embedding_factor must be above 0, not {self.embedding_factor}")
        if finite_real(self.activity_cost, "activity_cost") < 0:
            raise TrineError(f"activity_cost must not be negative, not {self.activity_cost}")

    @classmethod
    def named(cls, name: str) -> "Recipe":
        """A recipe that Trine has; :class:`TrineError` lists the names where there is none of that name."""
        return language_recipe(name)

    @property
    def roles(self) -> tuple[Role, ...]:
        """What it trains, in an order in which each comes after what it needs."""
        wanted = (True, bool(self.teacher_hidden), True, self.ternary_head is not None)
        return tuple(role for role, there in zip(get_args(Role), wanted, strict=True) if there)

    def needs(self, role: Role) -> tuple[Role, ...]:
        """Roles whose models must be trained before this one."""
        if role == "head":
            return ("ternary",)
        if role != "ternary":
            return ()
        teacher: tuple[Role, ...] = ()
        if self.distil:
            teacher = ("teacher",) if self.teacher_hidden else ("float",)
        return tuple(dict.fromkeys((("float",) if self.warm_start else ()) + teacher))

    def schedule_of(self, role: Role) -> Schedule:
        """Optimizer and learning-rate schedule of that role."""
        if role == "head":
            assert self.ternary_head is not None
            return self.ternary_head
        if role == "teacher" and self.teaching is not None:
            return self.teaching
        return self.schedule if role == "ternary" else self.baseline

    def fingerprint(self, role: Role) -> str:
        """All that decides the run of a role, as text."""
        content = _content(self)
        content.pop("keep_float_head", None)  # decides what is written, not how it is trained
        if role in ("float", "teacher"):
            names = ("dataset", "config", "baseline", "seed", "tied", "unigram", "quantisers")
            names += ("teacher_hidden", "teaching") if role == "teacher" else ()
            content = {name: content[name] for name in names if name in content}
        if role == "ternary":
            content.pop("ternary_head", None)
            content.pop("rounded_rows", None)
        if isinstance(self.dataset, OwnText):  # wherever the file is now
            content["dataset"] = self.dataset.identity()
        return json_text(content, sort_keys=True)


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
