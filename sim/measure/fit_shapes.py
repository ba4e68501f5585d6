"""Random models, boards and wishes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

__all__ = ["Shape", "shapes"]

#: A board of each family. More of them would be other shapes, and other records of a sweep.
_BOARDS = ("icebreaker", "ulx3s")
_HEADS = ("ternary", "ternary", "ternary", "none")


@dataclass(frozen=True)
class Shape:
    """A model, a board, and what is asked of the engine.

    Members
    -------
    config, embedding, head : of the model; whether it has them
    extreme : weights and thresholds at their edges
    board : its name
    lanes, banks, balance : as on the command line; None: what the solver picks
    """

    number: int
    config: ModelConfig
    embedding: bool
    head: bool
    extreme: bool
    board: str
    lanes: int | None
    banks: int | None
    balance: bool

    def model(self) -> Model:
        """The model, the same each time."""
        model = random_model(
            self.config, seed=self.number, threshold="extreme" if self.extreme else "typical"
        )
        absent: dict[str, Any] = {} if self.embedding else {"embedding_weight": None}
        if not self.head:
            absent |= {"head_weight": None, "head_bias": None, "head_scale": None}
        return replace(model, **absent)


def shapes(count: int, *, seed: int = 1, largest: int = 12) -> Iterator[Shape]:
    """Shapes of models of up to ``largest`` units, with every option there is, now and then at its end."""
    rng = random.Random(seed)
    number = 0
    while number < count:
        levels = rng.choice([(0, 1), (0, 1), (0, 1, 2, 3), (0, 3, 3, 7), (0, 127)])
        few, many = [1, 2, 3, *(rng.randint(4, 40) for _ in range(8))], [300, 513, 1100, 2100, 5000]
        vocab = rng.choice([*few, rng.choice(many)])
        try:
            config = ModelConfig(
                hidden=rng.choice([1, 2, rng.randint(3, largest), rng.randint(3, largest), largest]),
                embedding=rng.choice([1, 2, rng.randint(3, largest), rng.randint(3, largest), 2 * largest]),
                vocab_size=vocab,
                cell=rng.choice(["lstm", "gru"]),
                layers=rng.choice([1, 1, 1, 2, 3]),
                cell_max=rng.choice([1, 2, 7, 15, 15, 127]),
                cell_shift=rng.choice([0, 0, 1, 3, 6]),
                output_shift=rng.choice([0, 0, 1, 3, 6]),
                head_levels=levels,
            )
        except TrineError:  # options that exclude each other
            continue
        given = rng.random() < 0.4
        number += 1
        yield Shape(
            number=number,
            config=config,
            embedding=rng.random() < 0.8,
            head=rng.choice(_HEADS) == "ternary",
            extreme=rng.random() < 0.2,
            board=rng.choice(_BOARDS),
            lanes=rng.randint(4, 4 * config.hidden + min(vocab, 40) + 3) if given else None,
            banks=rng.choice([1, 1, 2, 3, rng.randint(4, 20)]) if given else None,
            balance=rng.random() < 0.15,
        )
