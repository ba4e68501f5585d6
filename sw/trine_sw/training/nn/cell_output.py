"""What a cell state gives to the next step and to the head, in PyTorch, with derivatives of a soft form."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from trine_sw.model.config import ModelConfig

__all__ = ["blended_output", "cell_output", "hidden_of", "level_of", "output_slopes"]


def level_of(n: Tensor, levels: tuple[int, ...]) -> Tensor:
    """sign(n) * levels[min(abs(n), P)] as a sum of steps, which vectorises where a table does not."""
    if levels == tuple(range(len(levels))):
        return n.clamp(-(len(levels) - 1), len(levels) - 1)
    total = torch.zeros_like(n)
    for k in range(1, len(levels)):
        total = total + ((n >= k).to(n.dtype) - (n <= -k).to(n.dtype)) * (levels[k] - levels[k - 1])
    return total


def cell_output(c: Tensor, config: ModelConfig) -> tuple[Tensor, Tensor]:
    """h and u of cells c, before any output gate."""
    n = torch.trunc(c * 0.5**config.output_shift)
    return n.clamp(-1, 1), level_of(n, config.head_levels)


def blended_output(
    c: Tensor, config: ModelConfig, window: float, hard: Tensor | None
) -> tuple[Tensor, Tensor]:
    """``cell_output``, or a share ``hard`` of it and the rest of the soft form whose slopes are below."""
    h, u = cell_output(c, config)
    if hard is None:
        return h, u
    step, levels = float(1 << config.output_shift), config.head_levels
    soft_h = torch.tanh(c / (window * step))
    soft_u = torch.tanh(c / ((len(levels) - 0.5) * step)) * levels[-1]
    return torch.lerp(soft_h, h, hard), torch.lerp(soft_u, u, hard)


def output_slopes(c: Tensor, config: ModelConfig, window: float) -> tuple[Tensor, Tensor]:
    """Derivatives of h and u by c: of tanh(c / width), which for u is as high as its last level.

    h's width is ``window`` steps of the output, u's is as many steps as it has levels, less a half.
    """
    step = float(1 << config.output_shift)
    width_h, width_u = window * step, (len(config.head_levels) - 0.5) * step
    slope_h = _sech2(c / width_h) * (1 / width_h)
    slope_u = _sech2(c / width_u) * (config.head_levels[-1] / width_u)
    return slope_h, slope_u


def _sech2(x: Tensor) -> Tensor:
    tanh = torch.tanh(x)
    return 1 - tanh * tanh


def hidden_of(c: Tensor, config: ModelConfig, window: float, hard: Tensor | None) -> Tensor:
    """h of cells c without an output gate, as ``blended_output`` has it, with its soft form's derivative."""
    return _Hidden.apply(c, config, window, hard)  # pyright: ignore[reportReturnType]


class _Hidden(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, c: Tensor, config: ModelConfig, window: float, hard: Tensor | None) -> Tensor:
        ctx.save_for_backward(c)
        ctx.config, ctx.window = config, window
        return blended_output(c, config, window, hard)[0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradient: Tensor) -> tuple[Tensor | None, ...]:
        (c,) = ctx.saved_tensors
        return gradient[0] * output_slopes(c, ctx.config, ctx.window)[0], None, None, None
