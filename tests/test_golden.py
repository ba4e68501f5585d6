"""The golden model against a slow, literal transcription of the arithmetic contract."""

import numpy as np
import pytest

from trine_sw.errors import TrineError
from trine_sw.golden import Golden
from trine_sw.model import Model, ModelConfig
from trine_sw.random_model import random_model


def contract(model: Model, tokens: list[int]) -> tuple[list, list, list, list]:
    """h, c, u and logits of every token, one Python integer at a time."""
    config, layer = model.config, model.layers[0]
    assert model.embedding_weight is not None
    assert model.head_weight is not None and model.head_bias is not None
    size, levels = config.hidden, config.head_levels
    weight, threshold = layer.weight.tolist(), layer.threshold.tolist()
    h, c = [0] * size, [0] * size
    out: tuple[list, list, list, list] = ([], [], [], [])
    for token in tokens:
        vector = model.embedding_weight[token].tolist() + h
        sums = [sum(w * v for w, v in zip(row, vector, strict=True)) for row in weight]
        u = [0] * size
        h = list(h)
        for unit in range(size):
            (a_i, a_f, a_g, a_o), ((_, i_hi), (f_lo, f_hi), (g_lo, g_hi), (_, o_hi)) = (
                [values[gate * size + unit] for gate in range(4)] for values in (sums, threshold)
            )
            i, o = int(a_i >= i_hi), int(a_o >= o_hi)
            f2 = int(a_f >= f_lo) + int(a_f >= f_hi)
            g = int(a_g >= g_hi) - int(a_g <= g_lo)
            sign = (c[unit] > 0) - (c[unit] < 0)
            kept = [0, sign * (abs(c[unit]) >> 1), c[unit]][f2]
            c[unit] = max(-config.cell_max, min(config.cell_max, kept + i * g * 2**config.cell_shift))
            sign = (c[unit] > 0) - (c[unit] < 0)
            n = abs(c[unit]) >> config.output_shift
            h[unit] = o * sign * int(n >= 1)
            u[unit] = o * sign * levels[min(n, len(levels) - 1)]
        logits = [
            sum(w * v for w, v in zip(row, u, strict=True)) + bias
            for row, bias in zip(model.head_weight.tolist(), model.head_bias.tolist(), strict=True)
        ]
        for values, value in zip(out, (h, list(c), u, logits), strict=True):
            values.append(value)
    return out


CONFIGS = [
    ModelConfig(hidden=13, embedding=7, vocab_size=11),
    ModelConfig(hidden=1, embedding=1, vocab_size=1, cell_max=1),
    ModelConfig(
        hidden=20,
        embedding=1,
        vocab_size=5,
        cell_max=127,
        cell_shift=6,
        output_shift=2,
        head_levels=(0, 1, 2, 3),
    ),
    ModelConfig(
        hidden=9,
        embedding=12,
        vocab_size=30,
        cell_max=7,
        cell_shift=1,
        output_shift=1,
        head_levels=(0, 2, 2, 127),
    ),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"H{config.hidden}")
@pytest.mark.parametrize("threshold", ["typical", "extreme"])
@pytest.mark.parametrize("three_state", [False, True])
def test_equals_contract(config, threshold, three_state):
    model = random_model(config, seed=1, threshold=threshold, three_state_forget=three_state)
    tokens = np.random.default_rng(2).integers(0, config.vocab_size, 60)
    trace = Golden(model).run(tokens)
    h, c, u, logits = contract(model, tokens.tolist())
    assert trace.logits is not None
    for ours, literal in ((trace.h, h), (trace.c, c), (trace.u, u), (trace.logits, logits)):
        np.testing.assert_array_equal(ours, literal)
    assert (trace.h.dtype, trace.c.dtype, trace.logits.dtype) == (np.int8, np.int8, np.int32)


def test_streams_and_pieces_equal_one_run():
    model = random_model(CONFIGS[3], seed=3)
    golden = Golden(model)
    tokens = np.random.default_rng(4).integers(0, 30, (50, 3))
    together = golden.run(tokens)
    first = golden.run(tokens[:20])
    second = golden.run(tokens[20:], first.state)
    np.testing.assert_array_equal(together.c, np.concatenate([first.c, second.c]))
    for stream in range(3):
        alone = golden.run(tokens[:, stream])
        assert together.logits is not None and alone.logits is not None
        assert alone.h.shape == (50, 9)
        np.testing.assert_array_equal(together.h[:, stream], alone.h)
        np.testing.assert_array_equal(together.logits[:, stream], alone.logits)
    assert model.embedding_weight is not None
    vectors = golden.run_vectors(model.embedding_weight[tokens])
    np.testing.assert_array_equal(vectors.u, together.u)
    np.testing.assert_array_equal(vectors.state.c, together.state.c)


def test_typical_activity_is_as_asked_for():
    config = ModelConfig(hidden=128, embedding=64, vocab_size=65)
    for activity in (0.15, 0.3, 0.5):
        model = random_model(config, seed=5, activity=activity)
        trace = Golden(model).run(np.random.default_rng(6).integers(0, 65, (100, 16)))
        assert 0.6 * activity < np.mean(trace.h != 0) < 1.4 * activity
        assert model.embedding_weight is not None
        assert abs(np.mean(model.embedding_weight != 0) - activity) < 0.05


def test_extreme_models_saturate():
    model = random_model(CONFIGS[0], seed=7, threshold="extreme")
    trace = Golden(model).run(np.zeros(100, int))
    assert np.abs(trace.c).max() == CONFIGS[0].cell_max
    assert (model.layers[0].weight == 0).all(axis=0).any()
    assert (model.layers[0].weight == 0).all(axis=1).any()


@pytest.mark.parametrize("tokens", [[0, 11], [-1], [0.5], [[[1]]]])
def test_bad_tokens(tokens):
    with pytest.raises(TrineError, match="token"):
        Golden(random_model(CONFIGS[0], seed=8)).run(tokens)


def test_state_of_other_size():
    golden = Golden(random_model(CONFIGS[0], seed=8))
    with pytest.raises(TrineError, match="state"):
        golden.run([[1, 2]], golden.initial_state(1))
