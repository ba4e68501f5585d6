"""The descriptions of the cells: what each layer relies on."""

import numpy as np
import pytest

from trine_sw.engine import EngineConfig, Geometry
from trine_sw.engine.cell_lanes import gate_lanes
from trine_sw.model import CELLS, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError


@pytest.mark.parametrize("name", CELLS)
def test_a_description_is_consistent(name) -> None:
    spec = CELLS[name]
    assert spec.name == name
    assert len(set(spec.gate_names)) == spec.rows
    assert {lane.trit for lane in spec.lanes} == set(range(spec.trits))
    decisions = [decision for lane in spec.lanes for decision in lane.decisions]
    assert len(set(decisions)) == len(decisions)
    assert all(len(lane.decisions) == (1 if lane.kind == "switch" else 2) for lane in spec.lanes)
    assert all(spec.gates[lane.gates[0]].kind == lane.kind for lane in spec.lanes)
    assert spec.gates[spec.blend].kind == "blend" and spec.gates[spec.candidate].kind == "trit"
    assert sorted(spec.float_gates) == sorted(spec.weight_gates)
    assert spec.float_state[0] == "h" and len(spec.product_lut4) == 5


@pytest.mark.parametrize("name", CELLS)
def test_lanes_that_share_a_trit_can_be_read_from_it(name) -> None:
    """In each column, a lane adds the trit that it reads, or nothing where it is fed alone."""
    spec = CELLS[name]
    model = random_model(ModelConfig(cell=name, hidden=9, embedding=6, vocab_size=5), seed=1)
    weights, thresholds = gate_lanes(model.layers[0], model.config)
    assert len(weights) == len(thresholds) == len(spec.lanes)
    for number, lane in enumerate(spec.lanes):
        holder = next(n for n, other in enumerate(spec.lanes) if other.trit == lane.trit)
        fed = weights[holder][:, : model.config.embedding]
        np.testing.assert_array_equal(weights[number][:, : model.config.embedding], fed)
        if lane.fed_alone:
            assert not weights[number][:, model.config.embedding :].any()
        else:
            np.testing.assert_array_equal(weights[number], weights[holder])


@pytest.mark.parametrize("name", CELLS)
def test_an_engine_has_the_lanes_of_a_cell_at_least(name) -> None:
    config, lanes = ModelConfig(cell=name, hidden=3, embedding=2, vocab_size=5), len(CELLS[name].lanes)
    assert Geometry(config, EngineConfig(lanes, 1, head="host")).units == 1
    assert Geometry(config, EngineConfig(lanes + 2, 1, sampler_ways=2)).head_lanes == 2
    with pytest.raises(TrineError, match=f"lanes must be at least {lanes} "):
        _ = Geometry(config, EngineConfig(lanes - 1, 1, head="host")).units
