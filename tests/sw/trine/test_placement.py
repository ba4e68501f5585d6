"""Places of embedding and head: the same options everywhere, and the same outputs wherever they are."""

from dataclasses import replace

import numpy as np
import pytest

import trine as api
from trine_sw.golden import Golden
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

PLACES = [(embedding, head) for embedding in ("board", "host") for head in ("board", "host")]
SYMBOLS = "abcdefg"


def language(**parts):
    config = ModelConfig(hidden=9, embedding=5, vocab_size=7, cell_max=15, head_levels=(0, 1, 3))
    return replace(random_model(config, seed=3, activity=0.6), vocabulary=list(SYMBOLS), **parts)


def with_float_head(model):
    rng = np.random.default_rng(7)
    shape = (model.config.vocab_size, model.config.hidden)
    weight, bias = rng.normal(size=shape), rng.normal(size=shape[0])
    return replace(model, host_head_weight=weight.astype(np.float16), host_head_bias=bias.astype(np.float16))


@pytest.mark.parametrize("places", PLACES, ids="-".join)
def test_a_board_is_made_as_it_is_asked_for(tmp_path, places):
    model = language()
    model.save(tmp_path / "m.trine")
    with api.Board.open(f"golden:{tmp_path / 'm.trine'}", embedding=places[0], head=places[1]) as board:
        assert (board.info.embedding_on_board, board.info.head_on_board) == tuple(
            place == "board" for place in places
        )
        found = board.generate([1, 2], 9, 1.0, 5)
    np.testing.assert_array_equal(found, Golden(model).generate([1, 2], 9, 1.0, 5))
