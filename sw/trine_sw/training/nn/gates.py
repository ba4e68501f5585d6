"""Where the gates of a cell change their value: fixed thresholds, or random ones about the same mean."""

import math

import torch
from torch import Tensor

from trine_sw.model.cells import CELLS
from trine_sw.model.config import ModelConfig

__all__ = ["gate_thresholds", "random_thresholds"]


def gate_thresholds(config: ModelConfig, slope: float, three_state: bool) -> tuple[Tensor, Tensor]:
    """Thresholds of z: low (2H,) of the blend gate and of the trit, and high (rows,) of all.

    They are where sigmoid(slope z) is 1/2 (switch, and blend of two states), 1/4 and 3/4 (blend), and where
    tanh(slope z) is -1/2 and 1/2 (trit).
    """
    blend = math.log(3) / slope if three_state else 0.0
    trit = math.atanh(0.5) / slope
    of_kind = {"switch": 0.0, "blend": blend, "trit": trit, None: 0.0}
    high = torch.tensor([of_kind[gate.kind] for gate in config.spec.gates])
    low = torch.tensor([-blend, -trit])
    return low.repeat_interleave(config.hidden), high.repeat_interleave(config.hidden)


def random_thresholds(z: Tensor, cell: str, slope: float, three_state: bool) -> tuple[Tensor, Tensor]:
    """The same, for z (..., rows), drawn so that every gate is random with the activation as its mean.

    Low is (..., 2H), high is as z.
    """
    spec = CELLS[cell]
    chance = torch.rand_like(z).clamp(1e-6, 1 - 1e-6).unflatten(-1, (spec.rows, -1))
    of_blend, of_trit = chance[..., spec.blend, :], chance[..., spec.candidate, :]
    high = torch.logit(chance)
    high[..., spec.candidate, :] = torch.atanh(of_trit)
    low_blend = high[..., spec.blend, :].clone()
    if three_state:
        low_blend = torch.logit((1 - of_blend) / 2)
        high[..., spec.blend, :] = torch.logit(1 - of_blend / 2)
    low = torch.cat([low_blend, -torch.atanh(of_trit)], dim=-1)
    return low / slope, high.flatten(-2) / slope
