"""The ternary LSTM layer in PyTorch: hard ternary gates and the saturating integer cell, trained through.

The forward pass computes what the hardware computes. The backward pass puts the derivatives of the sloped
sigmoid and tanh in the place of the steps' (straight-through estimators): training sees a smooth cell.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trine_sw.model import ModelConfig
from trine_sw.quantise import Scale, row_scale, ttq

__all__ = ["CellOptions", "TernaryLSTM"]


@dataclass(frozen=True, kw_only=True)
class CellOptions:
    """How a ternary layer is trained.

    Parameters
    ----------
    scale : real number of a row of trits: TTQ's ``"alpha"``, or ``"norm"``, weight normalisation with a gain.
    slope : lambda; the gates are sigmoid(lambda z) and tanh(lambda z).
    three_state_forget : forget gate of {0, 1/2, 1}; otherwise of {0, 1}.
    bernoulli : training draws each gate at random, with the activation as its mean.
    window : width, in steps 2**r of the output, of the stretch of c about 0 through which h passes gradients.
    """

    scale: Scale = "alpha"
    slope: float = 1.0
    three_state_forget: bool = True
    bernoulli: bool = False
    window: float = 2.0


class TernaryLSTM(nn.Module):
    """One ternary LSTM layer. Rows of ``weight`` are gate-major: i, f, g, o; columns x first, then h.

    In training mode the sums are of effective weights, scale * trits. In evaluation mode they are of trits,
    exact in float32, and gates compare ``preactivation`` of the exact sum: that is what export folds.
    """

    def __init__(self, config: ModelConfig, options: CellOptions) -> None:
        super().__init__()
        self.config, self.options = config, options
        self.weight = nn.Parameter(torch.empty(config.rows, config.columns))
        self.bias = nn.Parameter(torch.zeros(config.rows))
        self.gain = nn.Parameter(torch.ones(config.rows)) if options.scale == "norm" else None
        bound = 1.5 / math.sqrt(config.hidden)
        nn.init.uniform_(self.weight, -bound, bound)
        size = config.hidden
        with torch.no_grad():
            self.bias[size : 2 * size] = 1.0  # remember at first
        low, high = gate_thresholds(config, options)
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("high", high, persistent=False)
        self.low: Tensor
        self.high: Tensor

    def quantised(self) -> tuple[Tensor, Tensor]:
        """Trits (4H, E+H), with straight-through gradients, and the real scale (4H, 1) of each row."""
        trits = ttq(self.weight)
        scale = row_scale(self.weight, trits, self.options.scale)
        if self.gain is not None:
            scale = scale * self.gain.abs().clamp_min(1e-3).unsqueeze(1)
        return trits, scale

    @staticmethod
    def preactivation(sums: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        """z of exact sums (..., 4H): one rounded product, one rounded sum; it never falls as a sum grows."""
        return torch.add(torch.mul(sums, scale), bias)

    def forward(
        self, x: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """Run x (T, B, E) from state (h, c), each (B, H).

        Returns h (T, B, H), what the head sees, u (T, B, H), and the state after the last step.
        """
        trits, scale = self.quantised()
        if not self.training:
            h, c = self.evaluate(x, state, trits, scale.squeeze(1))
            u = output(c, h.ne(0), self.config)[1]
            return h, u, (h[-1], c[-1])
        effective = trits * scale
        split = self.config.embedding
        projected = x @ effective[:, :split].T + self.bias
        noise = random_thresholds(projected, self.options) if self.options.bernoulli else None
        high, low = (self.high, self.low) if noise is None else noise
        h, u, c = _Sequence.apply(  # pyright: ignore[reportGeneralTypeIssues]
            projected, effective[:, split:], *state, high, low, self.config, self.options
        )
        return h, u, (h[-1].detach(), c)

    @torch.no_grad()
    def evaluate(
        self, x: Tensor, state: tuple[Tensor, Tensor], trits: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor]:
        """h and c (T, B, H) of the exact arithmetic: integers in float32 up to ``preactivation``."""
        size, split = self.config.hidden, self.config.embedding
        sums_x = x @ trits[:, :split].T
        weight_h = trits[:, split:].T
        h, c = state
        all_h, all_c = [], []
        for step in range(len(x)):
            z = self.preactivation(sums_x[step] + h @ weight_h, scale, self.bias)
            i, f_high, g_high, o = (z >= self.high).to(z.dtype).split(size, dim=-1)
            f_low = (z[:, size : 2 * size] >= self.low[:size]).to(z.dtype)
            g_low = (z[:, 2 * size : 3 * size] <= self.low[size:]).to(z.dtype)
            c = integer_cell(c, i, (f_low + f_high) / 2, g_high - g_low, self.config)
            h = output(c, o, self.config)[0]
            all_h.append(h)
            all_c.append(c)
        return torch.stack(all_h), torch.stack(all_c)


def gate_thresholds(config: ModelConfig, options: CellOptions) -> tuple[Tensor, Tensor]:
    """Thresholds of z: low (2H,) of f and g, and high (4H,) of i, f, g, o.

    They are where sigmoid(slope z) is 1/2 (i, o, binary f), 1/4 and 3/4 (f), and where tanh(slope z) is -1/2
    and 1/2 (g).
    """
    forget = math.log(3) / options.slope if options.three_state_forget else 0.0
    cell = math.atanh(0.5) / options.slope
    size = config.hidden
    low = torch.tensor([-forget, -cell]).repeat_interleave(size)
    high = torch.tensor([0.0, forget, cell, 0.0]).repeat_interleave(size)
    return low, high


def random_thresholds(z: Tensor, options: CellOptions) -> tuple[Tensor, Tensor]:
    """Thresholds (high as z, low for f and g) that make every gate random with the activation as its mean."""
    size = z.shape[-1] // 4
    chance = torch.rand_like(z).clamp(1e-6, 1 - 1e-6)
    f, g = chance[..., size : 2 * size], chance[..., 2 * size : 3 * size]
    high = torch.logit(chance)
    high[..., 2 * size : 3 * size] = torch.atanh(g)
    low_f = high[..., size : 2 * size].clone()
    if options.three_state_forget:
        low_f = torch.logit((1 - f) / 2)
        high[..., size : 2 * size] = torch.logit(1 - f / 2)
    low = torch.cat([low_f, -torch.atanh(g)], dim=-1)
    return high / options.slope, low / options.slope


def toward_zero(value: Tensor) -> Tensor:
    """As torch.trunc, which has no vector code on x86 and is thirty times slower."""
    return torch.copysign(value.abs().floor_(), value)


def integer_cell(c: Tensor, i: Tensor, f: Tensor, g: Tensor, config: ModelConfig) -> Tensor:
    """The next cell state: trunc(c f) is 0, half of c toward zero, or c."""
    moved = torch.addcmul(toward_zero(c * f), i, g, value=float(1 << config.cell_shift))
    return moved.clamp_(-config.cell_max, config.cell_max)


def output(c: Tensor, o: Tensor, config: ModelConfig) -> tuple[Tensor, Tensor]:
    """h and u of cells c behind output gates o."""
    n = toward_zero(c * 0.5**config.output_shift)
    h = n.clamp(-1, 1).mul_(o)
    if config.head_levels == (0, 1):
        return h, h
    level = torch.tensor(config.head_levels, dtype=c.dtype)
    return h, level[n.abs().clamp_max(len(level) - 1).to(torch.int32)] * h


class _Sequence(torch.autograd.Function):
    """The recurrence over a whole sequence, with a backward pass of few operations a step.

    What does not depend on the recurrence (derivatives, masks, products of stored values) is made for all
    steps at once; a step of the backward pass is one matrix product and five element-wise operations.
    """

    @staticmethod
    def forward(
        ctx: Any,
        projected: Tensor,  # (T, B, 4H): the x part of z, bias included
        weight: Tensor,  # (4H, H): effective
        h: Tensor,
        c: Tensor,
        high: Tensor,  # (4H,) or (T, B, 4H)
        low: Tensor,  # (2H,) or (T, B, 2H)
        config: ModelConfig,
        options: CellOptions,
    ) -> tuple[Tensor, Tensor, Tensor]:
        steps, batch, _ = projected.shape
        size = config.hidden
        z = torch.empty_like(projected)
        gates = torch.empty_like(projected)
        cells = projected.new_empty(steps + 1, batch, size)
        hidden = projected.new_empty(steps + 1, batch, size)
        moved = projected.new_empty(steps, batch, size)
        below = projected.new_empty(batch, 2 * size)
        cells[0], hidden[0] = c, h
        weight_t = weight.T
        step_c, step_h = float(1 << config.cell_shift), 0.5**config.output_shift
        for t in range(steps):
            torch.addmm(projected[t], hidden[t], weight_t, out=z[t])
            gate = gates[t]
            torch.ge(z[t], high if high.dim() == 1 else high[t], out=gate)
            torch.ge(z[t, :, size : 3 * size], low if low.dim() == 1 else low[t], out=below)
            i, f, g, o = gate.split(size, dim=-1)
            f.add_(below[:, :size]).mul_(0.5)
            g.add_(below[:, size:]).sub_(1)
            new = torch.addcmul(toward_zero(cells[t] * f), i, g, value=step_c, out=moved[t])
            torch.clamp(new, -config.cell_max, config.cell_max, out=cells[t + 1])
            torch.mul(toward_zero(cells[t + 1] * step_h).clamp_(-1, 1), o, out=hidden[t + 1])
        u = output(cells[1:], gates[..., 3 * size :], config)[1]
        ctx.save_for_backward(z, gates, cells, hidden, moved, u, weight)
        ctx.config, ctx.options = config, options
        last = cells[-1].clone()
        ctx.mark_non_differentiable(last)
        return hidden[1:].clone(), u.clone(), last

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        gradient_h, gradient_u, _ = gradients
        z, gates, cells, hidden, moved, u, weight = ctx.saved_tensors
        config, options = ctx.config, ctx.options
        size, slope = config.hidden, options.slope
        i, f, g, o = gates.split(size, dim=-1)
        factor = torch.empty_like(z)  # dz = dc * factor for i, f, g; dz_o = dh * factor_o + du * ...
        soft = torch.sigmoid(z * slope)
        derivative = (soft - soft * soft).mul_(slope)
        tanh = torch.tanh(z[..., 2 * size : 3 * size] * slope)
        step_c, step_h = float(1 << config.cell_shift), float(1 << config.output_shift)
        inside = (moved.abs() <= config.cell_max).to(z.dtype)
        torch.mul(derivative[..., :size], g, out=factor[..., :size]).mul_(step_c)
        torch.mul(derivative[..., size : 2 * size], cells[:-1], out=factor[..., size : 2 * size])
        torch.mul((1 - tanh * tanh) * (slope * step_c), i, out=factor[..., 2 * size : 3 * size])
        factor[..., : 3 * size].unflatten(-1, (3, size)).mul_(inside.unsqueeze(-2))
        levels = float(config.head_levels[-1])
        now = cells[1:]
        value = toward_zero(now / step_h)
        derivative_o = derivative[..., 3 * size :]
        torch.mul(derivative_o, value.clamp(-1, 1), out=factor[..., 3 * size :])
        ungated = output(now, torch.ones(()), config)[1]
        from_u_to_o = gradient_u * ungated * derivative_o
        width_h = options.window * step_h
        from_h_to_c = torch.cosh(now / width_h).pow_(-2).mul_(o).div_(width_h)
        width_u = (len(config.head_levels) - 0.5) * step_h
        from_u_to_c = torch.cosh(now / width_u).pow_(-2).mul_(o).mul_(levels / width_u).mul_(gradient_u)
        keep = f * inside
        dz = torch.empty_like(z)
        dc = torch.zeros_like(now[0])
        for t in reversed(range(len(z))):
            dh = gradient_h[t] if t == len(z) - 1 else torch.addmm(gradient_h[t], dz[t + 1], weight)
            dc.add_(from_u_to_c[t]).addcmul_(dh, from_h_to_c[t])
            torch.mul(
                factor[t, :, : 3 * size].unflatten(-1, (3, size)),
                dc.unsqueeze(1),
                out=dz[t, :, : 3 * size].unflatten(-1, (3, size)),
            )
            torch.addcmul(from_u_to_o[t], dh, factor[t, :, 3 * size :], out=dz[t, :, 3 * size :])
            dc.mul_(keep[t])
        gradient_weight = dz.flatten(0, 1).T @ hidden[:-1].flatten(0, 1)
        return dz, gradient_weight, None, None, None, None, None, None
