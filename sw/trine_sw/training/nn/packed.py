"""Sequences of different lengths as segments of steps, each of as many sequences as still go on."""

from __future__ import annotations

from itertools import groupby

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from trine_sw.training.nn.layers import TernaryLayer

__all__ = ["joined", "run_segments", "segments_of"]


def segments_of(packed: PackedSequence) -> list[Tensor]:
    """Segments (T, B, E), whose B falls from one to the next.

    >>> packed = torch.nn.utils.rnn.pack_sequence([torch.zeros(5, 2), torch.zeros(3, 2)])
    >>> [tuple(segment.shape) for segment in segments_of(packed)]
    [(3, 2, 2), (2, 1, 2)]
    """
    runs = [(size, len(list(steps))) for size, steps in groupby(packed.batch_sizes.tolist())]
    parts = packed.data.split([size * steps for size, steps in runs])
    return [part.unflatten(0, (steps, size)) for part, (size, steps) in zip(parts, runs, strict=True)]


def joined(segments: list[Tensor]) -> Tensor:
    """The data of packed sequences whose segments these are; the inverse of :func:`segments_of`."""
    return torch.cat([segment.flatten(0, 1) for segment in segments])


def run_segments(
    layer: TernaryLayer, segments: list[Tensor], state: tuple[Tensor, Tensor]
) -> tuple[list[Tensor], list[Tensor], tuple[Tensor, Tensor]]:
    """Run a layer over segments from h and c (B, H) of all sequences, the longest first.

    Returns h and u of each segment, and the state after the last step of each sequence.
    """
    quantised = layer.quantised()
    all_h, all_u = [], []
    ended: list[tuple[Tensor, Tensor]] = []
    for x in segments:
        count = x.shape[1]
        if count < len(state[0]):
            ended.append((state[0][count:], state[1][count:]))
            state = (state[0][:count], state[1][:count])
        h, u, state = layer(x, state, quantised)
        all_h.append(h)
        all_u.append(u)
    last = [state, *reversed(ended)]
    return all_h, all_u, (torch.cat([h for h, _ in last]), torch.cat([c for _, c in last]))
