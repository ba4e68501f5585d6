"""Processes that train one model together, as ``torchrun`` starts them: each has its share of the streams."""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn

from trine_sw.support.errors import TrineError

__all__ = ["Ranks", "training_device"]

T = TypeVar("T")


def training_device(name: str | None = None) -> torch.device:
    """``"cpu"`` or ``"cuda"``, by default a GPU where there is one; each process has its own GPU.

    Raises :class:`TrineError` where there is no such device.
    """
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise TrineError(f"the device must be cpu or cuda, not {name!r}")
    if name == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise TrineError(
            "there is no CUDA device here, or this PyTorch is built without CUDA; use --device cpu"
        )
    local, count = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if local >= count:
        raise TrineError(f"there are {count} GPUs, and more processes on this machine: start {count} at most")
    return torch.device("cuda", local)


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together: number ``rank`` of ``size``; alone unless it is said."""

    rank: int = 0
    size: int = 1

    @staticmethod
    @contextmanager
    def joined(device: torch.device) -> "Iterator[Ranks]":
        """All processes that ``torchrun`` started, while the block lasts; without it, this one alone.

        Tensors travel by NCCL between GPUs; everything else by gloo.
        """
        if not dist.is_torchelastic_launched():
            yield Ranks()
            return
        if device.type == "cuda":
            torch.cuda.set_device(device)
        dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
        try:
            yield Ranks(dist.get_rank(), dist.get_world_size())
        finally:
            # A group that something still refers to keeps its threads up to the interpreter's end, which
            # may abort the process there.
            gc.collect()
            dist.destroy_process_group()

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and shows progress."""
        return self.rank == 0

    def share(self, tokens: torch.Tensor) -> torch.Tensor:
        """This process's columns of tokens (T, B) of all streams, B / size of them."""
        return tokens.chunk(self.size, dim=1)[self.rank]

    def averaging(self, module: nn.Module, unused: bool = False) -> nn.Module:
        """The module with the first process's weights, whose gradients become the mean of all processes'.

        ``unused``: some of its weights have no gradients in some updates.
        """
        if self.size == 1:
            return module
        # Buffers are equal by construction: nothing but the number of the epoch changes them.
        return nn.parallel.DistributedDataParallel(
            module, broadcast_buffers=False, find_unused_parameters=unused
        )

    def mean(self, value: float) -> float:
        """The mean of all processes' values; each must ask for it."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64)
        dist.all_reduce(total)
        return total.item() / self.size

    def of_first(self, make: Callable[[], T]) -> T:
        """What the first process makes, in all of them."""
        if self.size == 1:
            return make()
        made = [make() if self.first else None]
        dist.broadcast_object_list(made)
        return made[0]  # pyright: ignore[reportReturnType]

    def gathered(self, value: Any) -> list[Any]:
        """The values of all processes, by rank."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values
