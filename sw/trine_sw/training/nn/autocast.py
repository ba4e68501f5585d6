"""Autocast, which ternary layers compute without: sums of half precision would not be exact."""

from contextlib import AbstractContextManager, nullcontext

import torch

__all__ = ["autocast_is_on", "without_autocast"]


def autocast_is_on(device: torch.device) -> bool:
    """Whether operations on the device are cast to half precision."""
    return torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type)


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """A context in which operations on the device have the types of their inputs."""
    return torch.autocast(device.type, enabled=False) if autocast_is_on(device) else nullcontext()
