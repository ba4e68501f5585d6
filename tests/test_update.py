"""One update of a model's weights, made of kernels one by one or captured as one."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from trine_sw.model_config import ModelConfig  # noqa: E402
from trine_sw.training.cell import CellOptions  # noqa: E402
from trine_sw.training.float_model import FloatLanguageModel  # noqa: E402
from trine_sw.training.kinds import AnyModel  # noqa: E402
from trine_sw.training.objective import Objective  # noqa: E402
from trine_sw.training.optimizer import new_optimizer, set_rate  # noqa: E402
from trine_sw.training.recipes import Schedule  # noqa: E402
from trine_sw.training.ternary_model import TernaryLanguageModel  # noqa: E402
from trine_sw.training.update import Carried, Update  # noqa: E402

CONFIG = ModelConfig(
    hidden=24, embedding=16, vocab_size=60, cell_shift=2, output_shift=1, head_levels=(0, 1, 2, 3)
)
SCHEDULE = Schedule(epochs=1, batch=4, steps=6, learning_rate=1e-2, head_rate=0.4, head_decay=0.1)


def updates(kind: str, device: str, captured: bool, count: int) -> tuple[list[float], AnyModel]:
    """Losses of so many updates, each at a rate of its own, and the model after them."""
    torch.manual_seed(1)
    teacher = FloatLanguageModel(CONFIG).to(device).eval() if kind == "taught" else None
    if kind == "float":
        model = FloatLanguageModel(CONFIG).to(device)
    else:
        options = CellOptions(scale="norm", harden=(0.1, 0.5))
        model = TernaryLanguageModel(CONFIG, options, head="float").to(device)
    optimizer = new_optimizer(model, SCHEDULE)
    update = Update(Objective(model, teacher, 0.5, 0.1), model, teacher, optimizer, 1.0, captured)
    carried = Carried(model.initial_state(4), () if teacher is None else teacher.initial_state(4))
    losses = []
    for number in range(count):
        tokens = torch.randint(0, 60, (7, 4), generator=torch.Generator().manual_seed(number)).to(device)
        set_rate(optimizer, 1e-2 / (number + 1))
        model.harden(number / count)
        nats, norm, carried = update(tokens[:-1], tokens[1:], carried)
        assert norm > 0
        losses.append(nats)
    return losses, model


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", ["float", "ternary", "taught"])
def test_captured_updates_equal_those_made_one_by_one(kind):
    """Learning rate, hardness, tokens and states of each replay are its own."""
    losses, model = updates(kind, "cuda", captured=False, count=12)
    captured, other = updates(kind, "cuda", captured=True, count=12)
    assert captured == losses
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


@pytest.mark.parametrize("kind", ["float", "ternary", "taught"])
def test_updates_carry_states_of_model_and_teacher_and_move_the_weights(kind):
    losses, model = updates(kind, "cpu", captured=False, count=8)
    again, _ = updates(kind, "cpu", captured=False, count=8)
    assert losses == again and len(set(losses)) == 8
    _, before = updates(kind, "cpu", captured=False, count=1)
    moved = [not torch.equal(a, b) for a, b in zip(model.parameters(), before.parameters(), strict=True)]
    assert any(moved)


def test_a_rate_is_the_groups_share_of_it():
    model = TernaryLanguageModel(CONFIG, CellOptions(), head="float")
    optimizer = new_optimizer(model, replace(SCHEDULE, head_rate=0.25))
    set_rate(optimizer, 8e-3)
    of_head = {id(parameter) for parameter in model.head_parameters()}
    for group in optimizer.param_groups:
        share = 0.25 if id(group["params"][0]) in of_head else 1.0
        assert group["lr"] == 8e-3 * share and not group["capturable"]
