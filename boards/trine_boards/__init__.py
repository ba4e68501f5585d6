"""Trine on boards: clock, pins, transport, build and reports."""

from trine_boards.board_spec import BoardSpec
from trine_boards.icebreaker import ICEBREAKER
from trine_boards.ulx3s import ULX3S

__all__ = ["BOARDS", "BoardSpec"]

#: The boards by their names on the command line.
BOARDS: dict[str, BoardSpec] = {board.name: board for board in (ULX3S, ICEBREAKER)}
