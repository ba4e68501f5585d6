"""The golden model against a slow, literal transcription of the arithmetic contract."""

import numpy as np
import pytest

from trine_sw.golden import Golden
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError


def sign(value: int) -> int:
    return (value > 0) - (value < 0)


def half(value: int) -> int:
    return sign(value) * (abs(value) >> 1)


def lstm_step(config: ModelConfig, gates: list, _: tuple, c: int) -> tuple[int, int]:
    """The new c, and o."""
    (a_i, _, i_hi), (a_f, f_lo, f_hi), (a_g, g_lo, g_hi), (a_o, _, o_hi) = gates
    i, o = int(a_i >= i_hi), int(a_o >= o_hi)
    f2 = int(a_f >= f_lo) + int(a_f >= f_hi)
    g = int(a_g >= g_hi) - int(a_g <= g_lo)
    kept = [0, half(c), c][f2]
    return max(-config.cell_max, min(config.cell_max, kept + i * g * 2**config.cell_shift)), o


def gru_step(config: ModelConfig, gates: list, reset: tuple, c: int) -> tuple[int, int]:
    """The new c, and 1: there is no output gate."""
    (a_z, z_lo, z_hi), (a_r, _, r_hi), (a_nx, n_lo, n_hi), (a_nh, _, _) = gates
    z2 = int(a_z >= z_lo) + int(a_z >= z_hi)
    r = int(a_r >= r_hi)
    a_n = a_nx + r * a_nh
    lo, hi = (n_lo, n_hi) if r else reset
    m = int(a_n >= hi) - int(a_n <= lo)
    target = m * 2**config.cell_shift
    return [target, half(c + target), c][z2], 1


def mgu_step(config: ModelConfig, gates: list, reset: tuple, c: int) -> tuple[int, int]:
    """The new c, and 1: there is no output gate."""
    (a_f, f_lo, f_hi), (a_nx, n_lo, n_hi), (a_nh, _, _) = gates
    f2 = int(a_f >= f_lo) + int(a_f >= f_hi)
    a_n = a_nx + a_nh if f2 == 2 else a_nx
    lo, hi = (n_lo, n_hi) if f2 == 2 else reset
    target = (int(a_n >= hi) - int(a_n <= lo)) * 2**config.cell_shift
    return [c, half(c + target), target][f2], 1


STEPS = {"lstm": lstm_step, "gru": gru_step, "mgu": mgu_step}


def contract(model: Model, tokens: list[int]) -> tuple[list, list, list, list]:
    """h, c, u and logits of every token, one Python integer at a time."""
    config = model.config
    step = STEPS[config.cell]
    assert model.embedding_weight is not None
    assert model.head_weight is not None and model.head_bias is not None
    size, levels = config.hidden, config.head_levels
    h, c = [[0] * size for _ in model.layers], [[0] * size for _ in model.layers]
    out: tuple[list, list, list, list] = ([], [], [], [])
    for token in tokens:
        below, u = model.embedding_weight[token].tolist(), [0] * size
        for number, layer in enumerate(model.layers):
            weight, threshold = layer.weight.tolist(), layer.threshold.tolist()
            vector = below + h[number]
            sums = [sum(w * v for w, v in zip(row, vector, strict=True)) for row in weight]
            h[number], states = [0] * size, c[number]
            for unit in range(size):
                gates = [
                    (sums[gate * size + unit], *threshold[gate * size + unit])
                    for gate in range(config.spec.rows)
                ]
                reset = (0, 0) if layer.threshold_reset is None else layer.threshold_reset[unit].tolist()
                states[unit], o = step(config, gates, reset, states[unit])
                n = abs(states[unit]) >> config.output_shift
                h[number][unit] = o * sign(states[unit]) * int(n >= 1)
                u[unit] = o * sign(states[unit]) * levels[min(n, len(levels) - 1)]
            below = h[number]
        logits = [
            sum(w * v for w, v in zip(row, u, strict=True)) + bias
            for row, bias in zip(model.head_weight.tolist(), model.head_bias.tolist(), strict=True)
        ]
        for values, value in zip(out, (sum(h, []), sum(c, []), u, logits), strict=True):
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
    ModelConfig(cell="gru", hidden=13, embedding=7, vocab_size=11),
    ModelConfig(cell="gru", hidden=1, embedding=1, vocab_size=1, cell_max=1),
    ModelConfig(
        cell="gru",
        hidden=20,
        embedding=4,
        vocab_size=5,
        cell_max=127,
        cell_shift=6,
        output_shift=2,
        head_levels=(0, 1, 2, 3),
    ),
    ModelConfig(
        cell="gru",
        hidden=9,
        embedding=12,
        vocab_size=30,
        cell_max=7,
        cell_shift=2,
        output_shift=1,
        head_levels=(0, 2, 2, 127),
    ),
    ModelConfig(hidden=9, embedding=3, vocab_size=30, layers=2, cell_shift=1, head_levels=(0, 1, 3)),
    ModelConfig(cell="gru", hidden=6, embedding=9, vocab_size=7, layers=3),
    ModelConfig(cell="mgu", hidden=13, embedding=7, vocab_size=11, cell_shift=2),
    ModelConfig(cell="mgu", hidden=1, embedding=1, vocab_size=1, cell_max=1),
    ModelConfig(
        cell="mgu",
        hidden=20,
        embedding=4,
        vocab_size=5,
        cell_max=127,
        cell_shift=6,
        output_shift=2,
        head_levels=(0, 1, 2, 3),
    ),
    ModelConfig(cell="mgu", hidden=6, embedding=9, vocab_size=7, layers=3, cell_shift=1),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.cell}{config.hidden}")
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


