"""A recipe of all that learns from teachers, which trains in seconds on the data set "sea"."""

from dataclasses import replace

from tests.helpers.small_recipe import SCHEDULE, small_recipe
from trine_sw.training.models.float_model import FloatLanguageModel
from trine_sw.training.models.roles import new_model
from trine_sw.training.nn.layers import CellOptions
from trine_sw.training.nn.recurrence import Numerics
from trine_sw.training.recipes import RECIPES, TextTeacher

__all__ = ["LEARNING", "TEACHING", "taught_recipe", "untrained"]

TEACHING = replace(
    SCHEDULE,
    epochs=1,
    locked=True,
    between_dropout=0.2,
    embedding_dropout=0.1,
    recurrent_dropout=0.2,
    weight_decay=0.01,
)
LEARNING = replace(SCHEDULE, replaced=0.2)


def taught_recipe(sea, monkeypatch):
    """A recipe of all that is taught: two teachers and n-grams, baseline, student from it, and head."""
    monkeypatch.setattr(Numerics, "fastest", lambda device: Numerics())  # compiling would take longest
    tiny = small_recipe(sea, monkeypatch)
    recipe = replace(
        tiny,
        config=replace(tiny.config, embedding=12),
        teacher=TextTeacher(schedule=TEACHING, hidden=16, seeds=(1, 2), ngram=0.25, ngram_order=3),
        schedule=replace(LEARNING, epochs=4),
        baseline=replace(LEARNING, recurrent_dropout=0.2),
        options=CellOptions(scale="norm", harden=(0.1, 0.4)),
        distil=0.7,
        baseline_distil=0.8,
        baseline_tied=True,
        warm_start=True,
        mapped_head=0.5,
        head_from_teacher=True,
        ternary_head=replace(SCHEDULE, epochs=1, learning_rate=1e-4),
    )
    monkeypatch.setitem(RECIPES, "tiny", recipe)
    return recipe


def untrained(recipe):
    """All that a student or a baseline needs, untrained."""
    teachers = {role: new_model(recipe, role, {}).eval() for role in recipe.teachers}
    return teachers | {"float": FloatLanguageModel(recipe.config, tied=True).eval()}
