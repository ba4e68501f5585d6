"""A softmax over some of the words, whose loss has that over all of them as its limit.

The words of the step's targets, and others drawn by their frequency, stand for all. A word that is drawn with
probability p counts 1/p times (Bengio and Senecal, 2008; Jean et al., 2015), so that sums over the candidates
have those over all words as their mean.
"""

import torch
from torch import Tensor

from trine_sw.support.errors import TrineError

__all__ = ["CandidateSampler"]

_FLATTENING = 0.75  # power of the frequency: rarer words are drawn more often than they stand in the text


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
