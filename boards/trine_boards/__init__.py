"""Trine on boards: clock, pins, transport, build and reports."""

from trine_boards.board_spec import BoardSpec
from trine_boards.boards import BOARDS

__all__ = ["BOARDS", "BoardSpec"]
