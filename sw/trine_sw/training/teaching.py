"""Models that others learn from or start from: as files, and whether they are what a recipe needs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from trine_sw.data import END, load_tokens, symbols
from trine_sw.model import Model
from trine_sw.support.errors import TrineError
from trine_sw.training.code_version import code_version
from trine_sw.training.loop.distributed import Ranks
from trine_sw.training.loop.run import Run
from trine_sw.training.loop.validation import validate
from trine_sw.training.models.float_model import FloatLanguageModel
from trine_sw.training.models.start import check_fits
from trine_sw.training.models.teacher_file import TeacherFile, rounded, text_digest, write_teacher
from trine_sw.training.recipes import Recipe, Role

__all__ = [
    "check_not_given",
    "check_start",
    "check_validation",
    "given_teachers",
    "keep_teacher",
    "taught_by_files",
]

_SAME = 1e-3  # nats, that another machine's sums may differ by


def taught_by_files(recipe: Recipe, count: int) -> Recipe:
    """The recipe with as many teachers as there are files of them.

    Raises :class:`TrineError` where it has no ``[teacher]``, or fewer.
    """
    if recipe.teacher is None:
        raise TrineError(f"{recipe.name} has no [teacher], so that it takes no --teacher")
    seeds, there = recipe.teacher.seeds, len(recipe.teaching_roles)
    if count > there:
        raise TrineError(
            f"{recipe.name} has {there} teacher{'s' * (there > 1)}, and --teacher is given {count} times"
        )
    if recipe.teacher.baseline:
        return recipe
    return replace(recipe, teacher=replace(recipe.teacher, seeds=seeds[:count]))


def check_not_given(recipe: Recipe, roles: Sequence[Role], count: int) -> None:
    """Raise :class:`TrineError` where a role to be trained is a teacher, of which ``count`` are in files.

    ``recipe`` is as :func:`taught_by_files` gives it.
    """
    given = recipe.teaching_roles[:count]
    for role in roles:
        if role in given or role not in recipe.roles:
            raise TrineError(
                f"--teacher says what the teachers are, so that no {role} is trained: leave out --teacher, "
                f"or choose another role than {role}"
            )


def given_teachers(recipe: Recipe, paths: Sequence[Path], ranks: Ranks) -> dict[Role, TeacherFile]:
    """The teachers in files, by role, each measured again on the validation text.

    Raises
    ------
    TrineError
        That names the file: where it is no teacher, has learned another text, or does not predict the
        validation text as well as it says.
    """
    vocabulary = list(symbols(recipe.dataset))
    tokens, valid = (load_tokens(recipe.dataset, split) for split in ("train", "valid"))
    digest = text_digest(vocabulary, tokens, valid)
    if END in vocabulary:  # as Run.text has it
        valid = np.concatenate([[vocabulary.index(END)], valid])
    found: dict[Role, TeacherFile] = {}
    for role, path in zip(recipe.teaching_roles, paths, strict=False):
        file = TeacherFile.read(path)
        if file.text != digest:
            raise TrineError(f"{path} has learned another text than {recipe.dataset}, or other symbols of it")
        nats = ranks.of_first(lambda model=file.model: validate(model, valid)[0])
        if not abs(nats - file.valid_nats) < _SAME:
            raise TrineError(
                f"{path} says {file.valid_nats:.4f} nats on the validation text, and has {nats:.4f} here: it "
                "is altered, or of another version"
            )
        if file.digest in (other.digest for other in found.values()):
            raise TrineError(f"{path} is given twice: a mean of equal teachers is one of them")
        found[role] = file
    return found


def check_start(recipe: Recipe, wanted: Sequence[Role], start: Model | None) -> None:
    """Raise :class:`TrineError` where a ternary model cannot start from ``start``, or may not without one."""
    if start is None:
        if recipe.needs_start and "ternary" in wanted:
            raise TrineError(f"{recipe.name} starts from a trained model: give its file with --start")
        return
    if recipe.warm_start:
        raise TrineError(f"{recipe.name} starts from its float baseline (warm_start), so it takes no --start")
    if "ternary" not in wanted:
        raise TrineError("--start is for the ternary model, which is not trained now")
    check_fits(recipe.config, start, list(symbols(recipe.dataset)))


def check_validation(
    recipe: Recipe, role: Role, nats: Mapping[Role, float], anyway: bool, console: Console
) -> None:
    """Raise :class:`TrineError` where a role would learn from a teacher that is not good enough.

    Parameters
    ----------
    nats : of each teacher on the validation text.
    anyway : only say so.
    """
    limit = None if recipe.teacher is None else recipe.teacher.require_validation
    if limit is None:
        return
    for name in recipe.learns_from(role):
        if name not in nats or name == "ternary" or math.exp(nats[name]) < limit:
            continue
        found = (
            f"the {name} of {recipe.name} has a validation perplexity of {math.exp(nats[name]):.2f}, "
            f"and teacher.require_validation is {limit:g}"
        )
        if not anyway:
            raise TrineError(f"{found}: train it longer, or go on with --any-teacher")
        console.print(f"{found}; it teaches nevertheless", highlight=False, soft_wrap=True)


def keep_teacher(run: Run, console: Console) -> Path | None:
    """Write a finished float model that teaches beside its checkpoint, as ``ROLE.safetensors``; where it is.

    None where the recipe has no ``[teacher]``, or the run is of another model.
    """
    if run.recipe.teacher is None or run.role not in run.recipe.teaching_roles:
        return None
    model = run.best_model()
    assert isinstance(model, FloatLanguageModel)
    path = run.path.with_suffix(".safetensors")
    if path.exists():
        return path
    made = rounded(model)
    nats = validate(made, run.valid)[0]
    text = text_digest(run.vocabulary, run.tokens, load_tokens(run.recipe.dataset, "valid"))
    training = {"recipe": run.recipe.fingerprint(run.role), "code_version": code_version()}
    write_teacher(path, made, nats, text, training | {"epochs": run.epoch, "seed": run.seed})
    size = path.stat().st_size / 1e6
    console.print(
        f"{path}: validation perplexity {math.exp(nats):.2f}, {size:.1f} MB", highlight=False, soft_wrap=True
    )
    return path
