"""The driver: ``from trine_sw.driver import Board``."""

from trine_sw.driver.asynchronous import AsyncBoard
from trine_sw.driver.board import Board
from trine_sw.driver.steps import BoardState, Step, StepBlock
from trine_sw.link.session import BoardGone

__all__ = ["AsyncBoard", "Board", "BoardGone", "BoardState", "Step", "StepBlock"]
