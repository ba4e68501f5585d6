"""Weights and activations of other than three values: integers in evaluation, trained, never exported."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.helpers.small_recipe import CONFIG, SCHEDULE, small_recipe  # noqa: E402
from trine_sw.model import ModelConfig  # noqa: E402
from trine_sw.support.errors import TrineError  # noqa: E402
from trine_sw.training.models.export import export  # noqa: E402
from trine_sw.training.models.ternary_model import TernaryLanguageModel  # noqa: E402
from trine_sw.training.nn.layers import CellOptions, ternary_layer  # noqa: E402
from trine_sw.training.nn.quantise import row_scale, ttq  # noqa: E402
from trine_sw.training.nn.states import States, embedding_values, weight_values  # noqa: E402
from trine_sw.training.recipes import Recipe  # noqa: E402
from trine_sw.training.train import train  # noqa: E402

PAIRS = [(weights, activations) for weights in (2, 3, 5) for activations in (2, 3, 5, 7)]
ACTIVATIONS = {2: {0, 1}, 3: {-1, 0, 1}, 5: set(range(-2, 3)), 7: set(range(-3, 4))}
WEIGHTS = {2: {-1, 1}, 3: {-1, 0, 1}, 5: set(range(-2, 3))}


def language_model(seed, weights, activations, **options):
    torch.manual_seed(seed)
    config = ModelConfig(
        hidden=24, embedding=17, vocab_size=13, cell_shift=2, output_shift=1, head_levels=(0, 1, 2, 5)
    )
    states = States(weights=weights, activations=activations)
    made = TernaryLanguageModel(
        config, CellOptions(scale="norm", **options), embedding_factor=1.0, head="float", states=states
    )
    with torch.no_grad():
        made.layer.bias.normal_(0, 1.5)
    return made


def transcribed(model, tokens):
    """h, c and u (T, H) of the arithmetic contract with more or fewer values, one step at a time."""
    config, states, layer = model.config, model.states, model.layer
    trits, scale = layer.quantised()
    weight = trits.detach().numpy()
    x = model.embedding_trits().detach().numpy()
    scale, bias = scale.squeeze(1), layer.offset
    h, c, found = np.zeros(config.hidden), np.zeros(config.hidden), []
    size = config.hidden
    for token in tokens:
        sums = weight @ np.concatenate([x[token], h])
        z = layer.preactivation(torch.tensor(sums, dtype=torch.float32), scale, bias).detach().numpy()
        high, low = layer.high.numpy(), layer.low.numpy()
        i, o = z[:size] >= high[:size], z[3 * size :] >= high[3 * size :]
        f = (z[size : 2 * size] >= high[size : 2 * size]) * 0.5 + (z[size : 2 * size] >= low[:size]) * 0.5
        g = 1.0 * (z[2 * size : 3 * size] >= high[2 * size : 3 * size])
        g -= z[2 * size : 3 * size] <= low[size:]
        c = np.clip(np.trunc(c * f) + i * g * 4, -config.cell_max, config.cell_max)
        n = np.trunc(c / 2)
        if states.activations == 2:
            n = np.maximum(n, 0)
        top = {2: 1, 3: 1, 5: 2, 7: 3}[states.activations]
        h = np.clip(n, -top, top) * o
        level = np.array(config.head_levels)[np.minimum(np.abs(n), 3).astype(int)]
        found.append((h, c, np.sign(n) * level * o))
    return [np.stack(part) for part in zip(*found, strict=True)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("weights", "activations"), PAIRS)
def test_evaluation_is_the_arithmetic_in_integers(seed, weights, activations):
    model = language_model(seed, weights, activations).eval()
    tokens = torch.randint(0, 13, (60,))
    expected = transcribed(model, tokens.tolist())
    with torch.no_grad():
        u, (_, c), h = model.features(tokens[:, None], model.initial_state(1))
    assert np.array_equal(h[:, 0].numpy(), expected[0])
    assert np.array_equal(c[0].numpy(), expected[1][-1])
    assert np.array_equal(u[:, 0].numpy(), expected[2])
    assert set(np.unique(h.numpy())) == ACTIVATIONS[activations]
    assert set(model.layer.quantised()[0].unique().tolist()) == WEIGHTS[weights]
    x = model.embedding_trits().unique().tolist()
    assert set(x) <= ACTIVATIONS[activations] and {-1.0 if activations > 2 else 0.0, 1.0} <= set(x)


@pytest.mark.parametrize(("weights", "activations"), PAIRS)
def test_training_computes_what_evaluation_does_and_moves_all_weights(weights, activations):
    """Hard from the start, and at the end of hardening; before it h is of no states."""
    tokens = torch.randint(0, 13, (30, 4))
    found = []
    for harden in (None, (0.25, 0.75)):
        model = language_model(7, weights, activations, harden=harden)
        evaluated = model.eval().features(tokens, model.initial_state(4))
        model.train().harden(0.5)
        if harden:
            soft = model.features(tokens, model.initial_state(4))[2]
            assert not set(soft.unique().tolist()) <= ACTIVATIONS[activations]
        model.harden(0.75)
        u, _, h = model.features(tokens, model.initial_state(4))
        assert torch.equal(h, evaluated[2]) and torch.equal(u, evaluated[0])
        gradients = torch.autograd.grad(u.square().sum() + h.sum(), [model.layer.weight, model.embedding])
        for gradient in gradients:
            assert gradient.isfinite().all() and (gradient.abs().amax(dim=1) > 0).float().mean() > 0.5
        found.append(gradients)
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("seed", range(20))
def test_values_by_their_thresholds(seed):
    """Of random rows, against a loop; three states are ``ttq``'s."""
    torch.manual_seed(seed)
    weight = torch.randn(5, 40) * torch.rand(5, 1) * 3
    weight[0, 0] = 0.0
    factor = 0.5 + float(torch.rand(()))
    assert torch.equal(weight_values(weight, 3), ttq(weight))
    assert torch.equal(embedding_values(weight, factor, States()), ttq(weight, factor))
    for row, two, five in zip(weight, weight_values(weight, 2), weight_values(weight, 5), strict=True):
        mean = float(row.double().abs().mean())
        for w, of_two, of_five in zip(row.tolist(), two.tolist(), five.tolist(), strict=True):
            assert of_two == (1 if w >= 0 else -1)
            assert of_five == np.sign(w) * ((abs(w) > 0.53 * mean) + (abs(w) > 1.58 * mean))
    for activations in (2, 5, 7):
        made = embedding_values(weight, factor, States(activations=activations))
        for row, values in zip(weight, made, strict=True):
            mean = float(row.double().abs().mean())
            for w, value in zip(row.tolist(), values.tolist(), strict=True):
                share = w / mean / factor
                if activations == 2:
                    assert value == (share > 0.62)
                else:
                    edges = (1, 1.5, 2)[: activations // 2]
                    assert value == np.sign(w) * sum(abs(share) > edge for edge in edges)


def test_rows_are_as_long_as_their_scale_says():
    torch.manual_seed(0)
    weight = torch.randn(6, 50)
    for states in (2, 3, 5):
        values = weight_values(weight, states)
        length = (values * row_scale(weight, values, "norm")).norm(dim=1)
        torch.testing.assert_close(length, torch.ones(6))


def test_as_many_columns_of_x_are_active_whatever_the_states():
    torch.manual_seed(0)
    weight = torch.randn(200, 300)
    shares = [
        float(embedding_values(weight, 1.5, States(activations=count)).ne(0).float().mean())
        for count in (2, 3, 5, 7)
    ]
    assert max(shares) - min(shares) < 0.01 and shares[1] == shares[2] == shares[3]


# -- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [{"weights": 4}, {"activations": 1}, {"weights": True}, {"weights": "3"}])
def test_numbers_of_states_that_are_not_there(wrong):
    with pytest.raises(TrineError, match=f"states of {next(iter(wrong))} must be one of"):
        States(**wrong)


def test_only_three_states_become_a_file(sea, monkeypatch, tmp_path):
    """Before anything is trained; a GRU, and what needs a second model, have no others at all."""
    with pytest.raises(TrineError, match="only a model of three states can be exported"):
        export(language_model(0, 5, 3), None, {})
    tiny = small_recipe(sea, monkeypatch)
    other = replace(tiny, states=States(weights=5), warm_start=False, ternary_head=None)
    with pytest.raises(TrineError, match=r"other states than three.*leave out \[states\]"):
        train(other)
    assert not list(tmp_path.rglob("*.pt"))
    with pytest.raises(TrineError, match="only an LSTM has other states"):
        replace(other, config=replace(CONFIG, cell="gru"))
    with pytest.raises(TrineError, match="only an LSTM has other states"):
        ternary_layer(replace(CONFIG, cell="mgu"), CellOptions(), States(activations=5))
    with pytest.raises(TrineError, match="leave out warm_start"):
        replace(other, head="float", ternary_head=SCHEDULE)


def test_recipes_without_states_are_the_runs_that_they_were():
    recipe = Recipe.named("shakespeare-small")
    assert "states" not in recipe.fingerprint("ternary")
    other = replace(recipe, states=States(weights=2))
    assert other.fingerprint("ternary") != recipe.fingerprint("ternary")
    assert other.fingerprint("float") == recipe.fingerprint("float")
