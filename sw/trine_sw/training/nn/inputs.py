"""What a recurrent layer takes: checks of its input and its state, worded as PyTorch's own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from trine_sw.support.errors import TrineError
from trine_sw.training.nn.autocast import autocast_is_on

__all__ = ["InputError", "check_input", "check_integers", "check_state"]


class InputError(TrineError, ValueError, RuntimeError):
    """A tensor that a layer cannot take: PyTorch raises ValueError or RuntimeError for the same."""


def check_input(x: Any, cell: str, size: int, dimensions: tuple[int, ...], form: str) -> None:
    """Raise :class:`InputError` unless x is a float tensor of these dimensions and features."""
    if not isinstance(x, Tensor):
        raise InputError(f"{cell}: input must be a Tensor {form} or a PackedSequence, not {type(x).__name__}")
    if x.dim() not in dimensions:
        raise InputError(f"{cell}: Expected input to be 2D or 3D, {form}, got {x.dim()}D instead")
    if x.shape[-1] != size:
        raise InputError(
            f"input.size(-1) must be equal to input_size. Expected {size}, got {x.shape[-1]}: {form}"
        )
    check_type("input", x)


def check_type(name: str, x: Tensor) -> None:
    """Raise :class:`InputError` unless x is of float32, or of a type that autocast gives where it is on."""
    autocast = autocast_is_on(x.device) and x.dtype in (torch.bfloat16, torch.float16)
    if x.dtype != torch.float32 and not autocast:
        raise InputError(
            f"RNN {name} dtype ({x.dtype}) does not match weight dtype (torch.float32). "
            f"Convert {name}: {name}.to(torch.float32)"
        )


def check_state(name: str, state: Any, wanted: tuple[int, ...], batched: bool) -> None:
    """Raise :class:`InputError` unless a state is a float tensor of that shape."""
    if not isinstance(state, Tensor):
        raise InputError(f"{name} must be a Tensor of shape {wanted}, not {type(state).__name__}")
    if state.dim() != len(wanted):
        form = "batched 3-D" if batched else "unbatched 2-D"
        raise InputError(
            f"For {form} input, {name} should also be {len(wanted)}-D but got {state.dim()}-D tensor"
        )
    if tuple(state.shape) != wanted:
        raise InputError(f"Expected {name} size {wanted}, got {list(state.shape)}")
    check_type(name, state)


def check_integers(name: str, x: Tensor, limit: int, advice: str) -> None:
    """Raise :class:`InputError` unless all of x are integers from -limit to limit, as in the engine."""
    right = (x.abs() == 1) | (x == 0) if limit == 1 else (x == x.round()) & (x.abs() <= limit)
    if not bool(right.all()):
        kind = "-1, 0 or +1" if limit == 1 else f"integers from {-limit} to {limit}"
        raise InputError(f"{name} must be {kind} in evaluation mode: {advice}")
