"""Figures of a model of sequences: accuracy, macro F1, R2 and mean absolute error."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trine_sw.data.sequences import SequenceSet, Targets
from trine_sw.model.task import Task
from trine_sw.support.installing import needed
from trine_sw.training.sequences.batches import collated, in_order
from trine_sw.training.sequences.loss import loss_of
from trine_sw.training.sequences.networks import SequenceNetwork

__all__ = ["answers_of", "confusion", "figures_of", "outputs_of", "validated"]

_BATCH = 256


@torch.no_grad()
def outputs_of(network: SequenceNetwork, x: Sequence[NDArray[Any]], device: torch.device) -> list[Tensor]:
    """Outputs (K,), or (T, K) of every step, of each sequence (T, F); the network is in evaluation mode."""
    network.eval()
    lengths = np.array([len(each) for each in x], np.int64)
    found: list[Tensor] = [torch.empty(0)] * len(x)
    for indices in in_order(lengths, _BATCH):
        batch = collated([x[index] for index in indices], [0] * len(indices), "classify").to(device)
        outputs = network(batch.x, batch.lengths).cpu()
        for place, index in enumerate(indices):
            found[index] = outputs[: lengths[index], place] if network.every_step else outputs[place]
    return found


def answers_of(network: SequenceNetwork, sequences: SequenceSet, device: torch.device) -> Targets:
    """What a network says of sequences, in the form of their targets: classes, or values."""
    outputs = outputs_of(network, sequences.x, device)
    if sequences.task == "label":
        return [each.argmax(dim=-1).numpy() for each in outputs]
    every = torch.stack(outputs)
    return every.double().numpy() if sequences.task == "regress" else every.argmax(dim=-1).numpy()


def figures_of(task: Task, y: Targets, found: Targets) -> dict[str, float]:
    """Figures of what was found for targets: classes (N,), or (T,) of each sequence; values (N, K).

    Of classes accuracy and macro F1, over the classes that are there; of values R2, the mean of its columns,
    which one sequence alone has none of, and the mean absolute error.

    >>> figures_of("classify", np.array([0, 1, 1]), np.array([0, 1, 0]))["accuracy"].__round__(3)
    0.667
    """
    with needed("sklearn", "data", "measuring a model of sequences"):
        from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, r2_score
    if task == "regress":
        r2 = {"r2": float(r2_score(y, found))} if len(y) > 1 else {}
        return r2 | {"mae": float(mean_absolute_error(y, found))}
    wanted, given = _joined(y), _joined(found)
    return {
        "accuracy": float(accuracy_score(wanted, given)),
        "macro_f1": float(f1_score(wanted, given, average="macro")),
    }


def confusion(y: Targets, found: Targets, classes: int) -> NDArray[np.integer]:
    """Counts (K, K): row, what it is; column, what it was taken for."""
    with needed("sklearn", "data", "measuring a model of sequences"):
        from sklearn.metrics import confusion_matrix
    return confusion_matrix(_joined(y), _joined(found), labels=np.arange(classes))


def validated(
    network: SequenceNetwork, sequences: SequenceSet, device: torch.device, weights: Tensor | None = None
) -> dict[str, float]:
    """Loss of sequences, with these weights (K,) of the outputs, and their accuracy."""
    weights = None if weights is None else weights.cpu()
    outputs = outputs_of(network, sequences.x, device)
    if sequences.task == "regress":
        wanted = torch.from_numpy(np.asarray(sequences.y)).float()
        return {"loss": loss_of(torch.stack(outputs).float(), wanted, "regress", weights=weights).item()}
    joined = torch.cat(outputs) if network.every_step else torch.stack(outputs)
    labels = torch.from_numpy(_joined(sequences.y).astype(np.int64))
    right = joined.argmax(dim=-1) == labels
    loss = loss_of(joined, labels, sequences.task, weights=weights)
    return {"loss": loss.item(), "accuracy": right.double().mean().item()}


def _joined(classes: Targets) -> NDArray[Any]:
    """Classes of all steps of all sequences in turn, or of all sequences."""
    return np.concatenate(classes) if isinstance(classes, list) else classes
