"""Cycles a token as the layer grows, and as lanes and banks do, from the exact timing model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from trine_sw.engine import EngineConfig, Geometry
from trine_sw.engine.placement import ANYWHERE, Placement
from trine_sw.engine.timing import vector_cycles
from trine_sw.fit.sample import Sample
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model

__all__ = ["HIDDEN", "LANES", "BANKS", "Point", "sweep_engine", "sweep_hidden"]

HIDDEN = (64, 128, 256, 300, 512, 1024)
LANES = (150, 300, 600, 1200)
BANKS = (1, 2, 3, 4, 6, 8)
_SYMBOLS = 64
_ACTIVITY = 0.25
_TOKENS = 300


@dataclass(frozen=True)
class Point:
    """Mean cycles of an engine: ``dense`` are those of one with the same ports that skips nothing."""

    hidden: int
    lanes: int
    banks: int
    groups: int
    cycles: float
    dense: int


def _point(model: Model, engine: EngineConfig, sample: Sample) -> Point:
    geometry = Geometry(model.config, engine)
    counted = vector_cycles(model, engine, sample.x, sample.h, head=sample.heads, starts=sample.starts)
    cycles = float(counted.cycles[1:].mean())
    dense = geometry.groups * geometry.bank_columns
    return Point(model.config.hidden, geometry.lanes, engine.banks, geometry.groups, cycles, dense)


def sweep_hidden(sizes: Sequence[int] = HIDDEN, *, lanes: int = 1200, banks: int = 3) -> Iterator[Point]:
    """Layers of E = H units with a quarter of their columns active, random weights, on one engine."""
    for size in sizes:
        model = random_model(
            ModelConfig(hidden=size, embedding=size, vocab_size=_SYMBOLS), seed=1, activity=_ACTIVITY
        )
        model = replace(model, head_weight=None, head_bias=None, head_scale=None)
        tokens = np.random.default_rng(1).integers(0, _SYMBOLS, _TOKENS)
        sample = Sample.of(model, tokens)
        yield _point(model, EngineConfig(lanes, banks, head="host", embedding="host"), sample)


def sweep_engine(
    model: Model,
    sample: Sample,
    lanes: Sequence[int] = LANES,
    banks: Sequence[int] = BANKS,
    placement: Placement = ANYWHERE,
) -> Iterator[Point]:
    """``model``'s layer on engines of so many lanes and banks, with embedding and head on the host where
    ``placement`` has nothing else."""
    placement.of(model)  # refuses what the file lacks
    embedding, head = placement.embedding or "host", placement.head or "host"
    for count in lanes:
        for each in banks:
            yield _point(model, EngineConfig(count, each, embedding, head), sample)
