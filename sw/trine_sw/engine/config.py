"""Configuration of an engine: lanes, banks, and what is kept on the board."""

from __future__ import annotations

from dataclasses import dataclass

from trine_sw.model.cells import CELLS
from trine_sw.support.checks import integer, integer_array, shown
from trine_sw.support.errors import TrineError

__all__ = ["BLOCK_RAMS", "ICE40", "EngineConfig"]

_PLACES = ("board", "host")
#: Forms of block RAM: left to synthesis, or suited to a family.
BLOCK_RAMS = ("inferred", "ecp5", "ice40", "ice40hx", "gowin")
#: Those of a family, with and without the single-port RAMs of the UltraPlus chips.
ICE40 = ("ice40", "ice40hx")
_MOST_LANES = 2**31 - 1
_MOST_BANKS = 128  # a lane's sum of more would be too deep an expression for Amaranth


@dataclass(frozen=True)
class EngineConfig:
    """How an engine is built.

    Parameters
    ----------
    lanes
        Accumulators at most; rows beyond them are folded. At least 4 and, with the head on the board, 5.
    banks
        Column ROMs read in each cycle, 1 to 128.
    embedding, head
        ``"board"`` or ``"host"``: where the embedding table and the output layer are kept.
    block_ram
        ``"ecp5"`` instantiates ``PDPW16KD`` with its output register; ``"inferred"`` leaves the choice to
        synthesis; ``"ice40"`` does so too, in the forms that take the fewest logic cells on a small chip, and
        with the single-port RAMs of an UltraPlus; ``"ice40hx"`` is the same without those. ``"gowin"``
        leaves it to synthesis in the forms of a Gowin chip, one port to read and one to write.
    sampler_ways
        Logits that leave the head, and enter the sampler, in a cycle. At least 1.
    relays
        1 puts a register into each wire that crosses the chip, for engines that fill one: from the columns'
        addresses and signs to ROMs and lanes, and from the cells to the scanners. Each costs a cycle between
        a token's marker and its h.
    assignment
        The bank of each column of slots A and B, ``[x ; h]`` (:mod:`trine_sw.engine.bank_balance`); if not
        given, column ``j`` lies in bank ``j % banks``.

    Raises
    ------
    TrineError
        If a value is out of range; says what would be right.

    Examples
    --------
    >>> engine = trine.EngineConfig(lanes=330, banks=3, block_ram="ecp5", sampler_ways=2)
    >>> trine.EngineConfig(lanes=330, banks=0)
    Traceback (most recent call last):
    trine_sw.support.errors.TrineError: banks must be from 1 to 128, not 0
    """

    lanes: int
    banks: int
    embedding: str = "board"
    head: str = "board"
    block_ram: str = "inferred"
    sampler_ways: int = 1
    relays: int = 0
    assignment: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for name, low, high in (
            ("banks", 1, _MOST_BANKS),
            ("lanes", 1, _MOST_LANES),
            ("sampler_ways", 1, _MOST_LANES),
            ("relays", 0, 1),
        ):
            # As Python's integers, so that equal configurations are written alike.
            object.__setattr__(self, name, integer(getattr(self, name), name, low, high))
        for name, value in (("embedding", self.embedding), ("head", self.head)):
            if not isinstance(value, str) or value not in _PLACES:
                raise TrineError(f"{name} must be placed on 'board' or 'host', not {shown(value)}")
        if not isinstance(self.block_ram, str) or self.block_ram not in BLOCK_RAMS:
            known = ", ".join(map(repr, BLOCK_RAMS))
            raise TrineError(f"block_ram must be one of {known}, not {shown(self.block_ram)}")
        if self.assignment is not None:
            banks = integer_array(self.assignment, "assignment", "(columns,)", (1,))
            if banks.size and not 0 <= banks.min() <= banks.max() < self.banks:
                raise TrineError(f"assignment must name banks from 0 to {self.banks - 1}")
            object.__setattr__(self, "assignment", tuple(banks.tolist()))
        # What a model's own cell has may be more (``Geometry``).
        self.check_lanes(min(len(spec.lanes) for spec in CELLS.values()))

    def check_lanes(self, cell_lanes: int) -> None:
        """Raise :exc:`TrineError` unless there are lanes for a cell of so many and a beat of the head."""
        least = cell_lanes + (self.sampler_ways if self.head == "board" else 0)
        if self.lanes < least:
            raise TrineError(
                f"lanes must be at least {least} ({cell_lanes} gates and the head's), not {self.lanes}"
            )
