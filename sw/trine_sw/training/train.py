"""``trine train``: a recipe's model and its float baseline, measured, exported and recorded."""

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from rich.console import Console

from trine_sw.data import OwnText
from trine_sw.data.paths import files_of
from trine_sw.data.text import check_text
from trine_sw.model import Model
from trine_sw.support.atomic_file import (
    check_apart,
    check_folder,
    check_writable,
    is_special,
    remove_leftovers,
)
from trine_sw.support.errors import TrineError
from trine_sw.support.file_lock import exclusive
from trine_sw.training.allocator import keep_freed_memory
from trine_sw.training.loop.checkpoint import holds_a_run
from trine_sw.training.loop.distributed import Ranks, training_device
from trine_sw.training.loop.run import Run
from trine_sw.training.models.roles import AnyModel
from trine_sw.training.models.teacher_file import TeacherFile
from trine_sw.training.nn.recurrence import Numerics
from trine_sw.training.nn.states import TRITS
from trine_sw.training.recipes import AnyRecipe, Recipe, Role
from trine_sw.training.recipes import recipe as recipe_named
from trine_sw.training.record import write_model
from trine_sw.training.sequences.recipe import SequenceRecipe, SequenceRole
from trine_sw.training.sequences.train import train_sequences
from trine_sw.training.teaching import (
    check_not_given,
    check_start,
    check_validation,
    given_teachers,
    keep_teacher,
    taught_by_files,
)

__all__ = ["train", "train_roles"]


def train(
    recipe: AnyRecipe | str | os.PathLike[str],
    *,
    resume: bool = False,
    out: str | os.PathLike[str] | None = None,
    threads: int = 1,
    device: str | None = None,
    roles: Sequence[Role] | None = None,
    results: str | os.PathLike[str] | None = None,
    runs: str | os.PathLike[str] = "runs",
    console: Console | None = None,
    teachers: Sequence[str | os.PathLike[str]] = (),
    any_teacher: bool = False,
    start: str | os.PathLike[str] | None = None,
) -> Model | None:
    """Train a recipe's model and its float baseline, measure both, and write model and record.

    Parameters
    ----------
    recipe : the recipe, the name of one that Trine has, such as ``shakespeare``, or the path of a TOML file.
    resume : go on from the checkpoints; a part that is finished is not trained again. Without it, there must
        be none.
    out : model file, by default ``RECIPE.trine``.
    threads : of PyTorch. Results depend on it in the last bits.
    device : ``"cpu"`` or ``"cuda"``; by default a GPU where there is one.
    roles : which to train now, by default all that the recipe has; of a text, the others are recorded where
        their checkpoints have them finished.
    results, runs : folders of the record (``RECIPE-training.json``, ``.csv``), by default beside the model,
        and of the checkpoints.
    console : where progress is shown; standard output by default.
    teachers : files of trained teachers, ``runs/RECIPE/teacher.safetensors`` of another run, which are then
        not trained.
    any_teacher : learn from a teacher whose validation is worse than the recipe requires.
    start : model file that the ternary model starts from, of the same cell and units; of its symbols those
        that the text has too keep their embedding and their row of the head.

    Returns
    -------
    Model or None
        The trained model, as it was written; None where ``roles`` has not the ternary one.
        Under ``torchrun`` all processes train together; the first one measures and writes, and the others
        return None.

    Raises
    ------
    TrineError
        If there is no such recipe, or its file or its data is wrong; if training is interrupted or the loss
        is no number, where checkpoints remain; and, before anything is trained, if the model, the record or
        a checkpoint cannot be written or another process trains in the same folder.

    Notes
    -----
    The ternary cell, its quantisers and its straight-through gradients follow HitNet (Wang et al., NeurIPS
    2018).

    Examples
    --------
    >>> from dataclasses import replace
    >>> recipe = trine.Recipe.named("shakespeare-small")
    >>> quick = replace(recipe, name="quick", schedule=replace(recipe.schedule, epochs=1))
    >>> model = trine.train(quick, roles=["ternary"])
    quick ternary epoch 1: ...
    quick.trine: validation ... nats per character
    >>> sorted(trine.evaluate(model, "To be, or not to be"))
    ['bits_per_token', 'nats_per_token', 'perplexity', 'tokens']
    """
    chosen = recipe if isinstance(recipe, Recipe | SequenceRecipe) else recipe_named(recipe)
    console = console or Console()
    out = Path(out or f"{chosen.name}.trine")
    beside = Path() if is_special(out) else out.parent
    results = beside if results is None else Path(results)
    if chosen is not recipe and str(recipe).endswith(".toml"):
        check_apart([out], [Path(str(recipe))])
    if isinstance(chosen, SequenceRecipe):
        if teachers:
            raise TrineError(f"{chosen.name} is a recipe of sequences, and takes no --teacher")
        if start is not None:
            raise TrineError(f"{chosen.name} is a recipe of sequences, and takes no --start")
        return train_sequences(
            chosen,
            out=out,
            runs=runs,
            results=results,
            resume=resume,
            device=device,
            threads=threads,
            roles=cast(Sequence[SequenceRole] | None, roles),
            console=console,
        )
    if chosen.states != TRITS:
        raise TrineError(
            f"{chosen.name} has other states than three, which no engine runs: leave out [states]"
        )
    if isinstance(chosen.dataset, OwnText):  # what it is now is what is trained on
        chosen = replace(chosen, dataset=chosen.dataset.pinned())
    torch.set_num_threads(threads)
    keep_freed_memory()
    where = training_device(device)
    written = [out, *(results / f"{chosen.name}-training{suffix}" for suffix in (".json", ".csv"))]
    read = [] if isinstance(chosen.dataset, str) else list(files_of(chosen.dataset))
    check_apart(written, read if start is None else [*read, Path(start)])
    begun = None if start is None else Model.load(start)
    for path in written:  # better now than after hours
        check_writable(path)
    folder = Path(runs) / chosen.name
    check_folder(folder)
    files = tuple(Path(path) for path in teachers)
    of_files = taught_by_files(chosen, len(files)) if files else chosen
    with Ranks.joined(where) as ranks:
        wanted = tuple(roles or chosen.roles)
        if unknown := set(wanted) - set(chosen.roles):
            raise TrineError(f"{chosen.name} has no {min(unknown)}; there are {', '.join(chosen.roles)}")
        if roles and files:
            check_not_given(of_files, roles, len(files))
        finished = train_roles(
            of_files,
            wanted,
            folder,
            resume,
            console,
            where,
            ranks,
            files=files,
            any_teacher=any_teacher,
            start=begun,
        )
        if not ranks.first:
            return None
    if "ternary" not in finished:
        if "ternary" not in wanted:
            return None
        raise TrineError("the ternary model is not trained yet, so there is no model to write")
    return write_model(chosen, finished, out, results, console)


