"""Which bank each column lies in: columns that are active together are kept apart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trine_sw.model import Model

__all__ = ["active_columns", "balanced"]

#: An exchange must gain this share of what there is, so that rounding does not go round in circles.
_LEAST_GAIN = 1e-9


def active_columns(
    model: Model,
    x: npt.NDArray[np.int8],
    h: npt.NDArray[np.int8],
    starts: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.bool_]:
    """Which columns of ``[x ; h]`` each layer's step reads for each token, bool (L·T, columns), in a stack as
    they lie in slots A and B (:class:`trine_sw.engine.Geometry`).

    The tokens have the vectors x (T, E), after which the states are h (T, L·H); ``starts`` says where they
    begin anew from the zero state, by default at the first.
    """
    config = model.config
    h = h.reshape(len(h), config.layers, -1)
    before = np.concatenate([np.zeros_like(h[:1]), h[:-1]])
    if starts is not None:
        before[starts] = 0
    width = x.shape[1] if config.layers == 1 else max(x.shape[1], config.hidden)
    pairs = [(x, before[:, 0]), *((before[:, n], h[:, n - 1]) for n in range(1, config.layers))]
    slots = [(np.pad(a, ((0, 0), (0, width - a.shape[1]))), b) for a, b in pairs]
    return np.concatenate([np.concatenate(slot, axis=1) != 0 for slot in slots])


def balanced(active: npt.NDArray[np.bool_], banks: int) -> tuple[int, ...]:
    """The bank of each column, for ``EngineConfig.assignment``, from a sample of active columns (T, columns).

    A token takes as long as its fullest bank. What is made small instead is the sum of the squares of all
    banks' columns, over all tokens: that is the sum of how often two columns of a bank are active together,
    so that the gain of exchanging two columns is known at once. The best exchange is made until none gains.

    >>> twins = np.array([[1, 0, 1, 0], [0, 1, 0, 1]], bool)  # 0 and 2 always together, and 1 and 3
    >>> balanced(twins, 2)
    (1, 0, 0, 1)
    """
    columns = active.shape[1]
    together = active.T.astype(np.float32) @ active.astype(np.float32)
    bank = np.arange(columns) % banks
    member = np.eye(banks, dtype=np.float32)[bank]  # (columns, banks)
    own = np.diag(together)
    with_bank = together @ member  # how often a column is active with each bank's columns, itself included
    least = _LEAST_GAIN * float(np.square(active.sum(1, dtype=np.float64)).sum())
    while True:
        inside = with_bank[np.arange(columns), bank] - own
        # Of column i going to j's bank in j's place: what it will be active with less what it was.
        change = with_bank[:, bank] - together - inside[:, None]
        change += change.T
        change[bank[:, None] == bank[None, :]] = 0
        i, j = np.unravel_index(int(np.argmin(change)), change.shape)
        if change[i, j] >= -least:  # nothing is active at all: nothing to gain
            return tuple(bank.tolist())
        for column, out, into in ((i, bank[i], bank[j]), (j, bank[j], bank[i])):
            with_bank[:, out] -= together[:, column]
            with_bank[:, into] += together[:, column]
        bank[i], bank[j] = bank[j], bank[i]
