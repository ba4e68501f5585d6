"""Keys of a recipe of a language model that need, or exclude, each other."""

from __future__ import annotations

from typing import Any

from trine_sw.support.errors import TrineError
from trine_sw.training.nn.states import TRITS

__all__ = ["check_together"]


def check_together(recipe: Any) -> None:
    """Raise :class:`TrineError` where keys of a ``Recipe`` do not go together, with what to change."""
    taught = recipe.teacher is not None
    rules = (
        (
            taught and bool(recipe.teacher_hidden or recipe.teaching),
            "[teacher] says all of the teacher: leave out teacher_hidden and [teaching]",
        ),
        (
            taught and not (recipe.distil or recipe.baseline_distil or recipe.head_from_teacher),
            "nothing learns from the teacher: set distil, or leave out [teacher]",
        ),
        (bool(recipe.baseline_distil) and not taught, "baseline_distil needs a [teacher]"),
        (
            taught and recipe.teacher.baseline and bool(recipe.baseline_distil),
            "the baseline is the teacher, and learns from none: leave out baseline_distil",
        ),
        (
            recipe.needs_start and (recipe.warm_start or recipe.options.harden is not None),
            "needs_start begins with trits: leave out warm_start and options.harden",
        ),
        (recipe.head_from_teacher and not taught, "head_from_teacher needs a [teacher]"),
        (
            bool(recipe.mapped_head) and (not recipe.warm_start or recipe.head != "float" or recipe.tied),
            'mapped_head needs warm_start = true, head = "float" and no tied head',
        ),
        (
            bool(recipe.mapped_head and recipe.schedule.average),
            "schedule.average and mapped_head exclude each other: the mean would be of two heads",
        ),
        (
            recipe.finish_cell and (recipe.ternary_head is None or recipe.keep_float_head),
            "finish_cell needs [ternary_head] and keep_float_head = false: the float head is of another cell",
        ),
        (
            recipe.finish_cell and recipe.options.slope_first is not None,
            "finish_cell goes on at the slope that the cell ended with: leave out options.slope_first",
        ),
        (
            recipe.states != TRITS and recipe.config.cell != "lstm",
            f"only an LSTM has other states than three, and the cell is {recipe.config.cell!r}",
        ),
        (
            recipe.states != TRITS and bool(recipe.ternary_head or recipe.warm_start or recipe.needs_start),
            "[states] begins with random weights and has one head: leave out warm_start, needs_start and "
            "[ternary_head]",
        ),
    )
    for wrong, message in rules:
        if wrong:
            raise TrineError(message)
    _check_schedules(recipe)


def _check_schedules(recipe: Any) -> None:
    """Keys of schedules that mean nothing to the models that they are of."""
    student = {"schedule": recipe.schedule}
    if recipe.ternary_head is not None:
        student["ternary_head"] = recipe.ternary_head
    for name, schedule in student.items():
        if schedule.of_float_models:
            raise TrineError(f"{name}.{schedule.of_float_models[0]} is of float models alone")
    for name in ("replaced", "written"):
        if getattr(recipe.schedule, name) and not recipe.distil:
            raise TrineError(f"schedule.{name} needs a teacher: set distil")
        # The baseline is trained as the student is where a recipe does not say how.
        own = getattr(recipe.baseline, name) and recipe.baseline != recipe.schedule
        if own and not recipe.baseline_distil:
            raise TrineError(f"baseline.{name} needs a teacher: set baseline_distil")
