"""Ternary layers: gradients, gates in training, and an export that is exact in every bit."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.helpers.exported import assert_equal_to_golden  # noqa: E402
from trine_sw.model import ModelConfig  # noqa: E402
from trine_sw.training.models.ternary_model import TernaryLanguageModel  # noqa: E402
from trine_sw.training.nn.layers import CellOptions, LSTMLayer, ternary_layer  # noqa: E402

CONFIG = ModelConfig(
    hidden=12,
    embedding=6,
    vocab_size=18,
    cell_max=15,
    cell_shift=2,
    output_shift=1,
    head_levels=(0, 1, 2, 3),
)
GRU = replace(CONFIG, cell="gru")
MGU = replace(CONFIG, cell="mgu")
CELLS = [
    (CONFIG, CellOptions()),
    (CONFIG, CellOptions(scale="norm", slope=2.5)),
    (replace(CONFIG, cell_max=1, cell_shift=0, output_shift=0, head_levels=(0, 1)), CellOptions()),
    (replace(CONFIG, cell_max=127, cell_shift=5, output_shift=3), CellOptions(three_state_forget=False)),
    (
        replace(CONFIG, hidden=33, embedding=1, cell_max=20, cell_shift=1, output_shift=0),
        CellOptions(slope=0.5),
    ),
    (GRU, CellOptions()),
    (GRU, CellOptions(scale="norm", slope=2.5)),
    (replace(GRU, cell_max=1, cell_shift=0, output_shift=0, head_levels=(0, 1)), CellOptions()),
    (
        replace(GRU, hidden=33, embedding=1, cell_max=127, cell_shift=6, output_shift=3),
        CellOptions(slope=0.5),
    ),
    (GRU, CellOptions(three_state_forget=False)),
    (replace(CONFIG, layers=2), CellOptions(scale="norm")),
    (replace(GRU, layers=3), CellOptions()),
    (MGU, CellOptions()),
    (replace(MGU, cell_max=1, cell_shift=0, output_shift=0, head_levels=(0, 1)), CellOptions()),
    (replace(MGU, hidden=33, embedding=1, cell_shift=3), CellOptions(scale="norm", slope=2.5)),
    (MGU, CellOptions(three_state_forget=False)),
    (replace(MGU, layers=3), CellOptions()),
]


@pytest.mark.parametrize(("config", "options"), CELLS)
@pytest.mark.parametrize("seed", range(3))
def test_export_of_random_weights_is_exact(config, options, seed):
    torch.manual_seed(seed)
    model = TernaryLanguageModel(config, options)
    with torch.no_grad():
        for layer in model.stack:
            layer.bias.normal_(0, 1.5)
        model.head_bias.normal_()
    trace = assert_equal_to_golden(model)
    assert np.mean(trace.c != 0) > 0.02 and np.mean(trace.h != 0) < 0.98


@pytest.mark.parametrize("config", [CONFIG, GRU, MGU], ids=["lstm", "gru", "mgu"])
def test_export_is_exact_where_sums_meet_thresholds(config):
    """With a bias that is a multiple of the row's scale, sums fall on the thresholds themselves."""
    torch.manual_seed(0)
    model = TernaryLanguageModel(config, CellOptions(scale="norm"))
    with torch.no_grad():
        _, scale = model.layer.quantised()
        thresholds = model.layer.high.clone()
        if config.cell == "lstm":
            thresholds[12:36] = -model.layer.low
        model.layer.bias.copy_(thresholds - scale.squeeze(1) * torch.randint(-2, 3, (config.rows,)))
    assert_equal_to_golden(model)


@pytest.mark.parametrize("config", [CONFIG, GRU, MGU], ids=["lstm", "gru", "mgu"])
def test_rows_of_zero_weights_export(config):
    model = TernaryLanguageModel(config, CellOptions())
    with torch.no_grad():
        model.layer.weight[::3] = 0
    assert_equal_to_golden(model)


