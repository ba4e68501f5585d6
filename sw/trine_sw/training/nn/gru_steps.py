"""One step of the ternary GRU in training: hard values forward, derivatives of the soft ones back."""

from dataclasses import dataclass

import torch
from torch import Tensor

from trine_sw.model.config import ModelConfig
from trine_sw.training.nn.cell_output import blended_output, output_slopes

__all__ = ["GRUSteps"]


@dataclass(frozen=True)
class GRUSteps:
    """The step of :class:`trine_sw.training.nn.recurrence.Steps` for rows z, r, nx, nh.

    The preactivations that it gives are those of z, of r, of n with what r lets through, and nh's alone,
    which is the derivative of n's by r. The parameters are those of
    :class:`trine_sw.training.nn.lstm_steps.LSTMSteps`.
    """

    config: ModelConfig
    slope: float
    window: float
    product: torch.dtype
    blended: bool = False

    def forward(
        self,
        sums_x: Tensor,
        sums_h: Tensor,
        scale: Tensor,
        bias: Tensor,
        high: Tensor,
        low: Tensor,
        c: Tensor,
        hard: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        size = self.config.hidden
        sums_x, sums_h = sums_x.float(), sums_h.float()
        gates = slice(0, 2 * size)
        of_gates = (sums_x[:, gates] + sums_h[:, gates]) * scale[gates] + bias[gates]
        r = (of_gates[:, size:] >= high[..., size : 2 * size]).to(c.dtype)
        if self.blended:
            r = torch.lerp(torch.sigmoid(of_gates[:, size:] * self.slope), r, hard)
        # x's columns of nx and h's of nh: the others are 0.
        of_x, of_h = sums_x[:, 2 * size : 3 * size], sums_h[:, 3 * size :]
        alpha, (bias_x, bias_h) = scale[2 * size : 3 * size], bias[2 * size :].split(size)
        of_n = (of_x + r * of_h) * alpha + (bias_x + r * bias_h)
        z = torch.cat([of_gates, of_n, of_h * alpha + bias_h], dim=-1)
        keep, _, m = self._gates(z, high, low, hard)
        moved = self._moved(c, keep, m)
        new = torch.trunc(moved)
        if self.blended:
            new = torch.lerp(moved, new, hard)
        h, u = blended_output(new, self.config, self.window, hard if self.blended else None)
        return new, h.to(self.product), u, z

    def backward(
        self,
        z: Tensor,
        before: Tensor,
        after: Tensor,
        high: Tensor,
        low: Tensor,
        gradient_h: Tensor,
        back: Tensor,
        gradient_u: Tensor,
        gradient_c: Tensor,
        hard: Tensor,
    ) -> tuple[Tensor, Tensor]:
        config, size = self.config, self.config.hidden
        keep, r, m = self._gates(z, high, low, hard)
        unit = float(1 << config.cell_shift)
        slope_h, slope_u = output_slopes(after, config, self.window)
        through = gradient_c + (gradient_h + back.float()) * slope_h + gradient_u * slope_u
        soft = torch.sigmoid(z[:, : 2 * size] * self.slope)
        d_keep, d_r = ((soft - soft * soft) * self.slope).split(size, dim=-1)
        tanh = torch.tanh(z[:, 2 * size : 3 * size] * self.slope)
        d_n = through * (1 - keep) * (1 - tanh * tanh) * (self.slope * unit)
        dz = torch.cat(
            [through * (before - m * unit) * d_keep, d_n * z[:, 3 * size :] * d_r, d_n, d_n * r], dim=-1
        )
        return dz.to(self.product), through * keep

    def _gates(self, z: Tensor, high: Tensor, low: Tensor, hard: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        size = self.config.hidden
        keep, r, n = (z[:, : 3 * size] >= high[..., : 3 * size]).to(z.dtype).split(size, dim=-1)
        keep = (keep + (z[:, :size] >= low[..., :size]).to(z.dtype)) * 0.5
        m = n - (z[:, 2 * size : 3 * size] <= low[..., size:]).to(z.dtype)
        if not self.blended:
            return keep, r, m
        soft_keep, soft_r = torch.sigmoid(z[:, : 2 * size] * self.slope).split(size, dim=-1)
        soft_m = torch.tanh(z[:, 2 * size : 3 * size] * self.slope)
        return torch.lerp(soft_keep, keep, hard), torch.lerp(soft_r, r, hard), torch.lerp(soft_m, m, hard)

    def _moved(self, c: Tensor, keep: Tensor, m: Tensor) -> Tensor:
        return c * keep + m * (1 - keep) * float(1 << self.config.cell_shift)
