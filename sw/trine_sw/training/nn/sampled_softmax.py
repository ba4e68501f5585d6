"""A softmax over some of the words, whose loss has that over all of them as its limit.

The words of the step's targets, and others drawn by their frequency, stand for all. A word that is drawn with
probability p counts 1/p times (Bengio and Senecal, 2008; Jean et al., 2015), so that sums over the candidates
have those over all words as their mean. The logarithm of such a sum is below that of the mean by half of its
relative variance: the less of the probability is drawn, the smaller that is.
"""

from typing import Protocol

import torch
from torch import Tensor

from trine_sw.support.errors import TrineError

__all__ = ["CandidateSampler", "Sampler", "StratifiedSampler", "new_sampler"]

_FLATTENING = 0.75  # power of the frequency: rarer words are drawn more often than they stand in the text


class Sampler(Protocol):
    """Draws which words the softmax of a step is over."""

    def draw(self, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Words (C,), what is to be added to the logit of each, and where in them targets (N,) are."""
        ...

    def to(self, device: torch.device) -> "Sampler":
        """Draw on that device."""
        ...


def new_sampler(counts: Tensor, size: int, always: int, tokens: int) -> Sampler:
    """The sampler of ``size`` words with ``always`` the most frequent ones; 0: all are drawn."""
    if always:
        return StratifiedSampler(counts, size, always, tokens)
    return CandidateSampler(counts, size, tokens)


class CandidateSampler:
    """Draws which words the softmax of a step is over.

    Parameters
    ----------
    counts : (V,), how often each word stands in the training text.
    size : candidates C of a step, fewer than V and more than its tokens N.
    """

    def __init__(self, counts: Tensor, size: int, tokens: int) -> None:
        if not tokens < size < len(counts):
            raise TrineError(
                f"a sampled softmax must be over more words than a step has tokens, {tokens}, and fewer "
                f"than there are, {len(counts)}; not {size}"
            )
        counts = counts.double().clamp_min(1)
        self.size = size
        self._share = (counts / counts.sum()).float()
        drawn = counts**_FLATTENING
        self._rate = (drawn / drawn.sum()).float()

    def draw(self, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Words (C,), what is to be added to the logit of each, and where in them targets (N,) are."""
        # The first C words to arrive, each after an exponential time of its own rate. Given when the next one
        # would have come, each has come with a known probability, apart from all others.
        times = torch.empty_like(self._rate).exponential_() / self._rate
        times.index_fill_(0, targets, -1.0)  # not by assignment, whose number a CUDA graph would have to copy
        first = torch.topk(times, self.size + 1, largest=False)
        words, end = first.indices[:-1], first.values[-1]
        chance = -torch.expm1(-(end * self._rate[words] + len(targets) * self._share[words]))
        places = torch.empty(len(times), dtype=torch.int64, device=times.device)
        places[words] = torch.arange(self.size, device=times.device)
        return words, -chance.clamp_min(1e-12).log(), places[targets]

    def to(self, device: torch.device) -> "CandidateSampler":
        """Draw on that device."""
        self._share, self._rate = self._share.to(device), self._rate.to(device)
        return self


class StratifiedSampler:
    """Draws the most frequent words and the targets always, and the rest with equal probability.

    Words that most of the probability falls on are never left out, so that the sum over the candidates hardly
    varies, and its logarithm is hardly below that of the whole sum.

    Parameters
    ----------
    counts : (V,), how often each word stands in the training text.
    size : candidates C of a step, fewer than V and more than ``always`` and its tokens N together.
    always : the most frequent words, which are in every step.
    tokens : N.

    Raises
    ------
    TrineError
        Where ``size`` is out of range.
    """

    def __init__(self, counts: Tensor, size: int, always: int, tokens: int) -> None:
        if not always + tokens < size < len(counts):
            raise TrineError(
                f"a stratified softmax must be over more words than are always in it and a step has tokens, "
                f"{always} + {tokens}, and fewer than there are, {len(counts)}; not {size}"
            )
        self.size = size
        first = counts.double().argsort(descending=True, stable=True)[:always]
        self._first = torch.zeros(len(counts), dtype=torch.bool)
        self._first[first] = True

    def draw(self, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Words (C,), what is to be added to the logit of each, and where in them targets (N,) are."""
        sure = self._first.index_fill(0, targets, True)
        ranks = torch.rand(len(sure), device=sure.device).masked_fill(sure, -1.0)
        words = torch.topk(ranks, self.size, largest=False).indices
        count = sure.sum()
        chance = (self.size - count) / (len(sure) - count)
        offset = torch.where(sure[words], 0.0, -chance.log())
        places = torch.empty(len(sure), dtype=torch.int64, device=sure.device)
        places[words] = torch.arange(self.size, device=sure.device)
        return words, offset, places[targets]

    def to(self, device: torch.device) -> "StratifiedSampler":
        """Draw on that device."""
        self._first = self._first.to(device)
        return self
