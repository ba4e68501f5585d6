"""One step of the ternary LSTM in training: hard values forward, derivatives of the soft ones back."""

from dataclasses import dataclass

import torch
from torch import Tensor

from trine_sw.model.config import ModelConfig
from trine_sw.training.nn.cell_output import blended_output, output_slopes
from trine_sw.training.nn.states import TRITS, States

__all__ = ["LSTMSteps"]


@dataclass(frozen=True)
class LSTMSteps:
    """The step of :class:`trine_sw.training.nn.recurrence.Steps` for rows i, f, g, o.

    Parameters
    ----------
    config : sizes and arithmetic.
    slope : lambda of the gates' sigmoid(lambda z) and tanh(lambda z).
    window : width, in steps 2**r, of the stretch of c about 0 through which h passes gradients.
    product : type of h and of the gradient of z, which are factors of matrix products.
    blended : a share ``hard`` of what is computed is hard, and the rest soft; otherwise all is hard.
    states : how many values h has.
    """

    config: ModelConfig
    slope: float
    window: float
    product: torch.dtype
    blended: bool = False
    states: States = TRITS

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
        z = (sums_x.float() + sums_h.float()) * scale + bias
        i, f, g, o = self._gates(z, high, low, hard)
        new = self._moved(c, i, f, g, hard).clamp(-self.config.cell_max, self.config.cell_max)
        h, u = blended_output(new, self.config, self.window, hard if self.blended else None, self.states)
        return new, (h * o).to(self.product), u * o, z

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
        i, f, g, o = self._gates(z, high, low, hard)
        unit = float(1 << config.cell_shift)
        gradient_h = gradient_h + back.float()
        h, u = blended_output(after, config, self.window, hard if self.blended else None, self.states)
        slope_h, slope_u = output_slopes(after, config, self.window, self.states)
        gradient_c = gradient_c + (gradient_h * slope_h + gradient_u * slope_u) * o
        inside = (self._moved(before, i, f, g, hard).abs() <= config.cell_max).to(z.dtype)
        through = gradient_c * inside
        soft = torch.sigmoid(z * self.slope)
        d_i, d_f, _, d_o = ((soft - soft * soft) * self.slope).split(size, dim=-1)
        tanh = torch.tanh(z[:, 2 * size : 3 * size] * self.slope)
        ungated = gradient_h * h + gradient_u * u
        dz = torch.cat(
            [
                through * d_i * g * unit,
                through * d_f * before,
                through * (1 - tanh * tanh) * (self.slope * unit) * i,
                ungated * d_o,
            ],
            dim=-1,
        )
        return dz.to(self.product), through * f

    def _gates(
        self, z: Tensor, high: Tensor, low: Tensor, hard: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        size = self.config.hidden
        above = (z >= high).to(z.dtype)
        i, f, g, o = above.split(size, dim=-1)
        f = (f + (z[:, size : 2 * size] >= low[..., :size]).to(z.dtype)) * 0.5
        g = g - (z[:, 2 * size : 3 * size] <= low[..., size:]).to(z.dtype)
        if not self.blended:
            return i, f, g, o
        soft = torch.sigmoid(z * self.slope).split(size, dim=-1)
        tanh = torch.tanh(z[:, 2 * size : 3 * size] * self.slope)
        return (
            torch.lerp(soft[0], i, hard),
            torch.lerp(soft[1], f, hard),
            torch.lerp(tanh, g, hard),
            torch.lerp(soft[3], o, hard),
        )

    def _moved(self, c: Tensor, i: Tensor, f: Tensor, g: Tensor, hard: Tensor) -> Tensor:
        kept = c * f
        whole = torch.trunc(kept)
        kept = torch.lerp(kept, whole, hard) if self.blended else whole
        return kept + i * g * float(1 << self.config.cell_shift)
