"""What each transport of a board takes beyond a UART: ``python -m sim.measure.transports [BOARD [LINK]]``.

A board is synthesised with clock, pins and transport, and with a register instead of link and engine.
Cells are counted as in :mod:`sim.netlist.resources`.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

from sim.netlist import resources
from sim.netlist.loopback import synthesised_loopback
from sim.netlist.resources import Taken
from trine_boards import BOARDS
from trine_boards.board_spec import BoardSpec

__all__ = ["taken"]


def taken(board: BoardSpec) -> Taken:
    """What `board` takes without its link and engine."""
    with tempfile.TemporaryDirectory() as name:
        module = synthesised_loopback(board, Path(name))
    return resources.taken(Counter(cell["type"] for cell in module["cells"].values()))


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
