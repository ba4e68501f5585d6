"""The record of a training: figures of each seed, their mean and spread, and the confusions."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from trine_sw.data.figures import confusion, figures_of
from trine_sw.data.sequences import SequenceSet, Targets
from trine_sw.golden.sequences import run_sequences
from trine_sw.model import Model
from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.json_text import json_text
from trine_sw.training.code_version import code_version
from trine_sw.training.loop.log import csv_of
from trine_sw.training.sequences.confusions import draw_confusions
from trine_sw.training.sequences.measure import answers_of
from trine_sw.training.sequences.recipe import SequenceRecipe, SequenceRole
from trine_sw.training.sequences.seeds import Trained

__all__ = ["mean_and_spread", "record_paths", "write_record"]

_HELD_OUT = ("valid", "test")
_MOST_CLASSES = 100  # whose confusions are recorded in full: a model file has the record in it


def record_paths(recipe: SequenceRecipe, folder: Path) -> list[Path]:
    """The files of a recipe's record in a folder: figures, log and, of classes, the figure of confusions."""
    ends = ["training.json", "training.csv"] + (["confusions.svg"] if recipe.task != "regress" else [])
    return [folder / f"{recipe.name}-{end}" for end in ends]


def write_record(
    recipe: SequenceRecipe,
    trained: Sequence[Trained],
    splits: Mapping[str, SequenceSet],
    digest: str,
    out: Path,
    folder: Path,
    console: Console,
) -> Model:
    """Measure the models of all seeds; write the ternary one with the best validation, and the record.

    Ternary models are measured by the golden model. Returns the model as it was written.
    """
    chosen = max(trained, key=lambda each: each.runs["ternary"].quality)
    rows = [_figures(each, splits) for each in trained]
    roles = tuple(chosen.runs)
    record: dict[str, Any] = {
        "recipe": asdict(recipe),
        "data": {"digest": digest, "sequences": {name: len(part) for name, part in splits.items()}},
        "code_version": code_version(),
        "seeds": {str(each.seed): row for each, row in zip(trained, rows, strict=True)},
        "over_seeds": {role: mean_and_spread([_held_out(row[role]) for row in rows]) for role in roles},
        "model_of_seed": chosen.seed,
    }
    model = chosen.model
    last = next((name for name in reversed(_HELD_OUT) if name in splits), "train")
    counts = None
    if recipe.task != "regress":
        part = splits[last]
        counts = confusion(part.y, _answers(chosen, "ternary", part), part.outputs)
        record["confusions"] = {"split": last} | _confusions(counts)
    model.training = record
    model.save(out)
    paths = record_paths(recipe, folder)
    with atomic_write(paths[0]) as file:
        file.write((json_text(record, indent=2) + "\n").encode())
    with atomic_write(paths[1]) as file:
        file.write(csv_of(_log(trained)))
    if counts is not None:
        labels = splits[last].labels or [str(number) for number in range(splits[last].outputs)]
        title = f"{recipe.name}, {last}, seed {chosen.seed}"
        draw_confusions(counts, labels, title, paths[2], console)
    _tell(recipe, record, last, out, console)
    return model


def mean_and_spread(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean of each figure over the seeds, and the standard deviation of a sample, None of one seed alone.

    Rows are figures by name, of which some are figures by name again.

    >>> mean_and_spread([{"test": {"accuracy": 0.5}}, {"test": {"accuracy": 1.0}}])
    {'test': {'accuracy': {'mean': 0.75, 'spread': 0.35355}}}
    """
    found: dict[str, Any] = {}
    for name, first in rows[0].items():
        values = [row[name] for row in rows]
        if isinstance(first, Mapping):
            found[name] = mean_and_spread(values)
        else:
            spread = round(float(np.std(values, ddof=1)), 5) if len(values) > 1 else None
            found[name] = {"mean": round(float(np.mean(values)), 5), "spread": spread}
    return found


def _confusions(counts: NDArray[Any]) -> dict[str, Any]:
    """Counts (K, K) as a record has them; of many classes, those above 0 alone.

    >>> _confusions(np.array([[2, 0], [1, 3]]))
    {'counts': [[2, 0], [1, 3]]}
    """
    if len(counts) <= _MOST_CLASSES:
        return {"counts": counts.tolist()}
    return {"is_taken_for_count": [[*place, counts[tuple(place)]] for place in np.argwhere(counts).tolist()]}


def _answers(trained: Trained, role: SequenceRole, sequences: SequenceSet) -> Targets:
    """What a model says of sequences; of the ternary one, what the golden model says."""
    if role == "ternary":
        outputs = run_sequences(trained.model, sequences.x)
        answers = outputs.values if outputs.classes is None else outputs.classes
        assert answers is not None
        return answers
    run = trained.runs[role]
    return answers_of(run.network, sequences, run.device)


def _figures(trained: Trained, splits: Mapping[str, SequenceSet]) -> dict[str, Any]:
    """Figures of the models of one seed, by role."""
    found: dict[str, Any] = {}
    for role, run in trained.runs.items():
        row: dict[str, Any] = {
            "epochs": run.epoch,
            "best": {name: value for name, value in run.best.items() if name not in ("model", "seconds")},
            "parameters": sum(parameter.numel() for parameter in run.network.parameters()),
            "seconds": round(run.seconds, 1),
        }
        # Without anything held out, what it was trained on is all that there is.
        for name in [name for name in _HELD_OUT if name in splits] or ["train"]:
            part = splits[name]
            row[name] = figures_of(run.recipe.task, part.y, _answers(trained, role, part))
        found[role] = row
    return found


def _held_out(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in (*_HELD_OUT, "train") if name in row}


def _log(trained: Sequence[Trained]) -> list[dict[str, Any]]:
    """A row of each epoch of each run; all with the same names."""
    return [
        {"seed": each.seed, "role": role} | row
        for each in trained
        for role, run in each.runs.items()
        for row in run.log
    ]


def _tell(recipe: SequenceRecipe, record: Mapping[str, Any], split: str, out: Path, console: Console) -> None:
    for role in record["over_seeds"]:
        parts = []
        for name, figure in record["over_seeds"][role][split].items():
            spread = "" if figure["spread"] is None else f" ± {figure['spread']:.4f}"
            parts.append(f"{name} {figure['mean']:.4f}{spread}")
        console.print(f"{recipe.name} {role}, {split}: {', '.join(parts)}", highlight=False, soft_wrap=True)
    console.print(f"{out}: of seed {record['model_of_seed']}", highlight=False, soft_wrap=True)
