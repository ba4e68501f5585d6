"""Loss of a batch of sequences: labels or values, and what a teacher says of them."""

import torch
from torch import Tensor, nn

from trine_sw.model.task import Task
from trine_sw.training.sequences.batches import IGNORED
from trine_sw.training.sequences.recipe import Teacher

__all__ = ["loss_of", "taught_loss"]


def loss_of(
    outputs: Tensor, y: Tensor, task: Task, smoothing: float = 0.0, weights: Tensor | None = None
) -> Tensor:
    """Mean loss () of outputs (B, K) or (T, B, K): cross-entropy in nats, or the mean square of the error.

    ``weights`` (K,) are those of the outputs (:func:`trine_sw.training.sequences.statistics.loss_weights`).

    >>> loss_of(torch.tensor([[1.0, 1.0]]), torch.tensor([0]), "classify")
    tensor(0.6931)
    """
    if task == "regress":
        return _mean_square(outputs - y, weights)
    flat, labels = outputs.reshape(-1, outputs.shape[-1]), y.reshape(-1)
    return nn.functional.cross_entropy(flat, labels, weights, ignore_index=IGNORED, label_smoothing=smoothing)


def taught_loss(
    outputs: Tensor, taught: Tensor, y: Tensor, task: Task, teacher: Teacher, weights: Tensor | None = None
) -> Tensor:
    """Mean distance () of outputs from a teacher's: of softened probabilities, or of values.

    The distance of probabilities is Kullback and Leibler's in nats, times the square of the temperature, so
    that its gradient is as large as that of labels (Hinton et al., 2015).
    """
    if task == "regress":
        return _mean_square(outputs - taught, weights)
    heat = teacher.temperature
    if task == "label":
        kept = y.reshape(-1) != IGNORED
        outputs, taught = outputs.flatten(0, 1)[kept], taught.flatten(0, 1)[kept]
    with torch.no_grad():
        wanted = (taught / heat).log_softmax(dim=-1)
    found = (outputs / heat).log_softmax(dim=-1)
    return nn.functional.kl_div(found, wanted, reduction="batchmean", log_target=True) * heat**2


def _mean_square(error: Tensor, weights: Tensor | None) -> Tensor:
    # Before it is squared: the square of a large or small unit is beyond float32.
    return (error if weights is None else error * weights).square().mean()
