"""The models of a recipe's roles, trained from one seed, and the ternary one as a model file has it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from trine_sw.data.sequences import SequenceSet
from trine_sw.model import Model, ModelSample
from trine_sw.training.models.export import export_network
from trine_sw.training.models.network_parts import find_parts
from trine_sw.training.nn.recurrence import Numerics, can_compile
from trine_sw.training.sequences.networks import SequenceNetwork
from trine_sw.training.sequences.recipe import SequenceRecipe, SequenceRole
from trine_sw.training.sequences.run import SequenceRun

__all__ = ["Trained", "train_seed"]

_WORTH_COMPILING = 20_000
"""Steps of batches of a training that takes longer than the compiler, which saves a millisecond at each."""


@dataclass(frozen=True)
class Trained:
    """What one seed gave: finished runs, whose networks have their best epochs' weights, and a model."""

    seed: int
    runs: Mapping[SequenceRole, SequenceRun]
    model: Model


def train_seed(
    recipe: SequenceRecipe,
    roles: Sequence[SequenceRole],
    seed: int,
    splits: Mapping[str, SequenceSet],
    digest: str,
    folder: Path,
    resume: bool,
    console: Console,
    device: torch.device,
) -> Trained:
    """Train the models of these roles from one seed, with checkpoints in a folder.

    Raises :class:`TrineError` where training is interrupted or a checkpoint cannot be taken up.
    """
    numerics = _numerics(recipe, splits["train"], device)
    runs: dict[SequenceRole, SequenceRun] = {}
    ready: dict[SequenceRole, SequenceNetwork] = {}
    train, valid = splits["train"], splits.get("valid")
    for role in roles:
        path = folder / f"{role}.pt"
        run = SequenceRun(recipe, role, seed, path, train, valid, digest, console, ready, numerics, device)
        if resume and path.exists():
            run.resume()
        run.fit()
        runs[role], ready[role] = run, run.best_network()
    return Trained(seed, runs, _model(recipe, ready["ternary"], train, digest))


def _numerics(recipe: SequenceRecipe, train: SequenceSet, device: torch.device) -> Numerics:
    """How to compute: on a CPU in float32, which is faster than bfloat16 where matrices are small."""
    if device.type == "cuda":
        return Numerics.fastest(device)
    steps = recipe.schedule.epochs * int(train.lengths.sum()) / min(recipe.schedule.batch, len(train))
    return Numerics(compiled=steps >= _WORTH_COMPILING and can_compile())


def _model(recipe: SequenceRecipe, network: SequenceNetwork, train: SequenceSet, digest: str) -> Model:
    described: dict[str, Any] = {
        "task": recipe.task,
        "labels": train.labels,
        "inputs": train.inputs,
        "sample_rate": train.sample_rate,
        "front_end": train.front_end,
        "reduction": recipe.network.reduction,
        "data": {"source": asdict(recipe.data), "digest": digest},
    }
    described = {name: value for name, value in described.items() if value is not None}
    model = export_network(find_parts(network), described)
    assert model.encoder is not None
    encode, order = model.encoder.trits, np.random.default_rng(0).permutation(len(train))
    model.sample = ModelSample.of(encode(train.x[index]) for index in order)
    return model
