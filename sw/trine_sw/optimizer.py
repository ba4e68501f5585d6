"""What moves the weights of a model."""

import torch
from torch import Tensor, nn

from trine_sw.recipes import Schedule

__all__ = ["new_optimizer", "set_rate"]


def new_optimizer(model: nn.Module, schedule: Schedule) -> torch.optim.Optimizer:
    """The optimizer of a schedule, in groups that know which ``share`` of the learning rate is theirs."""
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            share, decay = (schedule.head_rate, schedule.head_decay) if "head" in name else (1.0, 0.0)
            groups.setdefault((share, decay if parameter.dim() == 2 else 0.0), []).append(parameter)
    grouped = [
        {"params": members, "share": share, "weight_decay": decay}
        for (share, decay), members in groups.items()
    ]
    if schedule.optimizer == "sgd":
        return torch.optim.SGD(grouped, lr=schedule.learning_rate, fused=True)
    return torch.optim.AdamW(grouped, lr=schedule.learning_rate, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group its share of this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["share"] * rate
