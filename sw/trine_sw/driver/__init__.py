"""The driver: ``from trine_sw.driver import Board``."""

from trine_sw.driver.asynchronous import AsyncBoard
from trine_sw.driver.board import Board
from trine_sw.driver.requests import BoardState, Step

__all__ = ["AsyncBoard", "Board", "BoardState", "Step"]
