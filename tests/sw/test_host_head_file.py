"""A float head in the model file, alone and beside a ternary one."""

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.altered_file import CONFIG, drop, reshape, retype, rewritten, set_entry
from trine_sw.golden.host_head import head_of
from trine_sw.model import Model
from trine_sw.model.random_model import random_model
from trine_sw.model.trits import pack
from trine_sw.support.errors import TrineError


@pytest.fixture
def model():
    return random_model(CONFIG, seed=0)


@pytest.fixture
def host_model(model):
    """A model whose head is float, and the host's."""
    generator = np.random.default_rng(0)
    return Model(
        CONFIG,
        model.layers,
        embedding_weight=model.embedding_weight,
        host_head_weight=generator.normal(size=(4, 6)).astype(np.float16),
        host_head_bias=generator.normal(size=4).astype(np.float16),
    )


def test_host_head_round_trip(host_model, tmp_path):
    host_model.save(tmp_path / "m.trine")
    again = Model.load(tmp_path / "m.trine")
    assert again.digest() == host_model.digest() and again.heads == ("float",) and again.head_scale is None
    np.testing.assert_array_equal(again.host_head_weight, host_model.host_head_weight)
    np.testing.assert_array_equal(again.host_head_bias, host_model.host_head_bias)


@pytest.mark.parametrize(
    ("alter", "message"),
    [
        (drop("host_head.bias"), "host_head.weight and host_head.bias must both be there"),
        (reshape("host_head.weight"), "host_head.weight must be float16 "),
        (retype("host_head.bias", np.float32), "host_head.bias must be float16 "),
        (set_entry("host_head.weight", (1, 1), np.nan), "host_head.weight must hold finite numbers"),
        (
            lambda tensors, metadata: tensors.update({"head.weight": pack(np.zeros((4, 6)))}),
            "head.weight, head.bias and head.scale must all be there",
        ),
    ],
)
def test_wrong_host_head(host_model, tmp_path, alter, message):
    with pytest.raises(TrineError, match=message):
        Model.load(rewritten(host_model, tmp_path, alter))


def test_two_heads_in_one_file(model, host_model, tmp_path):
    """Both are kept; a file with both is of another digest than one with either."""
    both = replace(
        model, host_head_weight=host_model.host_head_weight, host_head_bias=host_model.host_head_bias
    )
    both.save(tmp_path / "m.trine")
    again = Model.load(tmp_path / "m.trine")
    assert (again.heads, model.heads, host_model.heads) == (("float", "ternary"), ("ternary",), ("float",))
    np.testing.assert_array_equal(again.head_weight, model.head_weight)
    np.testing.assert_array_equal(again.host_head_weight, host_model.host_head_weight)
    assert (
        len({again.digest(), model.digest(), replace(host_model, vocabulary=model.vocabulary).digest()}) == 3
    )
    u = np.random.default_rng(1).integers(-3, 4, (50, 6)).astype(np.int8)
    for kind, alone, expected in (("ternary", model, 0.125), ("float", host_model, 1.0)):
        (of_u, scale), (of_one, _) = head_of(again, kind), head_of(alone)
        np.testing.assert_array_equal(of_u(u), of_one(u))
        assert scale == expected
    np.testing.assert_array_equal(head_of(again)[0](u), head_of(host_model)[0](u))
    with pytest.raises(TrineError, match="no float head, but a ternary one"):
        head_of(model, "float")
    with pytest.raises(TrineError, match="no head"):
        head_of(Model(CONFIG, model.layers))
