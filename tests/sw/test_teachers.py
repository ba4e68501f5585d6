"""Teachers: their mixture with n-grams, and runs of what learns from them."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.helpers.small_recipe import CONFIG  # noqa: E402
from tests.helpers.taught_recipe import TEACHING, taught_recipe, untrained  # noqa: E402
from trine_sw.support.errors import TrineError  # noqa: E402
from trine_sw.training.loop.run import Run  # noqa: E402
from trine_sw.training.loop.validation import validate  # noqa: E402
from trine_sw.training.models.export import export  # noqa: E402
from trine_sw.training.models.float_model import FloatLanguageModel  # noqa: E402
from trine_sw.training.models.teachers import Teachers  # noqa: E402
from trine_sw.training.models.ternary_model import TernaryLanguageModel  # noqa: E402
from trine_sw.training.nn.head_loss import Mixture, Taught, head_loss  # noqa: E402
from trine_sw.training.nn.layers import CellOptions  # noqa: E402
from trine_sw.training.nn.recurrence import Numerics  # noqa: E402
from trine_sw.training.nn.sampled_softmax import StratifiedSampler  # noqa: E402


@pytest.fixture
def taught(sea, monkeypatch):
    return taught_recipe(sea, monkeypatch)


def test_loss_of_a_mixture_equals_cross_entropy(monkeypatch):
    """The mean of two teachers and others, with a share for each token, in one part and in several."""
    torch.manual_seed(1)
    u, weight, bias = torch.randn(40, 8), torch.randn(50, 8), torch.randn(50)
    targets, share = torch.randint(0, 50, (40,)), torch.rand(40)
    outputs = tuple(Taught(torch.randn(40, 6), torch.randn(50, 6), torch.randn(50)) for _ in range(2))
    others = torch.rand(40, 50).softmax(dim=1)
    right = sum((t.u @ t.weight.T + t.bias).softmax(dim=1) for t in outputs) / 2
    right = 0.75 * right + 0.25 * others
    for variable in (u, weight, bias):
        variable.requires_grad_()
    values = (u @ weight.T + bias).log_softmax(dim=1)
    one_hot = torch.nn.functional.one_hot(targets, 50).float()
    aim = one_hot + share.unsqueeze(1) * (right - one_hot)
    wanted = -(aim * values).sum(dim=1).mean()
    expected = [wanted, *torch.autograd.grad(wanted, [u, weight, bias])]
    for at_once in (1 << 23, 700):
        monkeypatch.setattr("trine_sw.training.nn.head_loss._LOGITS", at_once)
        made = head_loss(u, weight, bias, targets, Numerics(), Mixture(outputs, others, 0.25), share)
        found = [made[0], *torch.autograd.grad(made[0], [u, weight, bias])]
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(made[1], -(one_hot * values).sum(dim=1).mean())


@pytest.mark.parametrize("from_teachers", [False, True])
def test_stratified_softmax_has_the_gradient_of_the_full_one(from_teachers):
    """In the mean over draws, of the weights too, and nearly the loss; frequent words are always there."""
    torch.manual_seed(0)
    model = FloatLanguageModel(replace(CONFIG, vocab_size=400)).train()
    model.head.weight.data.normal_(0, 0.5)
    counts = 5000 / (torch.arange(400) + 1.0)
    model.fix_bias(counts)
    tokens = torch.randint(0, 400, (5, 4))
    targets = torch.multinomial(counts, 20, replacement=True).view(5, 4)
    state, teacher = model.initial_state(4), None
    if from_teachers:
        teachers = Teachers([FloatLanguageModel(model.config).eval() for _ in range(2)], None, 0.25)
        teachers.models[0].head.weight.data.normal_(0, 0.5)
        reading, _ = teachers.read(tokens, teachers.initial_state(4))
        teacher = teachers.of(reading._replace(ngram=torch.rand(20, 400).pow(8).softmax(dim=1)))
    full, nats, *_ = model.loss(tokens, targets, state, teacher, 0.8)
    wanted = torch.autograd.grad(full, model.head.weight)[0]
    model.sampler = StratifiedSampler(counts, 160, 60, 20)
    losses, gradient = [], torch.zeros_like(wanted)
    for _ in range(200):
        words = model.sampler.draw(targets.flatten())[0]
        assert len(words.unique()) == 160 and torch.isin(torch.arange(60), words).all()
        loss, figure, *_ = model.loss(tokens, targets, state, teacher, 0.8)
        losses.append(figure.item())
        gradient += torch.autograd.grad(loss, model.head.weight)[0] / 200
    assert np.mean(losses) == pytest.approx(nats.item(), abs=0.01)
    assert (gradient - wanted).norm() < 0.06 * wanted.norm()
    for size in (80, 400):
        with pytest.raises(TrineError, match="fewer than there are, 400; not"):
            StratifiedSampler(counts, size, 60, 20)


def test_replaced_inputs_are_labelled_by_the_teacher(taught, tmp_path):
    """A share of them is replaced by words of the text; there the next word of the text does not count."""
    run = Run(
        replace(taught, warm_start=False, mapped_head=0.0),
        "ternary",
        tmp_path / "r.pt",
        ready=untrained(taught),
    )
    inputs, targets = run.epoch_tokens()
    seen = []
    original = run._update.objective.forward
    run._update.objective.forward = lambda *given: seen.append(given) or original(*given)
    run._step(inputs[:16], targets[:16])
    read, aims, _, reading, replaced = seen[0]
    assert torch.equal(read[~replaced], inputs[:16][~replaced]) and torch.equal(aims, targets[:16])
    assert 0.05 < replaced.float().mean() < 0.4
    assert len(reading.u) == 2 and reading.ngram.of().shape == (16 * 8, taught.config.vocab_size)
    losses = []
    for shift in (0, 1):
        moved = torch.where(replaced, (targets[:16] + shift) % taught.config.vocab_size, targets[:16])
        torch.manual_seed(0)
        losses.append(original(read, moved, run.carried.model, reading, replaced)[0].item())
    assert losses[0] == losses[1]


def test_teachers_are_read_with_short_products(taught):
    """Where the numerics have them; not where a teacher is measured."""
    torch.manual_seed(3)
    models = list(untrained(taught).values())[:2]
    tokens = torch.randint(0, taught.config.vocab_size, (9, 4))
    readings = []
    for numerics in (Numerics(), Numerics(torch.bfloat16)):
        teachers = Teachers(models)
        teachers.compute_by(numerics)
        readings.append(teachers.read(tokens, teachers.initial_state(4)))
    for exact, short in zip(*(reading.u + state for reading, state in readings), strict=True):
        assert not torch.equal(exact, short)
        torch.testing.assert_close(exact, short, rtol=0, atol=0.01)


@pytest.mark.nightly
def test_head_is_the_baselines_times_a_map_and_then_free(taught, tmp_path):
    """Its weights are the product, in training as in evaluation, and go on from it."""
    ready = untrained(taught)
    run = Run(taught, "ternary", tmp_path / "run.pt", ready=ready)
    model, untied = run.model, ready["float"].head
    assert isinstance(model, TernaryLanguageModel) and model.head is not None and untied is not None
    table = untied.weight.detach()
    top = taught.config.head_levels[-1]
    torch.testing.assert_close(model.head.detach(), table / top)
    half = taught.schedule.epochs * run.updates // 2
    step, heads = run._step, []

    def watched(*window):
        nats = step(*window)
        heads.append((run.epoch * run.updates + run.update, model.train().head_in_nats()[0].detach().clone()))
        return nats

    run._step = watched
    run.fit()
    left = []
    for _, head in heads:
        found = torch.linalg.lstsq(table.double(), head.double()).solution
        left.append((table.double() @ found - head.double()).norm().item())
    mapped = [each for each, (place, _) in zip(left, heads, strict=True) if place < half]
    free = [each for each, (place, _) in zip(left, heads, strict=True) if place > half]
    assert max(mapped) < 1e-3 < min(free[5:])
    jumps = [(b - a).abs().max().item() for (_, a), (_, b) in zip(heads, heads[1:], strict=False)]
    assert max(jumps) < 0.1  # no step at half of the updates
    before = run.model.eval().head_in_nats()[0]
    assert torch.equal(before, run.model.head)


@pytest.mark.nightly
@pytest.mark.parametrize("role, stop", [("ternary", 3), ("float", 5), ("teacher", 2)])
def test_runs_that_are_taught_go_on_to_the_last_bit(taught, tmp_path, monkeypatch, role, stop):
    """Interrupted in their last epoch: states, draws, written text, a freed head, and a mean of weights."""
    recipe = replace(taught, schedule=replace(taught.schedule, written=0.25))
    ready = untrained(recipe)
    if role == "teacher":  # what gets worse begins the mean
        schedule = replace(TEACHING, epochs=3, average=1, decay="constant")
        recipe = replace(recipe, teacher=replace(recipe.teacher, schedule=schedule))
        monkeypatch.setattr("trine_sw.training.loop.run.validate", lambda *of: (9 - validate(*of)[0], {}))
    whole = Run(recipe, role, tmp_path / "whole.pt", ready=ready)
    whole.fit()
    assert (whole.average.state() is not None) == (role == "teacher")
    cut = Run(recipe, role, tmp_path / "cut.pt", ready=ready)
    step = cut._step

    def stopping(*window):
        if (cut.epoch, cut.update) == (cut.schedule.epochs - 1, stop):
            os.kill(os.getpid(), signal.SIGINT)
        return step(*window)

    cut._step = stopping
    with pytest.raises(TrineError, match="interrupted"):
        cut.fit()
    last = Run(recipe, role, tmp_path / "cut.pt", ready=ready)
    last.resume()
    last.fit()
    assert [row | {"seconds": 0} for row in last.log] == [row | {"seconds": 0} for row in whole.log]
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, last.model.state_dict()[name]), name
    for name, tensor in whole.best["model"].items():
        assert torch.equal(tensor, last.best["model"][name]), name


def test_a_mean_of_weights_is_measured_once_validation_stops_falling(taught, tmp_path, monkeypatch):
    schedule = replace(TEACHING, epochs=4, average=1, decay="constant")
    recipe = replace(taught, teacher=replace(taught.teacher, schedule=schedule))
    run = Run(recipe, "teacher", tmp_path / "run.pt")
    measured, nats = [], iter([3.0, 2.0, 2.5, 1.0])
    monkeypatch.setattr(
        "trine_sw.training.loop.run.validate", lambda model, _: measured.append(model) or (next(nats), {})
    )
    taken, update = [], run.average.update

    def watched():
        update()
        if run.epoch == 3:
            taken.append({name: p.detach().clone() for name, p in run.model.named_parameters()})

    run.average.update = watched
    run.fit()
    assert measured[:3] == [run.model] * 3 and measured[3] is run.average.measured is not run.model
    for name, weight in measured[3].named_parameters():
        mean = torch.stack([weights[name] for weights in taken]).mean(dim=0)
        torch.testing.assert_close(weight.detach(), mean, rtol=1e-3, atol=1e-5)
        assert torch.equal(run.best["model"][name], weight)


def test_levels_to_seven_are_exported(taught):
    config = replace(taught.config, head_levels=tuple(range(8)))
    torch.manual_seed(0)
    model = TernaryLanguageModel(config, CellOptions()).eval()
    exported = export(model, [chr(65 + n) for n in range(config.vocab_size)], {})
    assert exported.config.head_levels == tuple(range(8)) and exported.config.cell_max >> 1 == 7
