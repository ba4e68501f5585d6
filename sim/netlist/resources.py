"""What the cells of a synthesised netlist take of their chip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["BLOCK_RAMS", "LUT4", "Taken", "is_flip_flop", "taken"]

#: LUT4 that a cell takes, or whose place it takes: two bits of an ECP5's carry, a distributed memory, one bit
#: of a Gowin chip's adder.
LUT4 = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4, "SB_LUT4": 1, "ALU": 1}
LUT4 |= {f"LUT{inputs}": 1 for inputs in (1, 2, 3)}
#: Cells that are a block RAM each.
BLOCK_RAMS = ("DP16KD", "PDPW16KD", "SB_RAM40_4K", "SDPB", "SDPX9B", "SP", "SPX9", "pROM", "pROMX9", "DPB")


class Taken(NamedTuple):
    """LUT4, flip-flops and block RAMs."""

    lut4: int
    ff: int
    block_ram: int


def is_flip_flop(kind: str) -> bool:
    """Whether a cell of this type is a flip-flop.

    >>> is_flip_flop("SB_DFFESR"), is_flip_flop("LUT4")
    (True, False)
    """
    return kind == "TRELLIS_FF" or kind.startswith(("SB_DFF", "DFF"))


def taken(cells: Mapping[str, int]) -> Taken:
    """What cells take, of which `cells` has the number of each type.

    >>> taken({"LUT4": 10, "CCU2C": 3, "TRELLIS_FF": 7, "DP16KD": 1})
    Taken(lut4=16, ff=7, block_ram=1)
    """
    return Taken(
        sum(LUT4.get(kind, 0) * count for kind, count in cells.items()),
        sum(count for kind, count in cells.items() if is_flip_flop(kind)),
        sum(cells.get(kind, 0) for kind in BLOCK_RAMS),
    )
