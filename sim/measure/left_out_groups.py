"""How well a recipe does on groups, such as speakers, that it has not been trained on.

    python -m sim.measure.left_out_groups spoken-digits-small            # prints a row a group
    python -m sim.measure.left_out_groups spoken-digits-small --results  # and records all of them

For each group the recipe's models are trained on all sequences of the other groups and measured on its own.
There is no validation: each run's last epoch counts, and nothing is chosen by what is measured.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from trine_sw.data.loading import load_splits
from trine_sw.data.source import HeldOut
from trine_sw.support.atomic_file import atomic_write, check_writable
from trine_sw.support.errors import TrineError
from trine_sw.support.json_text import json_text
from trine_sw.training.code_version import code_version
from trine_sw.training.recipes import recipe as recipe_named
from trine_sw.training.sequences.recipe import SequenceRecipe
from trine_sw.training.sequences.train import train_sequences

__all__ = ["groups_of", "left_out", "measure"]

RESULTS = Path(__file__).resolve().parents[2] / "docs/results"


def groups_of(recipe: SequenceRecipe) -> list[str]:
    """The groups of a recipe's sequences, at least two."""
    every = load_splits(replace(recipe.data, valid=None, test=None), recipe.task)["train"]
    found = sorted(set(every.groups or []))
    if len(found) < 2:
        raise TrineError(f"the sequences of {recipe.name} are not of several groups")
    return found


def left_out(recipe: SequenceRecipe, group: str) -> SequenceRecipe:
    """The recipe that is trained on all other groups and tested on this one, with its first seed alone."""
    data = replace(recipe.data, valid=None, test=HeldOut(groups=(group,)))
    return replace(recipe, name=f"{recipe.name}-without-{group}", data=data, seeds=recipe.seeds[:1])


def measure(recipe: SequenceRecipe, runs: Path, console: Console) -> dict[str, Any]:
    """Figures of each group when it is left out, by role, and their mean over the groups."""
    rows: dict[str, dict[str, Any]] = {}
    for group in groups_of(recipe):
        without = left_out(recipe, group)
        out = runs / without.name / "model.trine"
        resume = any((runs / without.name).glob("seed-*/*.pt"))
        record = train_sequences(
            without, out=out, runs=runs, resume=resume, console=Console(quiet=True)
        ).training
        rows[group] = {role: record["over_seeds"][role]["test"] for role in without.roles}
        rows[group] = {
            role: {name: figure["mean"] for name, figure in figures.items()}
            for role, figures in rows[group].items()
        }
        console.print(f"{group}: {rows[group]}", soft_wrap=True)
    mean = {
        role: {name: float(np.mean([row[role][name] for row in rows.values()])) for name in figures}
        for role, figures in next(iter(rows.values())).items()
    }
    console.print(f"mean: {mean}", soft_wrap=True)
    return {"recipe": asdict(recipe), "code_version": code_version(), "groups": rows, "mean": mean}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the checkpoints")
    parser.add_argument("--epochs", type=int, help="of the ternary models, instead of the recipe's")
    parser.add_argument("--results", action="store_true", help="record the figures in docs/results")
    given = parser.parse_args()
    chosen = recipe_named(given.recipe)
    if not isinstance(chosen, SequenceRecipe):
        raise SystemExit(f"{given.recipe} is no recipe of a model of sequences")
    if given.epochs is not None:
        chosen = replace(chosen, schedule=replace(chosen.schedule, epochs=given.epochs))
    path = RESULTS / f"{chosen.name}-groups.json"
    if given.results:
        check_writable(path)
    record = measure(chosen, given.runs, Console())
    if given.results:
        with atomic_write(path) as file:
            file.write((json_text(record, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
