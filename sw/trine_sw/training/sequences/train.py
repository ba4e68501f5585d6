"""Training of a sequence recipe: its models, measured, exported and recorded."""

import os
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from trine_sw.data.loading import load_splits, source_digest
from trine_sw.data.paths import files_of
from trine_sw.model import Model
from trine_sw.support.atomic_file import check_apart, check_folder, check_writable, remove_leftovers
from trine_sw.support.errors import TrineError
from trine_sw.support.file_lock import exclusive
from trine_sw.support.installing import needed
from trine_sw.training.loop.checkpoint import holds_a_run
from trine_sw.training.loop.distributed import training_device
from trine_sw.training.sequences.recipe import SequenceRecipe, SequenceRole
from trine_sw.training.sequences.record import record_paths, write_record
from trine_sw.training.sequences.seeds import train_seed

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
    roles: Sequence[SequenceRole] | None = None,
    console: Console | None = None,
) -> Model:
    """Train a recipe's models on sequences, measure them, and write the ternary one and its record.

    Parameters
    ----------
    recipe : what to train, and on what.
    out : model file, by default ``NAME.trine``, of the recipe's name.
    runs : folder of the checkpoints.
    results : folder of the record (``NAME-training.json``, ``.csv``) and of the figure of a classifier's
        confusions (``NAME-confusions.svg``, where matplotlib is installed); None: that of the checkpoints.
    resume : go on from the checkpoints; what is finished is not trained again. Without it, there must be
        none.
    device : ``"cpu"`` or ``"cuda"``; by default a GPU where there is one.
    threads : of PyTorch. Results depend on it in the last bits.
    roles : which to train, by default all that the recipe has; the ternary model is always among them.
    console : where progress is shown; standard output by default.

    Returns
    -------
    Model
        The ternary model of the seed with the best validation, as it was written.

    Raises
    ------
    TrineError
        If the data cannot be read or does not suit the task; if the ternary model is not among the roles, or
        learns from one that is not; if training is interrupted or the loss is no number, where checkpoints
        remain; and, before anything is trained, if a file cannot be written or another process trains in the
        same folder.
    """
    console = console or Console()
    torch.set_num_threads(threads)
    where = training_device(device)
    wanted = _wanted(recipe, roles)
    out = Path(out or f"{recipe.name}.trine")
    folder = Path(runs) / recipe.name
    kept = Path(results) if results is not None else folder
    written = (out, *record_paths(recipe, kept))
    check_apart(written, files_of(recipe.data))
    for path in written:  # better now than after hours
        check_writable(path)
    check_folder(folder)
    with needed("sklearn", "data", "measuring a model of sequences"):
        import sklearn  # noqa: F401
    splits, digest = load_splits(recipe.data, recipe.task), source_digest(recipe.data)
    for name, part in splits.items():
        console.print(f"{name}: {len(part)} sequences, {part.lengths.sum()} steps", highlight=False)
    with exclusive(folder / ".lock", f"the folder {folder}"):
        if not resume and (there := sorted(folder.glob("seed-*/*.pt"))):
            raise TrineError(holds_a_run(there[0], folder))
        remove_leftovers(folder)
        trained = [
            train_seed(recipe, wanted, seed, splits, digest, folder / f"seed-{seed}", resume, console, where)
            for seed in recipe.seeds
        ]
    return write_record(recipe, trained, splits, digest, out, kept, console)


def _wanted(recipe: SequenceRecipe, roles: Sequence[SequenceRole] | None) -> tuple[SequenceRole, ...]:
    """The roles to train, in the recipe's order."""
    if roles is None:
        return recipe.roles
    if "ternary" not in roles or not set(roles) <= set(recipe.roles):
        has = ", ".join(recipe.roles)
        raise TrineError(f"roles must be of {has}, with ternary among them, not {', '.join(roles) or 'none'}")
    if recipe.teacher is not None:
        needed: SequenceRole = "teacher" if recipe.teacher.hidden else "float"
        if needed not in roles:
            raise TrineError(f"the ternary model of {recipe.name} learns from its {needed} model: train both")
    return tuple(role for role in recipe.roles if role in roles)
