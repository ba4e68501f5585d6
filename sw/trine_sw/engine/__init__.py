"""The engine as numbers: configuration, geometry, memory layout and exact timing."""

from trine_sw.engine.config import EngineConfig
from trine_sw.engine.geometry import (
    ACCUMULATE_LATENCY,
    CELL_LATENCY,
    EMBEDDING_LATENCY,
    ROM_LATENCY,
    SCAN_LATENCY,
    Geometry,
)

__all__ = [
    "ACCUMULATE_LATENCY",
    "CELL_LATENCY",
    "EMBEDDING_LATENCY",
    "EngineConfig",
    "Geometry",
    "ROM_LATENCY",
    "SCAN_LATENCY",
]
