"""Outputs, answers and validation of a network of sequences."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trine_sw.data.figures import joined_classes
from trine_sw.data.sequences import SequenceSet, Targets
from trine_sw.training.sequences.batches import collated, in_order
from trine_sw.training.sequences.loss import loss_of
from trine_sw.training.sequences.networks import SequenceNetwork

__all__ = ["answers_of", "outputs_of", "validated"]

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
    labels = torch.from_numpy(joined_classes(sequences.y).astype(np.int64))
    right = joined.argmax(dim=-1) == labels
    loss = loss_of(joined, labels, sequences.task, weights=weights)
    return {"loss": loss.item(), "accuracy": right.double().mean().item()}
