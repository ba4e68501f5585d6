"""The paper's cell with quantisers of choice: against nn.LSTM, and what each quantiser leaves."""

import pytest

torch = pytest.importorskip("torch")

from trine_sw.model.config import ModelConfig  # noqa: E402
from trine_sw.support.errors import TrineError  # noqa: E402
from trine_sw.training.models.float_model import FloatLanguageModel  # noqa: E402
from trine_sw.training.nn.recurrence import can_compile  # noqa: E402
from trine_sw.training.nn.soft_cell import Quantisers, SoftLSTM, quantise_activation, quantise_weight  # noqa: E402

CONFIG = ModelConfig(hidden=12, embedding=7, vocab_size=9)
KINDS = ["none", "uniform", "threshold", "bernoulli"]


def test_without_quantisers_it_is_nn_lstm():
    torch.manual_seed(0)
    ours, theirs = SoftLSTM(CONFIG, Quantisers()), torch.nn.LSTM(7, 12)
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(ours.weight[:, :7])
        theirs.weight_hh_l0.copy_(ours.weight[:, 7:])
        theirs.bias_ih_l0.copy_(ours.bias)
        theirs.bias_hh_l0.zero_()
    x, state = torch.randn(20, 3, 7), (torch.randn(1, 3, 12), torch.randn(1, 3, 12))
    found, expected = ours(x, state), theirs(x, state)
    torch.testing.assert_close(found[0], expected[0])
    torch.testing.assert_close(found[1], expected[1])


@pytest.mark.nightly
@pytest.mark.skipif(not can_compile(), reason="no C++ compiler here, or a blank in PyTorch's path")
def test_compiled_steps_are_the_steps():
    """Outputs, state and gradients, with quantisers that draw nothing."""
    torch.manual_seed(3)
    layer = SoftLSTM(CONFIG, Quantisers(weights="threshold", activations="threshold", slope=2.0)).train()
    x, state = torch.randn(5, 3, 7), (torch.zeros(1, 3, 12), torch.zeros(1, 3, 12))
    found = []
    for compiled in (False, True):
        layer.compiled = compiled
        layer.zero_grad()
        outputs, (h, c) = layer(x, state)
        outputs.square().sum().backward()
        assert layer.weight.grad is not None and layer.weight.grad.abs().sum() > 0
        found.append((outputs, h, c, layer.weight.grad.clone()))
    torch.testing.assert_close(found[1], found[0])


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kind", KINDS[1:])
def test_three_values_a_row(kind, training):
    torch.manual_seed(1)
    weight = torch.randn(5, 300).requires_grad_()
    quantised = quantise_weight(weight, kind, training)
    for row in quantised.detach():
        values = row.unique()
        assert len(values) == 3 and values[1] == 0 and values[0] == -values[2]
    quantised.sum().backward()
    assert weight.grad is not None and (weight.grad != 0).all()


def test_bernoulli_is_random_in_training_alone():
    value = torch.full((20_000,), 0.3)
    torch.manual_seed(2)
    assert abs(quantise_activation(value, "bernoulli", True).mean() - 0.3) < 0.02
    assert not quantise_activation(value, "bernoulli", False).any()


@pytest.mark.parametrize("weights", KINDS)
@pytest.mark.parametrize("activations", KINDS)
def test_every_pair_gives_gradients(weights, activations):
    torch.manual_seed(3)
    quantisers = Quantisers(
        weights=weights, activations=activations, slope=8.0
    )  # steep, so that h is not all 0
    model = FloatLanguageModel(CONFIG, quantisers=quantisers)
    tokens = torch.randint(0, 9, (10, 4))
    loss, _, state, h = model.loss(tokens, tokens, model.initial_state(4))
    loss.backward()
    for parameter in model.parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.any()
    assert [part.shape for part in state] == [(1, 4, 12)] * 2
    if activations in ("uniform", "bernoulli"):
        assert set(h.unique().tolist()) <= {-1.0, 0.0, 1.0}


def test_slope_is_annealed():
    quantisers = Quantisers(slope=0.25, slope_first=1.0)
    assert [quantisers.slope_of(share) for share in (0, 0.5, 1)] == [1.0, 0.5, 0.25]
    assert Quantisers(slope=2.0).slope_of(0.3) == 2.0
    model = FloatLanguageModel(CONFIG, quantisers=quantisers)
    assert model.state_dict()["lstm.slope"] == 1.0
    model.anneal(0.5)
    assert model.state_dict()["lstm.slope"] == 0.5


def test_gru_has_no_choice():
    with pytest.raises(TrineError, match="an LSTM alone, and the cell is 'gru'"):
        SoftLSTM(ModelConfig(cell="gru", hidden=2, embedding=2, vocab_size=2), Quantisers())
