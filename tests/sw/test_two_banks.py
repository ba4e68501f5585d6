"""Columns that stand in two banks: how few slots they take, by trying every way to share them."""

import itertools
import random

import pytest

from sim.measure.two_banks import even_slots, greedy_slots


def fewest(counts: dict[tuple[int, ...], int], banks: int) -> int:
    """By trying every way."""
    ways = [range(count + 1) for count in counts.values()]
    best = sum(counts.values())
    for firsts in itertools.product(*ways):
        load = [0] * banks
        for (one, other), count, first in zip(counts, counts.values(), firsts, strict=True):
            load[one] += first
            load[other] += count - first
        best = min(best, max(load))
    return best


@pytest.mark.parametrize("seed", range(20))
def test_even_slots_are_the_fewest(seed):
    rng = random.Random(seed)
    banks = rng.choice((2, 3, 3, 4))
    counts = {pair: rng.randrange(7 if banks < 4 else 4) for pair in itertools.combinations(range(banks), 2)}
    assert even_slots(counts) == fewest(counts, banks) <= greedy_slots(counts) <= sum(counts.values())
