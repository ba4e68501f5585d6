"""One step of a ternary cell whose candidate sees h through a gate, in training: GRU and MGU.

Hard values forward, derivatives of the soft ones back.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from trine_sw.model.config import ModelConfig
from trine_sw.training.nn.cell_output import blended_output, output_slopes

__all__ = ["ResetSteps"]


@dataclass(frozen=True)
class ResetSteps(ABC):
    """The step of :class:`trine_sw.training.nn.recurrence.Steps` for rows of gates, then nx, nh.

    The preactivations that it gives are those of the gates, of n with what the last gate, r, lets through of
    h, and nh's alone, which is the derivative of n's by r. The parameters are those of
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
        size, ends = self.config.hidden, self._ends
        sums_x, sums_h = sums_x.float(), sums_h.float()
        gates = slice(0, ends)
        of_gates = (sums_x[:, gates] + sums_h[:, gates]) * scale[gates] + bias[gates]
        z_r = of_gates[:, ends - size :]
        r = (z_r >= high[..., ends - size : ends]).to(c.dtype)
        if self.blended:
            r = torch.lerp(torch.sigmoid(z_r * self.slope), r, hard)
        # x's columns of nx and h's of nh: the others are 0.
        of_x, of_h = sums_x[:, ends : ends + size], sums_h[:, ends + size :]
        alpha, (bias_x, bias_h) = scale[ends : ends + size], bias[ends:].split(size)
        of_n = (of_x + r * of_h) * alpha + (bias_x + r * bias_h)
        z = torch.cat([of_gates, of_n, of_h * alpha + bias_h], dim=-1)
        blend, _, m = self._gates(z, high, low, hard)
        moved = self._moved(c, blend, m)
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
        config, size, ends = self.config, self.config.hidden, self._ends
        blend, r, m = self._gates(z, high, low, hard)
        unit = float(1 << config.cell_shift)
        slope_h, slope_u = output_slopes(after, config, self.window)
        through = gradient_c + (gradient_h + back.float()) * slope_h + gradient_u * slope_u
        soft = torch.sigmoid(z[:, :ends] * self.slope)
        d_gates = (soft - soft * soft) * self.slope
        tanh = torch.tanh(z[:, ends : ends + size] * self.slope)
        taken, kept = self._shares(blend)
        d_n = through * taken * (1 - tanh * tanh) * (self.slope * unit)
        of_gates = self._gate_gradients(through, before, m * unit, d_gates, d_n * z[:, ends + size :])
        return torch.cat([*of_gates, d_n, d_n * r], dim=-1).to(self.product), through * kept

    @property
    def _ends(self) -> int:
        """Rows of all gates but n."""
        return (self.config.spec.rows - 2) * self.config.hidden

    @abstractmethod
    def _shares(self, blend: Tensor) -> tuple[Tensor, Tensor]:
        """How much is taken of the candidate, and how much kept of c."""

    @abstractmethod
    def _gate_gradients(
        self, through: Tensor, before: Tensor, target: Tensor, slopes: Tensor, through_r: Tensor
    ) -> list[Tensor]:
        """Gradients of the gates' preactivations: of c's way to the target, and of what r lets through."""

    def _gates(self, z: Tensor, high: Tensor, low: Tensor, hard: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The gate of three values, r, and m."""
        size, ends = self.config.hidden, self._ends
        above = (z[:, : ends + size] >= high[..., : ends + size]).to(z.dtype)
        full, r, n = above[:, :size], above[:, ends - size : ends], above[:, ends:]
        blend = (full + (z[:, :size] >= low[..., :size]).to(z.dtype)) * 0.5
        m = n - (z[:, ends : ends + size] <= low[..., size:]).to(z.dtype)
        if not self.blended:
            return blend, r, m
        soft = torch.sigmoid(z[:, :ends] * self.slope)
        soft_m = torch.tanh(z[:, ends : ends + size] * self.slope)
        return (
            torch.lerp(soft[:, :size], blend, hard),
            torch.lerp(soft[:, ends - size :], r, hard),
            torch.lerp(soft_m, m, hard),
        )

    def _moved(self, c: Tensor, blend: Tensor, m: Tensor) -> Tensor:
        taken, kept = self._shares(blend)
        return c * kept + m * taken * float(1 << self.config.cell_shift)
