"""The recurrence of a ternary layer over a sequence, forward and back, for any cell.

A cell is two pure functions of one step (:class:`Steps`). Matrix products and the walk through time are here:
products of trits are exact in bfloat16, which processors multiply several times faster than float32, and a
step's element-wise operations are compiled into one loop where a compiler is found.
"""

import functools
import platform
import re
import shutil
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from trine_sw.training.nn.autocast import without_autocast

__all__ = ["Numerics", "Steps", "can_compile", "recur"]

State = tuple[Tensor, Tensor]


def can_compile() -> bool:
    """Whether ``torch.compile`` works on the CPU.

    It needs a C++ compiler, and calls it without quoting the paths of PyTorch's and Python's header files, so
    that none may have a blank.
    """
    paths = (torch.__file__, sysconfig.get_path("include"))
    return shutil.which("g++") is not None and not any(re.search(r"\s", path) for path in paths)


@dataclass(frozen=True)
class Numerics:
    """How training computes. Evaluation, export and every figure are exact and do not depend on it.

    Parameters
    ----------
    product : type of the factors of matrix products: ``float32`` or ``bfloat16``. Sums of trits are the same
        in both as long as they are within 256; gradients are rounded to 8 bits by the second.
    compiled : compile the steps (``torch.compile``); takes ten to twenty seconds once.
    """

    product: torch.dtype = torch.float32
    compiled: bool = False

    @classmethod
    def fastest(cls, device: torch.device) -> "Numerics":
        """The fastest choice that this machine has."""
        fast = device.type == "cuda" or _multiplies_bfloat16()
        return cls(torch.bfloat16 if fast else torch.float32, device.type == "cuda" or can_compile())

    def __str__(self) -> str:
        return f"{str(self.product).removeprefix('torch.')}, {'compiled' if self.compiled else 'eager'}"


def _multiplies_bfloat16() -> bool:
    """Whether the CPU has instructions for products of bfloat16.

    oneDNN takes them on any x86 processor with AVX-512, and where the instructions are missing it is slower
    than with float32.
    """
    if not torch.backends.mkldnn.is_available() or not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


class Steps(Protocol):
    """One step of a cell, forward and back. Must be hashable: compiled forms are kept by it.

    ``sums_x`` and ``sums_h`` (B, R) are the sums of the columns of x and of h, in the type of products;
    ``scale`` and ``bias`` (R,) make preactivations z of them; ``high`` and ``low`` are thresholds, (R,) or
    (B, R), whose meaning the cell knows; c (B, H) is float32; ``hard`` () is the share of hard values, where
    the cell computes soft ones too.
    """

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
        """New c, h (in the type of products), u, and z."""
        ...

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
        """Gradients of z (in the type of products) and of the c before.

        ``before`` and ``after`` are c; ``gradient_h`` comes from this step's output, ``back`` from the next
        step.
        """
        ...


@functools.lru_cache(maxsize=8)
def _compiled(steps: Steps) -> tuple[Callable[..., Any], Callable[..., Any]]:
    return torch.compile(steps.forward, dynamic=False), torch.compile(steps.backward, dynamic=False)


def recur(
    x: Tensor,
    state: State,
    trits: Tensor,
    scale: Tensor,
    bias: Tensor,
    high: Tensor,
    low: Tensor,
    hard: Tensor,
    steps: Steps,
    numerics: Numerics,
) -> tuple[Tensor, Tensor, State]:
    """Run x (T, B, E) through a layer of trits (R, E + H).

    A row's sum counts ``scale`` (R, 1) times, plus ``bias`` (R,). ``high`` and ``low`` are thresholds for all
    steps, (R,), or of each, (T, B, R); ``hard`` is for the steps. Returns h and u (T, B, H), and the state
    after the last step. Gradients flow to x, trits, bias and the state before, from all that is returned.
    Types are those of ``numerics``, whatever autocast says.
    """
    effective = trits * scale
    h, u, c = _Recurrence.apply(  # pyright: ignore[reportGeneralTypeIssues]
        x,
        effective,
        bias,
        trits.detach(),
        scale.detach().squeeze(1),
        *state,
        high,
        low,
        hard,
        steps,
        numerics,
    )
    return h, u, (h[-1], c)


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        effective: Tensor,
        bias: Tensor,
        trits: Tensor,
        scale: Tensor,
        h: Tensor,
        c: Tensor,
        high: Tensor,
        low: Tensor,
        hard: Tensor,
        steps: Steps,
        numerics: Numerics,
    ) -> tuple[Tensor, Tensor, Tensor]:
        kind = numerics.product
        step = _compiled(steps)[0] if numerics.compiled else steps.forward
        split = x.shape[-1]
        x_short, trits = x.to(kind), trits.to(kind)
        sums_x = x_short @ trits[:, :split].T
        of_h = trits[:, split:].T.contiguous()
        hidden, cells, outputs, sums = [h.to(kind)], [c], [], []
        for t in range(len(x)):
            limits = (high[t], low[t]) if high.dim() == 3 else (high, low)
            new, now, u, z = step(sums_x[t], hidden[-1] @ of_h, scale, bias, *limits, cells[-1], hard)
            hidden.append(now)
            cells.append(new)
            outputs.append(u)
            sums.append(z)
        ctx.save_for_backward(x_short, effective, high, low, hard, *hidden[:-1], *cells, *sums)
        ctx.steps, ctx.numerics = steps, numerics
        return torch.stack(hidden[1:]).to(x.dtype), torch.stack(outputs), cells[-1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        with without_autocast(gradients[0].device):
            return _gradients(ctx, *gradients)


def _gradients(
    ctx: Any, gradient_h: Tensor, gradient_u: Tensor, gradient_c: Tensor
) -> tuple[Tensor | None, ...]:
    """Gradients of what :class:`_Recurrence` takes, from those of what it gives."""
    kind = ctx.numerics.product
    step = _compiled(ctx.steps)[1] if ctx.numerics.compiled else ctx.steps.backward
    x, effective, high, low, hard, *rest = ctx.saved_tensors
    count, split = len(x), x.shape[-1]
    hidden, cells, sums = rest[:count], rest[count : 2 * count + 1], rest[2 * count + 1 :]
    effective = effective.to(kind)
    of_h = effective[:, split:].contiguous()
    back = torch.zeros_like(hidden[0])
    dz: list[Tensor] = [back] * count
    for t in reversed(range(count)):
        limits = (high[t], low[t]) if high.dim() == 3 else (high, low)
        dz[t], gradient_c = step(
            sums[t], cells[t], cells[t + 1], *limits, gradient_h[t], back, gradient_u[t], gradient_c, hard
        )
        back = dz[t] @ of_h
    all_dz = torch.stack(dz).flatten(0, 1)
    inputs = torch.cat([x, torch.stack(hidden)], dim=-1).flatten(0, 1)
    to_x = (all_dz @ effective[:, :split]).float().unflatten(0, x.shape[:2])
    to_bias = all_dz.sum(dim=0, dtype=torch.float32)
    to_effective = (all_dz.T @ inputs).float()
    return to_x, to_effective, to_bias, None, None, back.float(), gradient_c, *(None,) * 5
