"""Random models, boards and wishes, and the memories of what is elaborated for them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from amaranth.hdl import Fragment, Instance
from amaranth.hdl._mem import MemoryInstance

from trine_boards.board_spec import BoardSpec
from trine_hw.link.link import Link
from trine_hw.link.uart import UARTLink
from trine_sw.engine import EngineConfig
from trine_sw.engine.memories import Memory, block_rams, single_port_rams
from trine_sw.fit.cost import forms
from trine_sw.link.board_design import BoardDesign
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

__all__ = ["Shape", "board_gateware", "built_memories", "shapes"]

_BLOCK_RAM_CELLS = ("DP16KD", "PDPW16KD")
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


def board_gateware(model: Model, engine: EngineConfig, board: BoardSpec) -> UARTLink:
    """All of a board's gateware but its clock and its pins."""
    design = BoardDesign(model, engine, board.link, clock_hz=1e6 * board.clock_mhz, baud=board.baud)
    return UARTLink(Link(**design.parts), 16)


def built_memories(fragment: Fragment, board: BoardSpec) -> tuple[int, int, int]:
    """Block RAMs and single-port RAMs of an elaborated design, and how many of the former synthesis leaves
    out, since all their words are alike."""
    blocks = single_port = alike = 0
    kind = board.block_ram_kind
    for part in _parts(fragment):
        if isinstance(part, Instance) and part.type in _BLOCK_RAM_CELLS:
            blocks += 1
        if not isinstance(part, MemoryInstance):
            continue
        style = part._attrs.get("ram_style", "auto")
        data = part._data
        width = len(part._read_ports[0]._data) if part._read_ports else len(part._write_ports[0]._data)
        memory = Memory("", width, data.depth, style)
        here = block_rams(memory, forms(board))
        blocks += here
        single_port += single_port_rams(memory)
        if here and not part._write_ports and len(set(data.init)) == 1:
            alike += here
        assert style != "auto" or "rom_style" in part._attrs, f"{kind}: {part} is left to synthesis"
    return blocks, single_port, alike


def _parts(fragment: Fragment) -> Iterator[Fragment]:
    yield fragment
    for part, *_ in fragment.subfragments:
        yield from _parts(part)
