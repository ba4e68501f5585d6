"""One step of the ternary minimal gated unit in training: hard values forward, soft derivatives back."""

from dataclasses import dataclass

import torch
from torch import Tensor

from trine_sw.model.config import ModelConfig
from trine_sw.training.nn.cell_output import blended_output, output_slopes

__all__ = ["MGUSteps"]


@dataclass(frozen=True)
class MGUSteps:
    """The step of :class:`trine_sw.training.nn.recurrence.Steps` for rows f, nx, nh.

    The preactivations that it gives are those of f, of n with what f lets through of h, and nh's alone, which
    is the derivative of n's by that. The parameters are those of
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
        of_f = (sums_x[:, :size] + sums_h[:, :size]) * scale[:size] + bias[:size]
        r = (of_f >= high[..., :size]).to(c.dtype)
        if self.blended:
            r = torch.lerp(torch.sigmoid(of_f * self.slope), r, hard)
        # x's columns of nx and h's of nh: the others are 0.
        of_x, of_h = sums_x[:, size : 2 * size], sums_h[:, 2 * size :]
        alpha, (bias_x, bias_h) = scale[size : 2 * size], bias[size:].split(size)
        of_n = (of_x + r * of_h) * alpha + (bias_x + r * bias_h)
        z = torch.cat([of_f, of_n, of_h * alpha + bias_h], dim=-1)
        take, _, m = self._gates(z, high, low, hard)
        moved = self._moved(c, take, m)
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
        take, r, m = self._gates(z, high, low, hard)
        unit = float(1 << config.cell_shift)
        slope_h, slope_u = output_slopes(after, config, self.window)
        through = gradient_c + (gradient_h + back.float()) * slope_h + gradient_u * slope_u
        soft = torch.sigmoid(z[:, :size] * self.slope)
        d_f = (soft - soft * soft) * self.slope
        tanh = torch.tanh(z[:, size : 2 * size] * self.slope)
        d_n = through * take * (1 - tanh * tanh) * (self.slope * unit)
        of_f = through * (m * unit - before) * d_f + d_n * z[:, 2 * size :] * d_f
        return torch.cat([of_f, d_n, d_n * r], dim=-1).to(self.product), through * (1 - take)

    def _gates(self, z: Tensor, high: Tensor, low: Tensor, hard: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        size = self.config.hidden
        r, n = (z[:, : 2 * size] >= high[..., : 2 * size]).to(z.dtype).split(size, dim=-1)
        take = (r + (z[:, :size] >= low[..., :size]).to(z.dtype)) * 0.5
        m = n - (z[:, size : 2 * size] <= low[..., size:]).to(z.dtype)
        if not self.blended:
            return take, r, m
        soft_f = torch.sigmoid(z[:, :size] * self.slope)
        soft_m = torch.tanh(z[:, size : 2 * size] * self.slope)
        return torch.lerp(soft_f, take, hard), torch.lerp(soft_f, r, hard), torch.lerp(soft_m, m, hard)

    def _moved(self, c: Tensor, take: Tensor, m: Tensor) -> Tensor:
        return c * (1 - take) + m * take * float(1 << self.config.cell_shift)
