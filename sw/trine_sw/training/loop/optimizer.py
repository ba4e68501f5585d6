"""Optimizer of a model and its learning-rate schedule."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from trine_sw.training.models.language_model import LanguageModel
from trine_sw.training.recipes import Schedule

__all__ = ["cosine_rate", "learning_rate", "new_optimizer", "set_rate"]


def new_optimizer(model: LanguageModel, schedule: Schedule) -> torch.optim.Optimizer:
    """The optimizer of a schedule, in groups that know which ``share`` of the learning rate is theirs."""
    groups: dict[tuple[float, float], list[Tensor]] = {}
    of_head = {id(parameter) for parameter in model.head_parameters()}
    for parameter in model.parameters():
        if parameter.requires_grad:
            share, decay = 1.0, schedule.weight_decay
            if id(parameter) in of_head:
                share, decay = schedule.head_rate, schedule.head_decay if parameter.dim() == 2 else 0.0
                share *= schedule.scale_rate if parameter.dim() == 0 else 1.0
            groups.setdefault((share, decay), []).append(parameter)
    grouped = [
        {"params": members, "share": share, "weight_decay": decay}
        for (share, decay), members in groups.items()
    ]
    if schedule.optimizer == "sgd":
        return torch.optim.SGD(grouped, lr=schedule.learning_rate, fused=True)
    return torch.optim.AdamW(grouped, lr=schedule.learning_rate, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group its share of this learning rate: on a GPU as a tensor, always the same one, which a
    captured update reads."""
    for group in optimizer.param_groups:
        device = group["params"][0].device
        group["capturable"] = device.type == "cuda"  # whatever a checkpoint of another device says
        if device.type != "cuda":
            group["lr"] = group["share"] * rate
            continue
        if not (isinstance(group["lr"], Tensor) and group["lr"].device == device):
            group["lr"] = torch.empty((), device=device)
        group["lr"].fill_(group["share"] * rate)


def learning_rate(schedule: Schedule, position: int, updates: int, nats: Sequence[float]) -> float:
    """The rate at update ``position`` of a run of ``updates`` an epoch, whose finished epochs validated at
    ``nats``."""
    if position >= schedule.warmup and schedule.decay == "constant":
        return schedule.learning_rate
    if position >= schedule.warmup and schedule.decay == "plateau":
        worse = sum(later >= min(nats[:epoch]) for epoch, later in enumerate(nats) if epoch)
        return schedule.learning_rate * 0.25**worse
    return cosine_rate(schedule.learning_rate, schedule.warmup, position, schedule.epochs * updates)


def cosine_rate(peak: float, warmup: int, position: int, total: int) -> float:
    """The rate at update ``position`` of ``total``: up to a peak, then down along a cosine to a fiftieth.

    >>> [cosine_rate(1.0, 2, position, 4) for position in range(4)]
    [0.5, 1.0, 1.0, 0.51]
    """
    if position < warmup:
        return peak * (position + 1) / warmup
    return peak * (0.51 + 0.49 * math.cos(math.pi * (position - warmup) / max(1, total - warmup)))
