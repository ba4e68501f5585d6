"""Design of a board, shared by the board model, the simulator and the gateware."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TypedDict

from trine_sw.engine import EngineConfig
from trine_sw.engine.memory_layout import MemoryLayout, place
from trine_sw.link.board_info import Info, board_info
from trine_sw.link.protocol import LinkConfig
from trine_sw.link.records import link_for
from trine_sw.model import Model

__all__ = ["DEFAULT_BAUD", "BoardDesign", "LinkParts"]

#: Of the boards' serial ports, unless they are built for another rate: the most of an FT231X, the USB chip
#: of the ULX3S. An FT2232H, that of the iCEBreaker, makes it exactly, too.
DEFAULT_BAUD = 3_000_000


class LinkParts(TypedDict):
    """What both :class:`trine_sw.link.board_model.BoardModel` and the gateware's ``Link`` are made of."""

    model: Model
    engine: EngineConfig
    link: LinkConfig
    clock_hz: float
    baud: float
    layout: MemoryLayout


@dataclass(frozen=True)
class BoardDesign:
    """A board of a model. Every kind of board is made from one, so that all say the same of themselves.

    Parameters
    ----------
    model, engine : what it computes, and how
    least : its link's buffers, at least
    clock_hz, baud : what it says of itself; 0 where there is none

    Members
    -------
    layout : where the model lies on the engine
    link : the buffers, with frames as long as one token needs for all that it can be asked for
    parts : keyword arguments of the board model and of the gateware's link
    info : what the board says of itself
    """

    model: Model
    engine: EngineConfig
    least: LinkConfig = field(default_factory=LinkConfig)
    clock_hz: float = 0
    baud: float = 0

    @cached_property
    def layout(self) -> MemoryLayout:
        return place(self.model, self.engine)

    @cached_property
    def link(self) -> LinkConfig:
        return link_for(self.model, self.engine, self.least, self.layout)

    @property
    def parts(self) -> LinkParts:
        return {
            "model": self.model,
            "engine": self.engine,
            "link": self.link,
            "clock_hz": self.clock_hz,
            "baud": self.baud,
            "layout": self.layout,
        }

    @cached_property
    def info(self) -> Info:
        return board_info(
            self.model,
            self.engine,
            self.link,
            clock_hz=self.clock_hz,
            baud=self.baud,
            layout=self.layout,
        )
