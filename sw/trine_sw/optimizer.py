"""What moves the weights of a model: one optimizer for all, or one for the cell and one for the words."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from trine_sw.recipes import Schedule

__all__ = ["Optimizers", "new_optimizer"]


class Optimizers:
    """Several optimizers, used as one. Each group knows the peak of its learning rate, ``peak``."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self.parts = parts
        for group in self.param_groups:
            group["peak"] = group["lr"]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for part in self.parts for group in part.param_groups]

    def set_rate(self, share: float) -> None:
        """Let every group have this share of its peak."""
        for group in self.param_groups:
            group["lr"] = share * group["peak"]

    def zero_grad(self) -> None:
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    def step(self) -> None:
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """Of all parts; of a single one as it is."""
        states = [part.state_dict() for part in self.parts]
        return states[0] if len(states) == 1 else {"parts": states}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for part, its_own in zip(self.parts, state.get("parts", [state]), strict=True):
            part.load_state_dict(dict(its_own))


def new_optimizer(model: nn.Module, schedule: Schedule) -> Optimizers:
    """The optimizer of a schedule for all of a model that is trained."""
    rates = {"embedding": schedule.embedding_rate, "head": schedule.head_rate}
    groups: dict[tuple[str, float, float], list[Tensor]] = {}
    mixed = schedule.optimizer == "mixed"
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        part = next((part for part in rates if part in name), None)
        decay = schedule.head_decay if part == "head" and parameter.dim() == 2 else 0.0
        kind = "sgd" if schedule.optimizer == "sgd" or (mixed and part) else "adam"
        whole = 1.0 if mixed and part else schedule.learning_rate
        groups.setdefault((kind, whole * (rates[part] if part else 1.0), decay), []).append(parameter)

    def of(wanted: str) -> list[dict[str, Any]]:
        return [
            {"params": members, "lr": rate, "weight_decay": decay}
            for (kind, rate, decay), members in groups.items()
            if kind == wanted
        ]

    parts: list[torch.optim.Optimizer] = []
    if of("adam"):
        parts.append(torch.optim.AdamW(of("adam"), betas=(0.9, schedule.memory), fused=True))
    if of("sgd"):
        parts.append(torch.optim.SGD(of("sgd"), fused=True))
    return Optimizers(*parts)
