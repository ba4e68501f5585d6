"""Padded batches of ragged sequences, drawn so that sequences of about one length come together."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trine_sw.model.task import Task

__all__ = ["IGNORED", "Batch", "collated", "drawn", "in_order"]

IGNORED = -100
"""Label of a padded step, which ``torch.nn.functional.cross_entropy`` leaves out."""

_POOL = 8  # batches whose sequences are sorted by length together


class Batch(NamedTuple):
    """Sequences, filled up with zeros after their last step.

    Members
    -------
    x : float32 (T, B, F)
    lengths : int64 (B,), steps of each sequence
    y : int64 (B,) of ``classify``, int64 (T, B) of ``label``, float32 (B, K) of ``regress``
    """

    x: Tensor
    lengths: Tensor
    y: Tensor

    def to(self, device: torch.device) -> "Batch":
        return self if device.type == "cpu" else Batch(*(part.to(device) for part in self))


def collated(x: Sequence[NDArray[Any]], y: Sequence[Any], task: Task) -> Batch:
    """The batch of these sequences (T, F) and their targets.

    >>> batch = collated([np.ones((3, 2)), np.ones((1, 2))], [0, 1], "classify")
    >>> batch.x.shape, batch.lengths.tolist(), batch.x[1, :, 0].tolist()
    (torch.Size([3, 2, 2]), [3, 1], [1.0, 0.0])
    """
    lengths = [len(each) for each in x]
    steps, count = max(lengths), len(x)
    padded = np.zeros((steps, count, x[0].shape[1]), np.float32)
    for number, each in enumerate(x):
        padded[: len(each), number] = each
    if task == "label":
        targets = np.full((steps, count), IGNORED, np.int64)
        for number, each in enumerate(y):
            targets[: len(each), number] = each
    else:
        targets = np.array(y, np.int64 if task == "classify" else np.float32)
    return Batch(torch.from_numpy(padded), torch.tensor(lengths), torch.from_numpy(targets))


def drawn(lengths: NDArray[np.integer], size: int, rng: np.random.Generator) -> list[NDArray[np.integer]]:
    """Indices of the sequences of each batch of an epoch, in which each sequence is seen once.

    All batches are of ``size`` sequences, or of all where there are fewer; the last one is filled up with
    some that are seen twice.
    """
    count = len(lengths)
    size = min(size, count)
    order = rng.permutation(count)
    order = np.concatenate([order, order[: -count % size]])
    batches: list[NDArray[np.integer]] = []
    for start in range(0, len(order), _POOL * size):
        pool = order[start : start + _POOL * size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += list(pool.reshape(-1, size))
    return [batches[number] for number in rng.permutation(len(batches))]


def in_order(lengths: NDArray[np.integer], size: int) -> list[NDArray[np.integer]]:
    """Indices of batches of at most ``size`` sequences, by their lengths: all, each once."""
    order = np.argsort(lengths, kind="stable")
    return [order[start : start + size] for start in range(0, len(order), size)]
