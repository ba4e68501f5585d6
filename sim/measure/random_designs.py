"""Random models on boards with one of their links."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from sim.measure.fit_shapes import Shape
from trine_boards import BOARDS
from trine_boards.board_spec import BoardSpec
from trine_sw.fit import Fit, estimate
from trine_sw.fit.solver import configure
from trine_sw.model import ModelConfig
from trine_sw.support.errors import TrineError

__all__ = ["Design", "designs"]

#: Boards and links in turn: all transports, more of those that are built by default.
_TURNS = (
    ("ulx3s-25f", "uart"),
    ("icebreaker", "uart"),
    ("colorlight-5a75b", "ethernet"),
    ("ulx3s-12f", "uart"),
    ("tang-nano-20k", "uart"),
    ("ice40hx8k-evn", "uart"),
    ("orangecrab-25f", "usb"),
    ("icebreaker", "spi"),
    ("ecpix5-45f", "ulpi"),
    ("colorlight-i5", "spi"),
    ("icesugar", "uart"),
    ("tang-nano-9k", "uart"),
)
#: Logic cells that a chip's most useful engines leave no room for are not drawn: the share of the chip that
#: an estimate may take.
_MOST = 1.1


@dataclass(frozen=True)
class Design:
    """A random model on a board with one of its links."""

    shape: Shape
    link: str

    @property
    def board(self) -> BoardSpec:
        """With the link as the one that is built."""
        return BOARDS[self.shape.board].over(self.link)

    def fitted(self) -> Fit:
        """The engine and its estimate, whether it fits or not. Raises :exc:`TrineError` where it has not the
        memories."""
        shape, board, model = self.shape, self.board, self.shape.model()
        assert shape.lanes is not None and shape.banks is not None
        engine = configure(model, shape.lanes, shape.banks, chip=board)
        return estimate(model, engine, board)


def _around(rng: random.Random, low: int, high: int) -> int:
    """A number whose logarithm is evenly random."""
    return round(low * (high / low) ** rng.random())


def _drawn(rng: random.Random, number: int) -> Design:
    board, link = _TURNS[number % len(_TURNS)]
    chip = BOARDS[board]
    large = rng.random() < 0.15
    hidden = _around(rng, 4, 160 if large else 96)
    vocab = _around(rng, 3, 700 if large else 128)
    config = ModelConfig(
        hidden=hidden,
        embedding=_around(rng, 4, 160 if large else 96),
        vocab_size=vocab,
        cell=rng.choice(["lstm", "gru", "mgu"]),
        layers=rng.choice([1, 1, 1, 2, 3]),
        cell_max=rng.choice([2, 7, 15, 15, 31, 127]),
        cell_shift=rng.choice([0, 0, 1]),
        output_shift=rng.choice([0, 0, 1]),
        head_levels=rng.choice([(0, 1), (0, 1), (0, 1, 2, 3), (0, 1, 2, 3), (0, 2, 5, 9)]),
    )
    head = rng.random() < 0.7
    rows = len(config.spec.lanes) * hidden + (vocab if head else 0)
    small = chip.family != "ecp5"
    most = min(rows, 40 if small else 400 if large else 160)
    return Design(
        Shape(
            number=number,
            config=config,
            embedding=rng.random() < 0.7,
            head=head,
            extreme=rng.random() < 0.1,
            board=board,
            lanes=rows if rows <= most and rng.random() < 0.4 else _around(rng, min(most, 6), most),
            banks=rng.choice([1, 1, 1, 2, 3] if small else [1, 1, 2, 2, 3, 3, 4, 5, 7]),
            balance=False,
        ),
        link,
    )


def designs(count: int, *, seed: int = 4) -> Iterator[Design]:
    """The first `count` designs whose memories a chip has and whose logic is about within it."""
    rng = random.Random(seed)
    for number in range(count):
        while True:
            try:
                design = _drawn(rng, number)
                found = design.fitted()
            except TrineError:
                continue
            chip = design.board
            if found.cost.block_ram <= chip.block_ram and found.lut4 <= _MOST * chip.lut4:
                yield design
                break
