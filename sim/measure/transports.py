"""What each transport of a board takes beyond a UART: ``python -m sim.measure.transports [BOARD [LINK]]``.

A board is synthesised with clock, pins and transport, and with a register instead of link and engine.
A LUT4 is counted for each LUT4 cell, two for each carry cell and four for each distributed memory.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

from sim.netlist.loopback import synthesised_loopback
from trine_boards import BOARDS
from trine_boards.board_spec import BoardSpec

__all__ = ["beyond_uart", "taken"]

#: LUT4 of a cell.
_LUT4 = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4, "SB_LUT4": 1}
_BLOCK_RAMS = ("DP16KD", "SB_RAM40_4K")


def taken(board: BoardSpec) -> tuple[int, int, int]:
    """LUT4, flip-flops and block RAMs of `board` without its link and engine."""
    with tempfile.TemporaryDirectory() as name:
        module = synthesised_loopback(board, Path(name))
    cells = Counter(cell["type"] for cell in module["cells"].values())
    ff = sum(count for kind, count in cells.items() if kind == "TRELLIS_FF" or kind.startswith("SB_DFF"))
    lut4 = sum(number * cells[kind] for kind, number in _LUT4.items())
    return lut4, ff, sum(cells[kind] for kind in _BLOCK_RAMS)


def beyond_uart(board: BoardSpec, link: str) -> tuple[int, int, int]:
    """What `board` takes more over `link` than over its UART."""
    ours, uart = taken(board.over(link)), taken(board.over("uart"))
    return ours[0] - uart[0], ours[1] - uart[1], ours[2] - uart[2]


def main(arguments: list[str]) -> None:
    for board in (BOARDS[arguments[0]],) if arguments else (BOARDS["ulx3s"], BOARDS["icebreaker"]):
        uart = taken(board.over("uart"))
        for link in arguments[1:] or [each.name for each in board.transports if each.name != "uart"]:
            lut4, ff, block_ram = (a - b for a, b in zip(taken(board.over(link)), uart, strict=True))
            print(
                f"{board.name} {link}: {lut4:+} LUT4, {ff:+} flip-flops, {block_ram:+} block RAMs", flush=True
            )


if __name__ == "__main__":
    main(sys.argv[1:])
