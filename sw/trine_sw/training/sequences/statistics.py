"""What the training set says of features and classes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trine_sw.data.sequences import SequenceSet

__all__ = ["Statistics", "loss_weights"]

_CONSTANT = 1e-6  # deviation, as a share of the largest magnitude, below which a feature counts as constant


@dataclass(frozen=True)
class Statistics:
    """Mean and deviation, float64 (F,), of columns of numbers; a constant one has deviation 1."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @classmethod
    def of(cls, sequences: SequenceSet) -> "Statistics":
        """Those of each feature, over all steps of these sequences."""
        return cls._of(np.concatenate(sequences.x))

    @classmethod
    def of_targets(cls, sequences: SequenceSet) -> "Statistics":
        """Those of each target of a regression."""
        return cls._of(np.asarray(sequences.y))

    @classmethod
    def _of(cls, values: NDArray[Any]) -> "Statistics":
        values = values.astype(np.float64)
        deviation = values.std(axis=0)
        constant = deviation <= _CONSTANT * np.abs(values).max(axis=0)
        return cls(values.mean(axis=0), np.where(constant, 1.0, deviation))


def loss_weights(sequences: SequenceSet, balanced: bool) -> Tensor | None:
    """Weight (K,) of each output in the loss: of a regression, by which errors are as of deviation 1.

    Of classes, where the loss is ``balanced``, the inverse of each class's share, 1 where all are alike; of
    one never seen, 0. None: all weigh the same.
    """
    if sequences.task == "regress":
        return torch.from_numpy(1 / Statistics.of_targets(sequences).deviation).float()
    if not balanced:
        return None
    labels = np.concatenate([np.atleast_1d(each) for each in sequences.y])
    counts = np.bincount(labels, minlength=sequences.outputs)
    shares = counts * (counts > 0).sum() / len(labels)
    return torch.from_numpy(np.where(counts > 0, 1 / np.maximum(shares, 1e-12), 0.0)).float()
