"""Processor time of an update of each model of a recipe, with what it learns from, and of an epoch.

    python -m sim.measure.training_step ptb-lstm-300-taught --role teacher --updates 5

Models are untrained. The time is that of the process (``time.process_time``) on one thread, with the
numerics that ``trine train`` takes on this machine, so that other programs hardly change it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from rich.console import Console

from trine_sw.training.allocator import keep_freed_memory
from trine_sw.training.loop.run import Run
from trine_sw.training.models.roles import AnyModel, new_model
from trine_sw.training.nn.recurrence import Numerics
from trine_sw.training.recipes import Recipe, Role, language_recipe

__all__ = ["step_seconds"]

_WARM = 2


def step_seconds(recipe: Recipe, role: Role, updates: int) -> tuple[float, float]:
    """Median processor seconds of an update of a role, and what an epoch takes at that rate."""
    ready: dict[Role, AnyModel] = {}
    for needed in recipe.roles[: recipe.roles.index(role)]:
        ready[needed] = new_model(recipe, needed, ready).eval()
    with tempfile.TemporaryDirectory() as folder:
        numerics = Numerics.fastest(torch.device("cpu"))
        run = Run(recipe, role, Path(folder) / f"{role}.pt", Console(quiet=True), ready, numerics)
        run.model.sampler = run.sampler
        inputs, targets = run._streams()
        times = []
        for number in range(_WARM + updates):
            window = slice(number * run.schedule.steps, (number + 1) * run.schedule.steps)
            start = time.process_time()
            run._step(inputs[window], targets[window])
            run.update += 1
            times.append(time.process_time() - start)
        step = statistics.median(times[_WARM:])
        return step, step * run.updates


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipe")
    parser.add_argument("--role", action="append", help="By default all of the recipe.")
    parser.add_argument("--updates", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    recipe = language_recipe(arguments.recipe)
    for role in arguments.role or recipe.roles:
        step, epoch = step_seconds(recipe, role, arguments.updates)
        hours = epoch * recipe.schedule_of(role).epochs / 3600
        print(f"{role}: {1e3 * step:.0f} ms an update, {epoch:.0f} s an epoch, {hours:.1f} h in all")


if __name__ == "__main__":
    main()