@pytest.mark.parametrize(("config", "options"), CELLS)
def test_training_mode_computes_the_same_cells(config, options):
    torch.manual_seed(4)
    model = TernaryLanguageModel(config, options)
    tokens = torch.randint(0, config.vocab_size, (40, 6))
    with torch.no_grad():
        for layer in model.stack:
            layer.bias.normal_(0, 1.5)  # of other values than 0, so that no sum meets a threshold
        _, state, h = model.train()(tokens, model.initial_state(6))
        _, state_eval, h_eval = model.eval()(tokens, model.initial_state(6))
    assert torch.equal(h, h_eval)
    assert all(map(torch.equal, state, state_eval)) and len(state) == 2 * config.layers


def blend(layer, value, soft):
    """The soft form, or the value as far as the layer is hard, with the gradient of the former."""
    return soft + layer.hard * (value - soft).detach()


def lstm_step(layer, z, c):
    """c and o of preactivations z (4, B, H)."""
    slope = layer.options.slope
    high, low = layer.high.unflatten(0, (4, -1)), layer.low.unflatten(0, (2, -1))
    i, o = (blend(layer, (z[gate] >= high[gate]).float(), torch.sigmoid(slope * z[gate])) for gate in (0, 3))
    states = (z[1] >= high[1]).float() + (z[1] >= low[0]).float()
    f = blend(layer, states / 2, torch.sigmoid(slope * z[1]))
    g = blend(layer, (z[2] >= high[2]).float() - (z[2] <= low[1]).float(), torch.tanh(slope * z[2]))
    c = blend(layer, torch.trunc(c * f), c * f) + i * g * 2**layer.config.cell_shift
    return c.clamp(-layer.config.cell_max, layer.config.cell_max), o


def gru_step(layer, z, c):
    slope = layer.options.slope
    high, low = layer.high.unflatten(0, (4, -1)), layer.low.unflatten(0, (2, -1))
    states = (z[0] >= high[0]).float() + (z[0] >= low[0]).float()
    keep = blend(layer, states / 2, torch.sigmoid(slope * z[0]))
    r = blend(layer, (z[1] >= high[1]).float(), torch.sigmoid(slope * z[1]))
    z_n = z[2] + r * z[3]
    m = blend(layer, (z_n >= high[2]).float() - (z_n <= low[1]).float(), torch.tanh(slope * z_n))
    c = keep * c + (1 - keep) * m * 2**layer.config.cell_shift
    return blend(layer, torch.trunc(c), c), torch.tensor(1.0)


def mgu_step(layer, z, c):
    (high, low), slope = (layer.high.unflatten(0, (3, -1)), layer.low.chunk(2)), layer.options.slope
    full, half = ((z[0] >= bound).float() for bound in (high[0], low[0]))
    f = blend(layer, (full + half) / 2, torch.sigmoid(slope * z[0]))
    z_n = z[1] + blend(layer, full, torch.sigmoid(slope * z[0])) * z[2]
    m = blend(layer, (z_n >= high[1]).float() - (z_n <= low[1]).float(), torch.tanh(slope * z_n))
    c = (1 - f) * c + f * m * 2**layer.config.cell_shift
    return blend(layer, torch.trunc(c), c), torch.tensor(1.0)


STEPS = {"lstm": lstm_step, "gru": gru_step, "mgu": mgu_step}


def reference_forward(layer, x, state):
    """The training pass with autograd's own gradients: hard values, soft derivatives."""
    config, options = layer.config, layer.options
    step = STEPS[config.cell]
    trits, scale = layer.quantised()
    h, c = state
    all_h, all_u = [], []
    for vector in x:
        z = torch.cat([vector, h], dim=-1) @ (trits * scale).T + layer.bias
        c, o = step(layer, z.unflatten(-1, (config.spec.rows, -1)).unbind(1), c)
        n = torch.trunc(c / 2**config.output_shift).detach()
        h = o * blend(layer, n.clamp(-1, 1), torch.tanh(c / (options.window * 2**config.output_shift)))
        level = torch.tensor(config.head_levels, dtype=torch.float32)
        width = (len(level) - 0.5) * 2**config.output_shift
        u = n.sign() * level[n.abs().clamp_max(len(level) - 1).long()]
        all_u.append(o * blend(layer, u, level[-1] * torch.tanh(c / width)))
        all_h.append(h)
    return torch.stack(all_h), torch.stack(all_u), (h, c)


