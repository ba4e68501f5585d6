"""The word model of Penn Treebank at its full size: 500 words through the simulated engine.

``trine eval models/ptb-lstm-300.trine --dataset ptb --split test --backend verilator`` does it with all of
the test text (docs/results/ptb-lstm-300-gateware.md).
"""

import os
from pathlib import Path

import numpy as np
import pytest

from trine.backends import open_backend
from trine.simulated_steps import simulate_text
from trine_sw.data import END, load_text
from trine_sw.data.evaluation import golden_logits, logits_of, score, text_tokens
from trine_sw.engine.default import default_engine
from trine_sw.engine.timing import token_cycles
from trine_sw.golden.host_head import head_of
from trine_sw.model import Model

MODEL = Path(__file__).parent.parent / "models/ptb-lstm-300.trine"


def words(model: Model, count: int):
    """Tokens of the test text where it is at hand; of what the model itself writes where it is not."""
    if (Path(os.environ.get("TRINE_DATA", "data")) / "ptb/ptb.test.txt").is_file():
        return text_tokens(model, load_text("ptb", "test"))[: count + 1]
    assert model.vocabulary is not None
    start = model.vocabulary.index(END)
    written = open_backend("golden", model).generate([start], count, temperature=1.0, seed=1)
    return np.concatenate([[start], written])


@pytest.mark.nightly
def test_500_words_of_300_units(tmp_path):
    model = Model.load(MODEL)
    assert (model.config.hidden, model.config.embedding, model.config.vocab_size) == (300, 300, 10_000)
    tokens, engine = words(model, 500), default_engine(model)
    assert len(set(tokens.tolist())) > 100 and (engine.embedding, engine.head) == ("host", "host")
    text = simulate_text(model, tokens[:-1], engine, "verilator", runs=tmp_path)
    assert text.segments == 1
    np.testing.assert_array_equal(text.cycles, token_cycles(model, engine, tokens[:-1]).cycles)
    for head in model.heads:
        scale = head_of(model, head)[1]
        assert score(tokens, logits_of(model, text.u, head), scale) == score(
            tokens, golden_logits(model, head)(tokens[:-1]), scale
        )
    # A third of the columns, and what the fuller banks cost: no dense engine of 7,488 bits a cycle needs less
    # than 192 cycles.
    mean = text.cycles.mean()
    assert text.columns / 500 / 3 < mean <= 1.1 * text.columns / 500 / 3 + 4 < 100
