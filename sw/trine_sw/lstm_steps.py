"""One step of the ternary LSTM in training: hard values forward, derivatives of the soft ones back."""

from dataclasses import dataclass

import torch
from torch import Tensor

from trine_sw.model import ModelConfig

__all__ = ["LSTMSteps", "level_of"]


def level_of(n: Tensor, levels: tuple[int, ...]) -> Tensor:
    """sign(n) * levels[min(abs(n), P)] as a sum of steps, which vectorises where a table does not."""
    if levels == tuple(range(len(levels))):
        return n.clamp(-(len(levels) - 1), len(levels) - 1)
    total = torch.zeros_like(n)
    for k in range(1, len(levels)):
        total = total + ((n >= k).to(n.dtype) - (n <= -k).to(n.dtype)) * (levels[k] - levels[k - 1])
    return total


@dataclass(frozen=True)
class LSTMSteps:
    """The step of :class:`trine_sw.recurrence.Steps` for rows i, f, g, o.

    Parameters
    ----------
    config : sizes and arithmetic.
    slope : lambda of the gates' sigmoid(lambda z) and tanh(lambda z).
    window : width, in steps 2**r, of the stretch of c about 0 through which h passes gradients.
    product : type of h and of the gradient of z, which are factors of matrix products.
    """

    config: ModelConfig
    slope: float
    window: float
    product: torch.dtype

    def forward(
        self,
        sums_x: Tensor,
        sums_h: Tensor,
        scale: Tensor,
        bias: Tensor,
        high: Tensor,
        low: Tensor,
        c: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        z = (sums_x.float() + sums_h.float()) * scale + bias
        i, f, g, o = self._gates(z, high, low)
        new = self._moved(c, i, f, g).clamp(-self.config.cell_max, self.config.cell_max)
        n = torch.trunc(new * 0.5**self.config.output_shift)
        h = n.clamp(-1, 1) * o
        u = level_of(n, self.config.head_levels) * o
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
    ) -> tuple[Tensor, Tensor]:
        config, size = self.config, self.config.hidden
        i, f, g, o = self._gates(z, high, low)
        unit, step = float(1 << config.cell_shift), float(1 << config.output_shift)
        gradient_h = gradient_h + back.float()
        # h and u pass gradients to c as o * tanh(c / width), u's tanh times its highest level.
        width_h, width_u = self.window * step, (len(config.head_levels) - 0.5) * step
        slope_h = _sech2(after / width_h) * (o / width_h)
        slope_u = _sech2(after / width_u) * (o * (config.head_levels[-1] / width_u))
        gradient_c = gradient_c + gradient_h * slope_h + gradient_u * slope_u
        inside = (self._moved(before, i, f, g).abs() <= config.cell_max).to(z.dtype)
        through = gradient_c * inside
        soft = torch.sigmoid(z * self.slope)
        d_i, d_f, _, d_o = ((soft - soft * soft) * self.slope).split(size, dim=-1)
        tanh = torch.tanh(z[:, 2 * size : 3 * size] * self.slope)
        n = torch.trunc(after * 0.5**config.output_shift)
        ungated = gradient_h * n.clamp(-1, 1) + gradient_u * level_of(n, config.head_levels)
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

    def _gates(self, z: Tensor, high: Tensor, low: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        size = self.config.hidden
        above = (z >= high).to(z.dtype)
        i, f, g, o = above.split(size, dim=-1)
        f = (f + (z[:, size : 2 * size] >= low[..., :size]).to(z.dtype)) * 0.5
        g = g - (z[:, 2 * size : 3 * size] <= low[..., size:]).to(z.dtype)
        return i, f, g, o

    def _moved(self, c: Tensor, i: Tensor, f: Tensor, g: Tensor) -> Tensor:
        return torch.trunc(c * f) + i * g * float(1 << self.config.cell_shift)


def _sech2(x: Tensor) -> Tensor:
    tanh = torch.tanh(x)
    return 1 - tanh * tanh
