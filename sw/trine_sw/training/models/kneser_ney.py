"""Modified Kneser-Ney n-grams of a text, interpolated, with and without the word that is to be predicted.

The probability of a word after h, the last n-1 words, is (Chen and Goodman, 1999)

    p(w | h) = max(c(h w) - D(c), 0) / C(h) + (1 - S(h) / C(h)) p(w | h less its first word)

where C(h) and S(h) sum c and max(c - D, 0) over all words. Counts c of the highest order are those of the
text; of lower orders, how many different words come before. An n-gram model has seen the text that it is to
teach, so each word of it is predicted by the counts without that word (leave-one-out).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trine_sw.support.checks import integer
from trine_sw.support.errors import TrineError

__all__ = ["KneserNey", "WordShares"]


@dataclass(frozen=True)
class _Order:
    """N-grams of one order, in the order of their keys: id of the first n-1 words times V, plus the last.

    An n-gram's id is its place here; that of one word is the word. Those of one context are neighbours.
    """

    keys: Tensor  #: int64 (N,)
    last: Tensor  #: int64 (N,), the last words
    counts: Tensor  #: int64 (N,)
    discounted: Tensor  #: float32 (N,), counts less their discounts
    starts: Tensor  #: int64 (contexts + 1,), the first n-gram of each context
    totals: Tensor  #: float64 (contexts,), C
    sums: Tensor  #: float64 (contexts,), S
    discounts: Tensor  #: float32 (4,), of counts 0, 1, 2, and 3 and more

    def to(self, device: torch.device) -> _Order:
        return _Order(**{name: tensor.to(device) for name, tensor in vars(self).items()})

    def less(self, counts: Tensor) -> Tensor:
        """Counts less their discounts."""
        return (counts - self.discounts[counts.clamp(0, 3)]).clamp_min(0)


class KneserNey:
    """An n-gram model of a text.

    Parameters
    ----------
    tokens : (T,), the text.
    words : V.
    order : words of the longest n-grams, 2 to 8.

    Raises
    ------
    TrineError
        If the text is shorter than an n-gram, or has a word that is not below V.

    Examples
    --------
    >>> model = KneserNey([0, 1, 0, 1, 0, 2, 0, 1], words=3, order=2)
    >>> contexts = model.contexts(torch.tensor([[0]]), model.no_history(1))
    >>> model.shares(contexts).of().argmax().item()
    1
    """

    def __init__(self, tokens: NDArray[np.integer] | list[int], words: int, order: int = 5) -> None:
        text = np.asarray(tokens, dtype=np.int64)
        self.words = integer(words, "words", 1, 1 << 24)
        self.order = integer(order, "order of the n-grams", 2, 8)
        if len(text) <= order or text.min() < 0 or text.max() >= words:
            raise TrineError(f"n-grams of {order} words need a longer text, of words from 0 to {words - 1}")
        keys, ids, firsts = [np.arange(words)], [text], [np.empty(0, np.int64)]
        counts = [np.bincount(text, minlength=words)]
        for length in range(2, order + 1):
            # ids[n - 1][t] is of the n-gram that ends with word t + n - 1.
            key = ids[-1][:-1] * words + text[length - 1 :]
            unique, first, place, count = np.unique(
                key, return_index=True, return_inverse=True, return_counts=True
            )
            keys.append(unique)
            ids.append(place)
            firsts.append(first)
            counts.append(count)
        for length in range(1, order):  # below the highest order: how many different words come before
            ends = ids[length - 1][firsts[length] + 1]
            counts[length - 1] = np.bincount(ends, minlength=len(keys[length - 1]))
        self._orders = [_made(keys[n], counts[n], len(keys[n - 1]) if n else 1, words) for n in range(order)]

    def to(self, device: torch.device) -> KneserNey:
        """Compute on that device."""
        self._orders = [each.to(device) for each in self._orders]
        return self

    def no_history(self, streams: int) -> Tensor:
        """The words before the first ones of B streams, (order - 2, B): -1, none."""
        return torch.full((self.order - 2, streams), -1, device=self._orders[0].keys.device)

    def history(self, tokens: Tensor, before: Tensor) -> Tensor:
        """The words before those that follow tokens (T, B)."""
        both = torch.cat([before, tokens.long()])
        return both[len(both) - (self.order - 2) :]

    def contexts(self, tokens: Tensor, before: Tensor) -> list[Tensor]:
        """Ids (T·B,) of the 1, 2, ... order-1 words up to each of tokens (T, B); -1 where the text has none.

        ``before`` is the history of the tokens.
        """
        both = torch.cat([before, tokens.long()])
        ids = [both]
        for order in self._orders[1:-1]:
            earlier = torch.cat([torch.full_like(both[:1], -1), ids[-1][:-1]])
            ids.append(self._found(order, earlier, both))
        return [each[len(before) :].flatten() for each in ids]

    def _found(self, order: _Order, context: Tensor, word: Tensor) -> Tensor:
        """Ids of n-grams, -1 where there are none in the text or there is no context."""
        key = context * self.words + word
        place = torch.searchsorted(order.keys, key).clamp_max(len(order.keys) - 1)
        there = (order.keys[place] == key) & (context >= 0) & (word >= 0)
        return torch.where(there, place, -1)

    def shares(
        self, contexts: list[Tensor], targets: Tensor | None = None, real: list[Tensor] | None = None
    ) -> WordShares:
        """What the probabilities of the words that follow N contexts are made of.

        Parameters
        ----------
        contexts : as :meth:`contexts` gives them.
        targets : (N,), words of the text that are left out of what is counted; None: none is.
        real : the contexts that the text has there, where they are others; what is left out is of these.
        """
        count = len(contexts[0])
        left_out = self._left_out(contexts if real is None else real, targets)
        remaining = torch.ones(count, dtype=torch.float64, device=contexts[0].device)
        shares, of_target = [], torch.zeros_like(remaining)
        for length in range(self.order, 0, -1):
            order = self._orders[length - 1]
            context = contexts[length - 2] if length > 1 else torch.zeros_like(contexts[0])
            there = context >= 0
            place = context.clamp_min(0)
            total, kept = order.totals[place], order.sums[place]
            if left_out is not None and targets is not None:
                places, less = left_out[length - 1]
                if length > 1 and real is not None:
                    less = less & (context == real[length - 2])
                number = order.counts[places.clamp_min(0)]
                change = torch.where(less, order.less(number - 1) - order.less(number), 0.0).double()
                total, kept = total - less.double(), kept + change
            else:
                change = torch.zeros_like(remaining)
            there = there & (total > 0.5)
            share = torch.where(there, remaining / total.clamp_min(1), 0.0)
            of_target += share * change
            remaining = torch.where(there, remaining * (1 - kept / total.clamp_min(1)), remaining)
            shares.append((order, place, share.float()))
        rest = (remaining / self.words).float()
        return WordShares(self.words, shares[::-1], rest, targets, of_target.float())

    def _left_out(self, contexts: list[Tensor], targets: Tensor | None) -> list[tuple[Tensor, Tensor]] | None:
        """Of each order, from the lowest: the id of context and target, and whether it counts one less.

        A word that is left out takes an n-gram of the highest order off; one of a lower order counts one
        less where the only longer one that it ends is taken off with it.
        """
        if targets is None:
            return None
        target = targets.long()
        found = [target] + [
            self._found(order, context, target)
            for order, context in zip(self._orders[1:], contexts, strict=True)
        ]
        less = found[-1] >= 0
        result = [(found[-1], less)]
        for length in range(self.order - 1, 0, -1):
            longer = self._orders[length]
            less = less & (longer.counts[found[length].clamp_min(0)] == 1)
            result.append((found[length - 1], less))
        return result[::-1]


class WordShares(NamedTuple):
    """Of N contexts, what the probabilities of all words after them, or of some, are made of."""

    words: int
    """V"""
    orders: list[tuple[_Order, Tensor, Tensor]]
    """From the lowest: n-grams, the context of each of N, and the share (N,) that each of its counts has."""
    rest: Tensor
    """(N,), what each word has whatever the context."""
    targets: Tensor | None
    """(N,), words that were left out of the counts."""
    of_target: Tensor
    """(N,), what their probabilities change by."""

    def of(self, words: Tensor | None = None) -> Tensor:
        """Probabilities (N, V), float32, or (N, C) of these words (C,) alone, the same to the last bit.

        Each target must be one of the words.
        """
        places = None
        if words is not None:
            places = torch.full((self.words,), -1, device=words.device)
            places[words] = torch.arange(len(words), device=words.device)
        (order, _, share), *longer = self.orders
        discounted = order.discounted if words is None else order.discounted[words]
        made = share.unsqueeze(1) * discounted
        made += self.rest.unsqueeze(1)
        for order, context, share in longer:
            _add_rows(made, order, context, share, places)
        if self.targets is not None:
            targets = self.targets.long() if places is None else places[self.targets.long()]
            made.scatter_add_(1, targets.unsqueeze(1), self.of_target.unsqueeze(1))
        return made.clamp_min_(0)


def _add_rows(made: Tensor, order: _Order, context: Tensor, share: Tensor, places: Tensor | None) -> None:
    """Add to made (N, C) the discounted counts of each context (N,), times its share (N,).

    A word's column is the word, or its place, -1 where it has none.
    """
    first = order.starts[context]
    lengths = torch.where(share > 0, order.starts[context + 1] - first, 0)
    rows = torch.repeat_interleave(torch.arange(len(made), device=made.device), lengths)
    within = torch.arange(len(rows), device=made.device) - (lengths.cumsum(0) - lengths)[rows]
    grams = first[rows] + within
    columns = order.last[grams]
    if places is not None:
        columns = places[columns]
        there = columns >= 0
        rows, grams, columns = rows[there], grams[there], columns[there]
    made.view(-1).index_add_(0, rows * made.shape[1] + columns, order.discounted[grams] * share[rows])


def _made(keys: NDArray, counts: NDArray, contexts: int, words: int) -> _Order:
    starts = np.searchsorted(keys, np.arange(contexts + 1) * words)
    discounts = _discounts(counts)
    discounted = np.maximum(counts - discounts[np.minimum(counts, 3)], 0)
    of_context = keys // words
    return _Order(
        keys=torch.from_numpy(np.ascontiguousarray(keys)),
        last=torch.from_numpy(keys % words),
        counts=torch.from_numpy(counts.astype(np.int64)),
        discounted=torch.from_numpy(discounted.astype(np.float32)),
        starts=torch.from_numpy(starts),
        totals=torch.from_numpy(np.bincount(of_context, counts, minlength=contexts)),
        sums=torch.from_numpy(np.bincount(of_context, discounted, minlength=contexts)),
        discounts=torch.from_numpy(discounts.astype(np.float32)),
    )


def _discounts(counts: NDArray) -> NDArray:
    """Discounts of counts 0, 1, 2, and 3 and more, from how many n-grams have the counts 1 to 4.

    Where a short text lacks one of these, or they are out of order, half of each count up to 3.
    """
    n = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].astype(float)
    if n.all():
        y = n[0] / (n[0] + 2 * n[1])
        found = np.array([0.0] + [k + 1 - (k + 2) * y * n[k + 1] / n[k] for k in range(3)])
        if all(0 <= found[k] <= k for k in range(4)):
            return found
    return np.array([0.0, 0.5, 1.0, 1.5])
