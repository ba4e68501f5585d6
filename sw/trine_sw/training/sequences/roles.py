"""The networks that a sequence recipe trains, each as it stands before its first update."""

import copy
import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from trine_sw.data.sequences import SequenceSet
from trine_sw.support.errors import TrineError
from trine_sw.training.nn.encoder import TernaryEncoder
from trine_sw.training.nn.linear import TernaryLinear
from trine_sw.training.sequences.networks import (
    FloatSequenceNetwork,
    SequenceNetwork,
    TernarySequenceNetwork,
)
from trine_sw.training.sequences.recipe import SequenceRecipe, SequenceRole, SequenceSchedule
from trine_sw.training.sequences.statistics import Statistics

__all__ = ["new_network", "new_optimizer", "teacher_of"]


def new_network(
    recipe: SequenceRecipe, role: SequenceRole, seed: int, train: SequenceSet, statistics: Statistics
) -> SequenceNetwork:
    """The network of a role, from its seed and from what the training set says of features."""
    torch.manual_seed(seed)
    schedule, shape = recipe.schedule_of(role), recipe.network
    options = {
        "every_step": recipe.task == "label",
        "reduction": shape.reduction,
        "dropout": schedule.dropout,
        "head_dropout": schedule.head_dropout,
    }
    if role == "ternary":
        encoding = recipe.encoder
        encoder = TernaryEncoder(
            train.features, encoding.trits, encoding.differences, learned=encoding.learned
        ).fit_quantiles(train.x, encoding.quantiles)
        head = TernaryLinear(shape.hidden, train.outputs, regression=recipe.task == "regress")
        if recipe.task == "regress":
            head.fit_targets(np.asarray(train.y))
        if shape.reduction == "sum":  # logits of as many steps; a rate of learning is for those of one
            with torch.no_grad():
                head.log_scale.sub_(math.log(train.lengths.mean()))
        return TernarySequenceNetwork(encoder, head, shape, recipe.options, **options)
    sizes = {"cell": shape.cell, "hidden": shape.hidden, "layers": shape.layers}
    if role == "teacher":
        assert recipe.teacher is not None
        sizes = {name: getattr(recipe.teacher, name) for name in sizes}
    targets = Statistics.of_targets(train) if recipe.task == "regress" else None
    return FloatSequenceNetwork(statistics, train.outputs, targets, **sizes, **options)


def teacher_of(
    recipe: SequenceRecipe, role: SequenceRole, ready: Mapping[SequenceRole, SequenceNetwork]
) -> SequenceNetwork | None:
    """The trained network that this role learns from, in evaluation mode; None where it learns from none.

    Raises :class:`TrineError` where it is not ``ready``.
    """
    if role != "ternary" or recipe.teacher is None:
        return None
    needed: SequenceRole = "teacher" if recipe.teacher.hidden else "float"
    if needed not in ready:
        raise TrineError(f"{recipe.name} needs its {needed} model trained first")
    return copy.deepcopy(ready[needed]).eval().requires_grad_(False)


def new_optimizer(
    network: nn.Module, schedule: SequenceSchedule, encoder_rate: float
) -> torch.optim.Optimizer:
    """Adam, in groups that know which ``share`` of the learning rate is theirs; matrices alone decay."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            of_encoder = name.startswith("encoder.")
            decays = parameter.dim() == 2 and not of_encoder
            key = encoder_rate if of_encoder else 1.0, schedule.weight_decay if decays else 0.0
            groups.setdefault(key, []).append(parameter)
    grouped = [
        {"params": members, "share": share, "weight_decay": decay}
        for (share, decay), members in groups.items()
    ]
    return torch.optim.AdamW(grouped, lr=schedule.learning_rate, fused=True)
