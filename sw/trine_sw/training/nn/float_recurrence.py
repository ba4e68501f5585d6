"""A layer of a float LSTM whose matrix products are as fast as ``Numerics`` says.

PyTorch's own layer spends most of a step in float32 products, which take two to three times as long as those
of bfloat16 where a processor has these. Gates, c and all sums over time stay float32.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from trine_sw.training.nn.autocast import without_autocast
from trine_sw.training.nn.recurrence import Numerics

__all__ = ["float_lstm"]


def float_lstm(
    x: Tensor, weight_x: Tensor, weight_h: Tensor, bias: Tensor, h: Tensor, c: Tensor, numerics: Numerics
) -> tuple[Tensor, Tensor, Tensor]:
    """Run x (T, B, E) through one layer from h and c (B, H), as ``torch.lstm`` does.

    ``weight_x`` (4H, E), ``weight_h`` (4H, H) and ``bias`` (4H,) have the rows of i, f, g and o. Returns
    h (T, B, H) and the last h and c (B, H). Gradients flow to all but ``numerics``.

    >>> rows = [torch.zeros(8, 3), torch.zeros(8, 2), torch.zeros(8)]
    >>> h, last, c = float_lstm(torch.ones(5, 1, 3), *rows, torch.zeros(1, 2), torch.ones(1, 2), Numerics())
    >>> h.shape, c
    (torch.Size([5, 1, 2]), tensor([[0.0312, 0.0312]]))
    """
    outputs, last = _FloatLSTM.apply(  # pyright: ignore[reportGeneralTypeIssues]
        x, weight_x, weight_h, bias, h, c, numerics
    )
    return outputs, outputs[-1], last


class _FloatLSTM(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight_x: Tensor,
        weight_h: Tensor,
        bias: Tensor,
        h: Tensor,
        c: Tensor,
        numerics: Numerics,
    ) -> tuple[Tensor, Tensor]:
        kind = numerics.product
        step = _compiled()[0] if numerics.compiled else _forward
        short_x, short_weight_x, of_h = x.to(kind), weight_x.to(kind), weight_h.to(kind).T.contiguous()
        sums_x = (short_x.flatten(0, 1) @ short_weight_x.T).unflatten(0, x.shape[:2])
        hidden, cells, gates = [h.to(kind)], [c], []
        for sums in sums_x:
            now, cell, gate = step(sums, hidden[-1] @ of_h, bias, cells[-1])
            hidden.append(now)
            cells.append(cell)
            gates.append(gate)
        ctx.save_for_backward(short_x, short_weight_x, weight_h.to(kind), *hidden[:-1], *cells, *gates)
        ctx.numerics = numerics
        return torch.stack(hidden[1:]).to(x.dtype), cells[-1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        with without_autocast(gradients[0].device):
            return _gradients(ctx, *gradients)


def _gradients(ctx: Any, gradient_h: Tensor, gradient_c: Tensor) -> tuple[Tensor | None, ...]:
    """Gradients of what :class:`_FloatLSTM` takes, from those of what it gives."""
    step = _compiled()[1] if ctx.numerics.compiled else _backward
    x, weight_x, weight_h, *rest = ctx.saved_tensors
    count = len(x)
    hidden, cells, gates = rest[:count], rest[count : 2 * count + 1], rest[2 * count + 1 :]
    back = torch.zeros_like(hidden[0])
    by_sums: list[Tensor] = [back] * count
    for t in reversed(range(count)):
        by_sums[t], gradient_c = step(gates[t], cells[t], cells[t + 1], gradient_h[t], back, gradient_c)
        back = by_sums[t] @ weight_h
    flat = torch.stack(by_sums).flatten(0, 1)
    to_x = (flat @ weight_x).float().unflatten(0, x.shape[:2])
    to_weight_x = (flat.T @ x.flatten(0, 1)).float()
    to_weight_h = (flat.T @ torch.stack(hidden).flatten(0, 1)).float()
    return (
        to_x,
        to_weight_x,
        to_weight_h,
        flat.sum(dim=0, dtype=torch.float32),
        back.float(),
        gradient_c,
        None,
    )


def _forward(sums_x: Tensor, sums_h: Tensor, bias: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """New h (in the type of products) and c, and the gates (B, 4H) after their functions."""
    i, f, g, o = (sums_x.float() + sums_h.float() + bias).chunk(4, dim=-1)
    i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
    c = f * c + i * g
    return (o * torch.tanh(c)).to(sums_h.dtype), c, torch.cat([i, f, g, o], dim=-1)


def _backward(
    gates: Tensor, before: Tensor, after: Tensor, to_h: Tensor, back: Tensor, to_c: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients by the sums (B, 4H), in the type of products, and by the c before."""
    i, f, g, o = gates.chunk(4, dim=-1)
    to_h = to_h + back.float()
    bent = torch.tanh(after)
    to_c = to_c + to_h * o * (1 - bent * bent)
    parts = (
        to_c * g * i * (1 - i),
        to_c * before * f * (1 - f),
        to_c * i * (1 - g * g),
        to_h * bent * o * (1 - o),
    )
    return torch.cat(parts, dim=-1).to(back.dtype), to_c * f


@functools.cache
def _compiled() -> tuple[Callable[..., Any], Callable[..., Any]]:
    return torch.compile(_forward, dynamic=False), torch.compile(_backward, dynamic=False)
