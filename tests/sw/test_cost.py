"""The formula for an iCE40's logic cells, against designs that were synthesised and packed."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.paths import ROOT
from trine_sw.engine import EngineConfig
from trine_sw.engine.memory_layout import place
from trine_sw.fit.cost import logic
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model

RESULTS = ROOT / "docs/results"
#: Designs of the link of an iCEBreaker, as nextpnr packed them: units of a GRU with 96 trits of x, and lanes,
#: where the state lies in memories.
FOLDED = ((72, 12, 4776), (76, 16, 5338), (80, 16, 5351), (88, 16, 5405), (88, 8, 5307))


def expected(config: ModelConfig, engine: EngineConfig) -> int:
    model = random_model(config, seed=1)
    return logic(model, place(model, engine), LinkConfig(window=1, receive_bytes=512))[0]


def swept() -> list[tuple[ModelConfig, EngineConfig, int]]:
    """Random designs, as ``python -m sim.measure.fit_sweep --whole 106 --results`` found them."""
    rows = json.loads((RESULTS / "fit-sweep-whole.json").read_text(encoding="utf-8"))
    return [
        (
            ModelConfig(**row["model"] | {"head_levels": tuple(row["model"]["head_levels"])}),
            EngineConfig(**row["engine"]),
            row["lut4_packed"],
        )
        for row in rows
        if row["board"] == "icebreaker"
    ]


def folded() -> list[tuple[ModelConfig, EngineConfig, int]]:
    config = Model.load(ROOT / "models/spoken-digits-small.trine").config
    engine = EngineConfig(lanes=8, banks=1, embedding="host", head="host", block_ram="ice40")
    return [
        (replace(config, hidden=units), replace(engine, lanes=lanes), cells) for units, lanes, cells in FOLDED
    ]


@pytest.mark.parametrize("designs, most", [(swept, 0.11), (folded, 0.06)], ids=["random", "in memories"])
def test_logic_cells_are_what_is_packed(designs, most):
    errors = np.array([expected(config, engine) / cells - 1 for config, engine, cells in designs()])
    assert np.abs(errors).max() < most
    assert np.abs(errors).mean() < 0.04