@pytest.mark.parametrize(("config", "options"), CELLS)
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_gradients_equal_those_of_autograd(config, options, share):
    """All hard, and while the cell is hardened."""
    torch.manual_seed(5)
    config = config.of_layer(config.layers - 1)
    layer = ternary_layer(config, options if share == 1 else replace(options, harden=(0, 1))).train()
    layer.harden(share)
    with torch.no_grad():
        layer.bias.normal_(0, 1.5)
    x = torch.randint(-1, 2, (15, 4, config.embedding)).float().requires_grad_()
    state = torch.randint(-1, 2, (2, 4, config.hidden)).float().requires_grad_()
    weights, of_ends = torch.randn(2, 15, 4, config.hidden), torch.randn(2, 4, config.hidden)
    gradients = []
    for forward in (layer, partial(reference_forward, layer)):
        h, u, (h_n, c_n) = forward(x, tuple(state))
        found = [h, u, h_n, c_n]
        losses = [(part * weight).sum() for part, weight in zip(found, (*weights, *of_ends), strict=True)]
        trained = [parameter for parameter in layer.parameters() if parameter.requires_grad]
        for loss in (sum(losses), *losses[2:]):  # all at once; the final h alone, and the final c
            found += torch.autograd.grad(loss, [x, state, *trained], retain_graph=True)
        gradients.append(found)
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * float(theirs.detach().abs().max()))


def test_bernoulli_gates_have_the_activation_as_their_mean():
    config = replace(
        CONFIG, hidden=1, embedding=1, cell_max=1, cell_shift=0, output_shift=0, head_levels=(0, 1)
    )
    lstm = LSTMLayer(config, CellOptions(bernoulli=True)).train()
    with torch.no_grad():
        lstm.weight.zero_()
        lstm.bias.copy_(torch.tensor([0.7, -9.0, 0.4, 0.2]))
    h, _, _ = lstm(torch.zeros(1, 40_000, 1), (torch.zeros(40_000, 1), torch.zeros(40_000, 1)))
    expected = (
        torch.sigmoid(torch.tensor(0.7)) * torch.tanh(torch.tensor(0.4)) * torch.sigmoid(torch.tensor(0.2))
    )
    assert abs(h.mean() - expected) < 0.01


def test_bernoulli_gru_has_the_activations_as_its_mean():
    config = replace(GRU, hidden=1, embedding=1, cell_max=1, cell_shift=0, output_shift=0, head_levels=(0, 1))
    layer = ternary_layer(config, CellOptions(bernoulli=True, three_state_forget=False)).train()
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.tensor([-0.5, 0.3, 0.4, 0.9]))
    h, _, _ = layer(torch.zeros(1, 40_000, 1), (torch.zeros(40_000, 1), torch.zeros(40_000, 1)))
    z, r = torch.sigmoid(torch.tensor([-0.5, 0.3]))
    without, with_reset = torch.tanh(torch.tensor([0.4, 1.3]))
    assert abs(h.mean() - (1 - z) * (r * with_reset + (1 - r) * without)) < 0.01


def test_three_state_gate_halves_toward_zero():
    """Two cells at every state, f or z at 1/2: the LSTM's move by 0, the GRU's toward m = 1."""
    states = torch.arange(-15.0, 16).unsqueeze(1)
    lstm = ternary_layer(replace(CONFIG, hidden=1, embedding=1), CellOptions())
    gru = ternary_layer(replace(GRU, hidden=1, embedding=1), CellOptions())
    with torch.no_grad():
        lstm.bias.copy_(torch.tensor([-9.0, 0.0, 9.0, 9.0]))
        gru.bias.copy_(torch.tensor([0.0, -9.0, 9.0, 0.0]))
        sums = torch.zeros(31, 4)
        _, c = lstm.evaluate_step(sums, torch.ones(4), states)
        assert c.squeeze(1).tolist() == [int(value / 2) for value in range(-15, 16)]
        _, c = gru.evaluate_step(sums, torch.ones(4), states)
        assert c.squeeze(1).tolist() == [int((value + 4) / 2) for value in range(-15, 16)]
