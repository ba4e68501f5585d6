"""What a cell state gives to the next step and to the head, in PyTorch, with derivatives of a soft form."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from trine_sw.model.config import ModelConfig
from trine_sw.training.nn.states import TRITS, States

__all__ = ["blended_output", "cell_output", "hidden_of", "level_of", "output_slopes"]


def level_of(n: Tensor, levels: tuple[int, ...]) -> Tensor:
    """sign(n) * levels[min(abs(n), P)] as a sum of steps, which vectorises where a table does not."""
    if levels == tuple(range(len(levels))):
        return n.clamp(-(len(levels) - 1), len(levels) - 1)
    total = torch.zeros_like(n)
    for k in range(1, len(levels)):
        total = total + ((n >= k).to(n.dtype) - (n <= -k).to(n.dtype)) * (levels[k] - levels[k - 1])
    return total


def cell_output(c: Tensor, config: ModelConfig, states: States = TRITS) -> tuple[Tensor, Tensor]:
    """h and u of cells c, before any output gate."""
    n = torch.trunc(c * 0.5**config.output_shift)
    if not states.signed:
        n = n.clamp_min(0)
    return n.clamp(-states.largest, states.largest), level_of(n, config.head_levels)


def blended_output(
    c: Tensor, config: ModelConfig, window: float, hard: Tensor | None, states: States = TRITS
) -> tuple[Tensor, Tensor]:
    """``cell_output``, or a share ``hard`` of it and the rest of the soft form whose slopes are below."""
    h, u = cell_output(c, config, states)
    if hard is None:
        return h, u
    step, levels = float(1 << config.output_shift), config.head_levels
    if not states.signed:
        c = c.clamp_min(0)
    soft_h = torch.tanh(c / _width_of_h(config, window, states)) * states.largest
    soft_u = torch.tanh(c / ((len(levels) - 0.5) * step)) * levels[-1]
    return torch.lerp(soft_h, h, hard), torch.lerp(soft_u, u, hard)


def _width_of_h(config: ModelConfig, window: float, states: States) -> float:
    return (window + states.largest - 1) * float(1 << config.output_shift)


def output_slopes(
    c: Tensor, config: ModelConfig, window: float, states: States = TRITS
) -> tuple[Tensor, Tensor]:
    """Derivatives of h and u by c: of tanh(c / width), which is as high as the last level.

    h's width is ``window`` steps of the output, and one more for each further level; u's is as many steps as
    it has levels, less a half. Where h has no value below 0, gradients pass to one step below 0, or a cell
    there would never come back.
    """
    step = float(1 << config.output_shift)
    width_h, width_u = _width_of_h(config, window, states), (len(config.head_levels) - 0.5) * step
    slope_h = _sech2(c / width_h) * (states.largest / width_h)
    slope_u = _sech2(c / width_u) * (config.head_levels[-1] / width_u)
    if not states.signed:
        passed = (c >= -step).to(c.dtype)
        return slope_h * passed, slope_u * passed
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