def train_roles(
    chosen: Recipe,
    wanted: Sequence[Role],
    folder: Path,
    resume: bool,
    console: Console,
    device: torch.device,
    ranks: Ranks = Ranks(),  # noqa: B008 (frozen)
    *,
    files: Sequence[Path] = (),
    any_teacher: bool = False,
    start: Model | None = None,
) -> dict[Role, Run]:
    """Train the wanted roles of a recipe in a folder of checkpoints; the runs that are finished there.

    Checkpoints of roles that are not wanted are read. Teachers that are in files are not trained; any may
    teach, or those whose validation is as the recipe requires. Raises :class:`TrineError` as :func:`train`
    does, and where another process trains in the folder.
    """
    # Files that are not here yet are downloaded once, and what is wrong with one shows before hours of work.
    ranks.of_first(lambda: check_text(chosen.dataset))
    check_start(chosen, wanted, start)
    # Checkpoints are looked at and written by one run alone.
    lock = exclusive(folder / ".lock", f"the folder {folder}") if ranks.first else nullcontext()
    with lock:
        given = given_teachers(chosen, files, ranks) if files else {}
        return _train_roles(chosen, wanted, folder, resume, console, device, ranks, given, any_teacher, start)


def _train_roles(
    chosen: Recipe,
    wanted: Sequence[Role],
    folder: Path,
    resume: bool,
    console: Console,
    device: torch.device,
    ranks: Ranks,
    given: Mapping[Role, TeacherFile],
    any_teacher: bool,
    start: Model | None,
) -> dict[Role, Run]:
    wanted = [role for role in wanted if role not in given]
    for role in wanted:
        if not resume and (folder / f"{role}.pt").exists():
            raise TrineError(holds_a_run(folder / f"{role}.pt", folder))
    if ranks.first:
        remove_leftovers(folder)
    numerics = Numerics.fastest(device)
    finished: dict[Role, Run] = {}
    ready: dict[Role, AnyModel] = {role: file.model for role, file in given.items()}
    nats: dict[Role, float] = {role: file.valid_nats for role, file in given.items()}
    digests = [file.digest for file in given.values()]
    for role in chosen.roles:
        if role in given:
            continue
        path = folder / f"{role}.pt"
        if role not in wanted and not path.exists():
            continue
        if role in wanted:
            check_validation(chosen, role, nats, any_teacher, console)
        run = Run(chosen, role, path, console, ready, numerics, device, ranks, digests, start)
        if role not in wanted or (resume and path.exists()):
            run.resume()
        if role in wanted:
            run.fit()
        if run.finished:
            finished[role] = run
            ready[role] = run.best_model()
            nats[role] = run.best["valid_nats"]
            if role in wanted and ranks.first:
                keep_teacher(run, console)
    return finished
