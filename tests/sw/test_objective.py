"""The objective: the cost of activity beside the loss."""

import pytest

torch = pytest.importorskip("torch")

from tests.helpers.small_recipe import CONFIG  # noqa: E402
from trine_sw.training.loop.objective import Objective  # noqa: E402
from trine_sw.training.models.ternary_model import TernaryLanguageModel  # noqa: E402
from trine_sw.training.nn.layers import CellOptions  # noqa: E402


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cost", [0.0, 0.3, 0.7])
def test_the_cost_is_added_times_the_share_of_h_that_is_active(cost, seed):
    torch.manual_seed(seed)
    model = TernaryLanguageModel(CONFIG, CellOptions(), head="float").train()
    tokens, targets = torch.randint(0, CONFIG.vocab_size, (2, 7, 3))
    state = model.initial_state(3)
    wanted, nats, _, h = model.loss(tokens, targets, state)
    of_h = h.ne(0).double().mean()
    assert 0 < of_h < 1
    found, same, _ = Objective(model, None, 0.0, cost)(tokens, targets, state, None)
    assert found.item() == pytest.approx((wanted + cost * of_h).item(), abs=1e-6)
    assert same.item() == nats.item()  # what is recorded is the loss alone
