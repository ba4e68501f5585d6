"""Where the gates of a cell change their value: fixed thresholds, or random ones about the same mean."""

import math
from typing import Literal

import torch
from torch import Tensor

from trine_sw.model.config import ModelConfig

__all__ = ["GATE_KINDS", "gate_thresholds", "random_thresholds"]

GateKind = Literal["switch", "keep", "trit", "none"]
#: What a gate's rows give: {0, 1}, {0, 1/2, 1}, {-1, 0, 1}, or nothing of their own. Keep and trit have a low
#: threshold too; each cell has one of both, the keep gate first.
GATE_KINDS: dict[str, tuple[GateKind, ...]] = {
    "lstm": ("switch", "keep", "trit", "switch"),
    "gru": ("keep", "switch", "trit", "none"),
}


def gate_thresholds(config: ModelConfig, slope: float, three_state: bool) -> tuple[Tensor, Tensor]:
    """Thresholds of z: low (2H,) of the keep gate and the trit, and high (4H,) of all rows.

    They are where sigmoid(slope z) is 1/2 (switch, and keep of two states), 1/4 and 3/4 (keep), and where
    tanh(slope z) is -1/2 and 1/2 (trit).
    """
    keep = math.log(3) / slope if three_state else 0.0
    trit = math.atanh(0.5) / slope
    of_kind = {"switch": 0.0, "keep": keep, "trit": trit, "none": 0.0}
    high = torch.tensor([of_kind[kind] for kind in GATE_KINDS[config.cell]])
    low = torch.tensor([-keep, -trit])
    return low.repeat_interleave(config.hidden), high.repeat_interleave(config.hidden)


def random_thresholds(z: Tensor, cell: str, slope: float, three_state: bool) -> tuple[Tensor, Tensor]:
    """The same, for z (..., 4H), drawn so that every gate is random with the activation as its mean.

    Low is (..., 2H), high is as z.
    """
    kinds = GATE_KINDS[cell]
    chance = torch.rand_like(z).clamp(1e-6, 1 - 1e-6).unflatten(-1, (4, -1))
    of_keep, of_trit = chance[..., kinds.index("keep"), :], chance[..., kinds.index("trit"), :]
    high = torch.logit(chance)
    high[..., kinds.index("trit"), :] = torch.atanh(of_trit)
    low_keep = high[..., kinds.index("keep"), :].clone()
    if three_state:
        low_keep = torch.logit((1 - of_keep) / 2)
        high[..., kinds.index("keep"), :] = torch.logit(1 - of_keep / 2)
    low = torch.cat([low_keep, -torch.atanh(of_trit)], dim=-1)
    return low / slope, high.flatten(-2) / slope
