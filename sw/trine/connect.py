"""Simulators as connection schemes: with this module, ``verilator:M.trine`` and ``icarus:M.trine`` are
boards."""

from collections.abc import Callable

from trine_hw.simulation.simulators import SIMULATORS
from trine_sw.driver import AsyncBoard, Board
from trine_sw.driver.transports import Transport
from trine_sw.driver.urls import register_scheme
from trine_sw.engine import EngineConfig
from trine_sw.model import Model

__all__ = ["AsyncBoard", "Board"]


def _simulated(simulator: str) -> Callable[[Model, EngineConfig], Transport]:
    def connect(model: Model, engine: EngineConfig) -> Transport:
        from trine_hw.simulation.virtual_board import VirtualBoard

        return VirtualBoard(model, engine, simulator)

    return connect


for _simulator in SIMULATORS:
    register_scheme(_simulator, _simulated(_simulator))
