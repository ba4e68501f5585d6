"""The objective: costs of activity beside the loss, and what they do to what is active."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from tests.helpers.small_recipe import CONFIG, small_recipe  # noqa: E402
from trine_sw.training.loop.objective import Objective  # noqa: E402
from trine_sw.training.loop.run import Run  # noqa: E402
from trine_sw.training.models.float_model import FloatLanguageModel  # noqa: E402
from trine_sw.training.models.ternary_model import TernaryLanguageModel  # noqa: E402
from trine_sw.training.nn.layers import CellOptions  # noqa: E402


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("costs", [(0.0, 0.0), (0.7, 0.0), (0.0, 0.9), (0.3, 0.4)])
def test_costs_are_added_times_the_shares_that_are_active(costs, seed):
    torch.manual_seed(seed)
    model = TernaryLanguageModel(CONFIG, CellOptions(), head="float").train()
    tokens, targets = torch.randint(0, CONFIG.vocab_size, (2, 7, 3))
    state = model.initial_state(3)
    wanted, nats, _, h = model.loss(tokens, targets, state)
    of_h = h.ne(0).double().mean()
    of_x = model.embedding_trits()[tokens].ne(0).double().mean()
    assert 0 < of_x < 1
    found, same, _ = Objective(model, None, 0.0, *costs)(tokens, targets, state, None)
    assert found.item() == pytest.approx((wanted + costs[0] * of_h + costs[1] * of_x).item(), abs=1e-6)
    assert same.item() == nats.item()  # what is recorded is the loss alone


def test_a_cost_of_x_takes_off_what_is_active_where_it_is_read():
    """The gradient of words that are read draws their active weights, and these alone, toward 0."""
    torch.manual_seed(0)
    model = TernaryLanguageModel(CONFIG, CellOptions(), head="float").train()
    tokens = torch.tensor([[1, 2], [1, 4]])
    objective = Objective(model, None, 0.0, 0.0, 3.0)
    plain = Objective(model, None, 0.0, 0.0)
    gradients = []
    for each in (objective, plain):
        loss = each(tokens, tokens, model.initial_state(2), None)[0]
        gradients.append(torch.autograd.grad(loss, model.embedding)[0])
    counts = torch.bincount(tokens.flatten(), minlength=CONFIG.vocab_size)
    trits = model.embedding_trits().detach()
    wanted = 3.0 * counts[:, None] * trits / (tokens.numel() * CONFIG.embedding)
    torch.testing.assert_close(gradients[0] - gradients[1], wanted)
    assert (trits.sign() == model.embedding.sign())[trits != 0].all()


def test_a_float_model_has_no_cost():
    torch.manual_seed(0)
    model = FloatLanguageModel(CONFIG).train()
    tokens = torch.randint(0, CONFIG.vocab_size, (5, 2))
    losses = [
        Objective(model, None, 0.0, 0.0, cost)(tokens, tokens, model.initial_state(2), None)[0].item()
        for cost in (0.0, 1.0)
    ]
    assert losses[0] == losses[1]


def test_x_is_sparser_after_training_with_its_cost(sea, monkeypatch, tmp_path):
    tiny = small_recipe(sea, monkeypatch)
    active = []
    for cost in (0.0, 5.0):
        run = Run(replace(tiny, input_cost=cost), "ternary", tmp_path / f"{cost}.pt")
        run.fit()
        active.append(run.log[-1]["active_x"])
    assert active[1] < 0.9 * active[0]
