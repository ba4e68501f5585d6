"""Variation of training sequences: noise, level, shift in time, stretched time, masks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trine_sw.training.sequences.recipe import Augmentation

__all__ = ["Augmenter"]


class Augmenter:
    """Varies sequences as an :class:`Augmentation` says.

    Parameters
    ----------
    options : what is varied, and how much.
    mean, deviation : float (F,) of each feature in the training set.
    steps : whether a sequence may be shifted, stretched and masked in time: not where each step has a label.
    """

    def __init__(
        self, options: Augmentation, mean: NDArray[Any], deviation: NDArray[Any], steps: bool = True
    ) -> None:
        self.options, self.steps = options, steps
        self.mean, self.deviation = mean.astype(np.float32), deviation.astype(np.float32)

    def __call__(self, x: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float32]:
        """A varied copy of x (T, F); at least one step long."""
        options = self.options
        x = x.astype(np.float32)
        if self.steps:
            x = self._shifted(self._stretched(x, rng), rng)
        if options.level:
            x = x + rng.normal(0, options.level) * self.deviation
        if options.noise:
            x = x + rng.standard_normal(x.shape, np.float32) * (options.noise * self.deviation)
        if options.mask_features:
            width = rng.integers(0, min(options.mask_features, x.shape[1]) + 1)
            start = rng.integers(0, x.shape[1] - width + 1)
            x[:, start : start + width] = self.mean[start : start + width]
        if self.steps and options.mask_steps:
            width = rng.integers(0, min(options.mask_steps, len(x) // 2) + 1)
            start = rng.integers(0, len(x) - width + 1)
            x[start : start + width] = self.mean
        return x.astype(np.float32, copy=False)

    def _stretched(self, x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        if not self.options.stretch or len(x) < 2:
            return x
        factor = 1 + rng.uniform(-self.options.stretch, self.options.stretch)
        steps = max(1, round(len(x) * factor))
        at = np.linspace(0, len(x) - 1, steps)
        low = np.minimum(at.astype(np.int64), len(x) - 2)
        share = (at - low).astype(np.float32)[:, None]
        return (x[low] * (1 - share) + x[low + 1] * share).astype(np.float32)

    def _shifted(self, x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        if not self.options.shift:
            return x
        steps = int(rng.integers(-self.options.shift, self.options.shift + 1))
        if steps < 0:
            return x[min(-steps, len(x) - 1) :]
        return np.concatenate([np.repeat(x[:1], steps, axis=0), x])
