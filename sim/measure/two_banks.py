"""Slots of column issue that a token takes, with each column in one bank or in two.

    python -m sim.measure.two_banks ptb-lstm-300 3
    python -m sim.measure.two_banks ptb-gru-300 4

Columns stand in the bank that ``--balance`` gives them, from a sample of the model's own text, or in two
banks, all pairs of banks equally often. Then either every token's columns are shared as evenly as the pairs
allow, or each bank takes in each slot a column from the fuller of the lists that it shares with another bank,
which two scanners could do that go through a list from its two ends. Or columns of h stand in their own bank
and in the next one, which takes them from the end of the list, a column or a word of eight at a time, once it
has read its own: that needs no more scanners than there are. Counted on the first words of the test text.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trine_sw.data import load_tokens
from trine_sw.engine.bank_balance import active_columns, balanced
from trine_sw.fit.sample import Sample, sample_text
from trine_sw.model import Model
from trine_sw.support.arithmetic import ceil_div

__all__ = ["even_slots", "greedy_slots", "next_bank_slots", "slots"]

ROOT = Path(__file__).resolve().parents[2]
_WORDS = 2000
_TOGETHER = 8  # trits of h that a scanner looks at together


def even_slots(counts: dict[tuple[int, ...], int]) -> int:
    """Fewest slots in which banks issue columns of which so many stand in each set of banks.

    No set of banks has more columns that stand in it alone than it issues (Hall's theorem).

    >>> even_slots({(0, 1): 4, (0, 2): 0, (1, 2): 1})
    2
    """
    banks = sorted(set(itertools.chain(*counts)))
    least = 0
    for size in range(1, len(banks) + 1):
        for chosen in itertools.combinations(banks, size):
            inside = sum(count for where, count in counts.items() if set(where) <= set(chosen))
            least = max(least, ceil_div(inside, size))
    return least


def greedy_slots(counts: dict[tuple[int, ...], int]) -> int:
    """Slots where in each slot each bank takes a column from the fullest of its lists, the first bank first.

    >>> greedy_slots({(0, 1): 4, (0, 2): 0, (1, 2): 1})
    2
    """
    left, taken = dict(counts), 0
    while any(left.values()):
        taken += 1
        for bank in sorted(set(itertools.chain(*counts))):
            fullest = max((where for where in left if bank in where), key=left.__getitem__)
            left[fullest] -= left[fullest] > 0
    return taken


def next_bank_slots(x: Sequence[int], h: Sequence[Sequence[int]]) -> int:
    """Slots where a bank without columns of its own takes a word from the end of the list before its own.

    Of each bank the active columns of x, and those of each word of h. A bank reads x's first; one that takes
    a word reads all of it.

    >>> next_bank_slots([2, 0, 0], [[1, 1, 1, 1], [], [1]])
    4
    """
    banks, taken = len(x), 0
    left, words = list(x), [[word for word in own if word] for own in h]
    while True:
        for bank in range(banks):
            if not left[bank] and words[bank]:
                left[bank] = words[bank].pop(0)
        for bank in range(banks):
            if not left[bank] and words[bank - 1]:
                left[bank] = words[bank - 1].pop()
        if not any(left):
            return taken
        taken += 1
        left = [max(0, columns - 1) for columns in left]


def slots(model: Model, banks: int, tokens: npt.NDArray[np.integer]) -> dict[str, float]:
    """Mean slots of a token: in one bank, in two (the next one's, greedily, evenly), over all banks."""
    own = sample_text(model, 4 * _WORDS)
    bank_of = np.array(balanced(active_columns(model, own.x, own.h, own.starts), banks))
    text = Sample.of(model, tokens)
    active = active_columns(model, text.x, text.h, text.starts)
    pairs = list(itertools.combinations(range(banks), 2))
    of_pair = np.arange(active.shape[1]) % len(pairs)
    lists = np.stack([active[:, of_pair == number].sum(1) for number in range(len(pairs))], axis=1)
    counts = [dict(zip(pairs, map(int, row), strict=True)) for row in lists]
    fullest = np.stack([active[:, bank_of == bank].sum(1) for bank in range(banks)]).max(0)
    in_bank = [np.flatnonzero(bank_of == bank) for bank in range(banks)]
    first_h = model.config.embedding
    of_x = [active[:, own[own < first_h]].sum(1) for own in in_bank]
    next_bank = {}
    for together in (_TOGETHER, 1):
        of_h = [_words(active[:, own[own >= first_h]], together) for own in in_bank]
        each = [
            next_bank_slots([int(own[n]) for own in of_x], [own[n].tolist() for own in of_h])
            for n in range(len(active))
        ]
        next_bank[together] = float(np.mean(each))
    return {
        "one bank": float(fullest.mean()),
        f"h's in the next too, {_TOGETHER} a time": next_bank[_TOGETHER],
        "h's in the next too, one a time": next_bank[1],
        "two banks, greedily": float(np.mean([greedy_slots(each) for each in counts])),
        "two banks, evenly": float(np.mean([even_slots(each) for each in counts])),
        "all columns over all banks": float(np.ceil(active.sum(1) / banks).mean()),
    }


def _words(active: npt.NDArray[np.bool_], together: int) -> npt.NDArray[np.int64]:
    """Active columns of each word of so many, (T, words), of (T, columns)."""
    starts = np.arange(0, active.shape[1], together)
    return np.add.reduceat(active, starts, axis=1, dtype=np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("banks", type=int)
    parser.add_argument("--dataset", default="ptb")
    arguments = parser.parse_args()
    model = Model.load(ROOT / "models" / f"{arguments.model}.trine")
    for name, mean in slots(model, arguments.banks, load_tokens(arguments.dataset, "test")[:_WORDS]).items():
        print(f"{name:32} {mean:7.2f}")


if __name__ == "__main__":
    main()
