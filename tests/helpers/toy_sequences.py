"""Toy sets of ragged sequences that a small network learns in a second."""

import numpy as np

from trine_sw.data.source import HeldOut, SequenceSource
from trine_sw.training.nn.layers import CellOptions
from trine_sw.training.sequences.recipe import Network, SequenceRecipe, SequenceSchedule

__all__ = ["toy_archive", "toy_recipe"]


def toy_archive(path, task, count=60, seed=0):
    """Write ragged sequences of 3 features, of which one is constant; what is asked for is in the others."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 12, count)
    x, y = [], []
    for number, length in enumerate(lengths):
        sign = 1 if number % 2 else -1
        features = rng.standard_normal((length, 3))
        features[:, 0] += 2 * sign
        features[:, 2] = 4.0
        x.append(features.astype(np.float32))
        if task == "classify":
            y.append(["down", "up"][number % 2])
        elif task == "label":
            y += list((features[:, 0] > 0).astype(int))
        else:
            y.append([3.0 + 0.5 * sign, 10.0 * sign])
    targets = np.array(y, np.float64) if task == "regress" else np.array(y)
    np.savez(path, x=np.concatenate(x), lengths=lengths, y=targets)
    return path


def toy_recipe(path, task, **changes):
    """A recipe that trains on such a file in a second."""
    schedule = SequenceSchedule(epochs=4, batch=16, learning_rate=2e-2)
    members = {
        "name": "toy",
        "task": task,
        "data": SequenceSource(path=str(path), valid=HeldOut(share=0.2), test=HeldOut(share=0.2)),
        "network": Network(hidden=8),
        "options": CellOptions(scale="norm", harden=(0.1, 0.5)),
        "schedule": schedule,
    }
    return SequenceRecipe(**members | changes)