@pytest.mark.parametrize("config", [CONFIGS[3], CONFIGS[7], CONFIGS[8]], ids=["lstm", "gru", "stacked"])
def test_streams_and_pieces_equal_one_run(config):
    model = random_model(config, seed=3)
    golden = Golden(model)
    tokens = np.random.default_rng(4).integers(0, 30, (50, 3))
    together = golden.run(tokens)
    first = golden.run(tokens[:20])
    second = golden.run(tokens[20:], first.state)
    np.testing.assert_array_equal(together.c, np.concatenate([first.c, second.c]))
    for stream in range(3):
        alone = golden.run(tokens[:, stream])
        assert together.logits is not None and alone.logits is not None
        assert alone.h.shape == (50, 9 * config.layers) and alone.u.shape == (50, 9)
        np.testing.assert_array_equal(together.h[:, stream], alone.h)
        np.testing.assert_array_equal(together.logits[:, stream], alone.logits)
    assert model.embedding_weight is not None
    vectors = golden.run_vectors(model.embedding_weight[tokens])
    np.testing.assert_array_equal(vectors.u, together.u)
    np.testing.assert_array_equal(vectors.state.c, together.state.c)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_typical_activity_is_as_asked_for(cell):
    config = ModelConfig(cell=cell, hidden=128, embedding=64, vocab_size=65)
    for activity in (0.15, 0.3, 0.5):
        model = random_model(config, seed=5, activity=activity)
        trace = Golden(model).run(np.random.default_rng(6).integers(0, 65, (100, 16)))
        assert 0.6 * activity < np.mean(trace.h != 0) < 1.4 * activity
        assert model.embedding_weight is not None
        assert abs(np.mean(model.embedding_weight != 0) - activity) < 0.05


def test_gru_gates_take_all_values():
    """Half of what is reset, half of what moves away from it: no path of the cell is left out above."""
    model = random_model(CONFIGS[6], seed=1)
    trace = Golden(model).run(np.random.default_rng(2).integers(0, 5, 500))
    assert len(np.unique(trace.c)) > 60 and np.abs(trace.c).max() == 64
    before, after = trace.c[:-1].astype(int), trace.c[1:].astype(int)
    assert ((before == 64) & (after == 32)).any() and ((before == 64) & (after == -64)).any()
    assert (np.abs(before) == np.abs(after) * 2 + 1).any()  # an odd cell, halved toward zero


def test_state_beyond_the_step_stays_in_range():
    """A GRU's cells never leave what their step reaches, but a state that is put in place may lie beyond."""
    golden = Golden(random_model(CONFIGS[7], seed=4))
    state = golden.initial_state()
    state.c[:] = 7
    trace = golden.run(np.zeros(50, int), state)
    assert np.abs(trace.c).max() <= 7


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
