"""Columns that stand in two banks: how few slots they take, by trying every way to share them."""

import itertools
import random

import pytest

from sim.measure.two_banks import even_slots, greedy_slots, next_bank_slots


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


@pytest.mark.parametrize("seed", range(30))
def test_what_a_bank_takes_from_the_one_before_it(seed):
    """No fewer than all over all banks, and no more than the fullest bank would take alone."""
    rng = random.Random(seed)
    banks = rng.choice((2, 3, 4))
    x = [rng.randrange(9) for _ in range(banks)]
    h = [[rng.randrange(4) for _ in range(rng.randrange(12))] for _ in range(banks)]
    alone = [a + sum(b) for a, b in zip(x, h, strict=True)]
    found = next_bank_slots(x, h)
    assert -(-sum(alone) // banks) <= found <= max(alone)
    single = [[1] * sum(own) for own in h]
    assert -(-sum(alone) // banks) <= next_bank_slots(x, single) <= max(alone)
    if banks == 2:  # each helps the other, so that no bank waits while there is h
        assert next_bank_slots(x, single) == max(-(-sum(alone) // 2), *x)
