"""One update of a model's weights: on its device, kernel by kernel or captured as one."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: E402

from trine_sw.model.config import ModelConfig  # noqa: E402
from trine_sw.training.loop.objective import Objective  # noqa: E402
from trine_sw.training.loop.optimizer import new_optimizer, set_rate  # noqa: E402
from trine_sw.training.loop.update import Carried, Update  # noqa: E402
from trine_sw.training.models.float_model import FloatLanguageModel  # noqa: E402
from trine_sw.training.models.roles import AnyModel  # noqa: E402
from trine_sw.training.models.teachers import Teachers  # noqa: E402
from trine_sw.training.models.ternary_model import TernaryLanguageModel  # noqa: E402
from trine_sw.training.nn.layers import CellOptions  # noqa: E402
from trine_sw.training.nn.sampled_softmax import CandidateSampler  # noqa: E402
from trine_sw.training.nn.soft_cell import Quantisers  # noqa: E402
from trine_sw.training.recipes import Schedule  # noqa: E402

CONFIG = ModelConfig(
    hidden=24, embedding=16, vocab_size=60, cell_shift=2, output_shift=1, head_levels=(0, 1, 2, 3)
)
SCHEDULE = Schedule(epochs=1, batch=4, steps=6, learning_rate=1e-2, head_rate=0.4, head_decay=0.1)


def updates(kind: str, device: str, captured: bool, count: int) -> tuple[list[float], AnyModel]:
    """Losses of so many updates, each at a rate of its own, and the model after them."""
    torch.manual_seed(1)
    teacher = Teachers([FloatLanguageModel(CONFIG).to(device).eval()]) if kind == "taught" else None
    if kind == "float":
        model = FloatLanguageModel(CONFIG).to(device)
    else:
        options = CellOptions(scale="norm", harden=(0.1, 0.5))
        model = TernaryLanguageModel(CONFIG, options, head="float").to(device)
    if kind == "sampled":
        model.sampler = CandidateSampler(torch.arange(60) + 1.0, 40, 24).to(torch.device(device))
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
@pytest.mark.parametrize("kind", ["float", "ternary", "taught", "sampled"])
def test_captured_updates_equal_those_made_one_by_one(kind):
    """Learning rate, hardness, tokens and states of each replay are its own."""
    losses, model = updates(kind, "cuda", captured=False, count=12)
    captured, other = updates(kind, "cuda", captured=True, count=12)
    assert captured == losses
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


@pytest.mark.parametrize("kind", ["float", "ternary", "taught", "sampled"])
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


@pytest.mark.parametrize("cell", ["lstm", "gru", "soft", "sampled", "bernoulli"])
def test_a_step_stays_on_its_device(cell):
    """On a pretended device, which has no memory but refuses what mixes devices: loss and gradients."""
    config = replace(CONFIG, cell="gru" if cell == "gru" else "lstm", vocab_size=300)
    with FakeTensorMode(allow_non_fake_inputs=True):
        with torch.device("meta"):
            teachers = Teachers([FloatLanguageModel(config).eval()])
            tokens = torch.randint(0, 300, (5, 4))
            sampler = CandidateSampler(torch.arange(300) + 1.0, 100, 20)
            if cell == "soft":
                quantisers = Quantisers(weights="threshold", activations="bernoulli")
                model = FloatLanguageModel(config, dropout=0.2, quantisers=quantisers).train()
            else:
                options = CellOptions(scale="norm", slope_first=0.5, bernoulli=cell == "bernoulli")
                model = TernaryLanguageModel(config, options, dropout=0.2, locked=True).train()
        model.sampler = sampler if cell == "sampled" else None
        taught = teachers.of(teachers.read(tokens, teachers.initial_state(4))[0])
        loss, _, state, _ = model.loss(tokens, tokens, model.initial_state(4), taught, 0.5)
        loss.backward()
        assert {loss.device.type, *(part.device.type for part in state)} == {"meta"}
        for parameter in model.parameters():
            if not parameter.requires_grad:
                continue
            assert parameter.grad is not None and parameter.grad.device.type == "meta"
        with pytest.raises(RuntimeError, match="device"):  # as the test must be able to see
            model.loss(tokens, tokens, tuple(torch.zeros(part.shape) for part in state))
