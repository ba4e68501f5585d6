"""Teachers: their regularisation, their mixture with n-grams, their files, and what learns from them."""

import json
import math
import os
import signal
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.helpers.paths import ROOT  # noqa: E402
from tests.helpers.small_recipe import CONFIG, SCHEDULE, small_recipe  # noqa: E402
from trine_sw.data.evaluation import evaluate  # noqa: E402
from trine_sw.model import Model  # noqa: E402
from trine_sw.support.errors import TrineError  # noqa: E402
from trine_sw.training.loop.run import Run  # noqa: E402
from trine_sw.training.loop.speed import _without_others  # noqa: E402
from trine_sw.training.loop.validation import validate  # noqa: E402
from trine_sw.training.models.export import export  # noqa: E402
from trine_sw.training.models.float_model import FloatLanguageModel  # noqa: E402
from trine_sw.training.models.roles import new_model  # noqa: E402
from trine_sw.training.models.teachers import Teachers  # noqa: E402
from trine_sw.training.models.ternary_model import TernaryLanguageModel  # noqa: E402
from trine_sw.training.nn.head_loss import Mixture, Taught, head_loss  # noqa: E402
from trine_sw.training.nn.layers import CellOptions  # noqa: E402
from trine_sw.training.nn.recurrence import Numerics  # noqa: E402
from trine_sw.training.nn.regularised import RegularisedLayers, without_words  # noqa: E402
from trine_sw.training.nn.sampled_softmax import StratifiedSampler  # noqa: E402
from trine_sw.training.recipes import RECIPES, TextTeacher, parse_recipe, recipe_text  # noqa: E402
from trine_sw.training.train import train  # noqa: E402

TEACHING = replace(
    SCHEDULE,
    epochs=1,
    locked=True,
    between_dropout=0.2,
    embedding_dropout=0.1,
    recurrent_dropout=0.2,
    weight_decay=0.01,
)
LEARNING = replace(SCHEDULE, replaced=0.2)


@pytest.fixture
def taught(sea, monkeypatch):
    """A recipe of all that is taught: two teachers and n-grams, baseline, student from it, and head."""
    monkeypatch.setattr(Numerics, "fastest", lambda device: Numerics())  # compiling would take longest
    tiny = small_recipe(sea, monkeypatch)
    recipe = replace(
        tiny,
        config=replace(tiny.config, embedding=12),
        teacher=TextTeacher(schedule=TEACHING, hidden=16, seeds=(1, 2), ngram=0.25, ngram_order=3),
        schedule=replace(LEARNING, epochs=4),
        baseline=replace(LEARNING, recurrent_dropout=0.2),
        options=CellOptions(scale="norm", harden=(0.1, 0.4)),
        distil=0.7,
        baseline_distil=0.8,
        baseline_tied=True,
        warm_start=True,
        mapped_head=0.5,
        head_from_teacher=True,
        ternary_head=replace(SCHEDULE, epochs=1, learning_rate=1e-4),
    )
    monkeypatch.setitem(RECIPES, "tiny", recipe)
    return recipe


# -- float layers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_regularised_layers_are_those_of_pytorch(cell):
    """With the same weights, in what they give and in gradients; dropout changes it in training alone."""
    torch.manual_seed(0)
    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell]
    given, ours = kind(5, 6, 2), RegularisedLayers(cell, 5, 6, 2)
    ours.load_state_dict(given.state_dict())
    x, state = torch.randn(7, 3, 5), torch.randn(2, 3, 6)
    state = (state, torch.randn(2, 3, 6)) if cell == "lstm" else state
    results = []
    for layer in (given, ours):
        h, last = layer(x, state)
        gradients = torch.autograd.grad(h.square().sum(), list(layer.parameters()))
        results.append((h, *(last if cell == "lstm" else (last,)), *gradients))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)
    for options in ({"recurrent": 0.5}, {"between": 0.5, "locked": True}):
        dropped = RegularisedLayers(cell, 5, 6, 2, **options)
        dropped.load_state_dict(given.state_dict())
        assert not torch.equal(dropped.train()(x, state)[0], results[0][0])
        torch.testing.assert_close(dropped.eval()(x, state)[0], results[0][0])
    with pytest.raises(TrineError, match="are of LSTMs and GRUs, not of mgu"):
        RegularisedLayers("mgu", 5, 6)


def test_a_dropped_word_is_dropped_everywhere():
    torch.manual_seed(0)
    tokens = torch.randint(0, 30, (20, 5))
    kept = without_words(torch.ones(20, 5, 4), tokens, 30, 0.5)
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    for word in range(30):
        assert len(kept[tokens == word].unique()) <= 1


# -- what is learned from --------------------------------------------------------------------------------


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
        replace(taught, warm_start=False, mapped_head=0.0), "ternary", tmp_path / "r.pt", ready=_ready(taught)
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
    models = list(_ready(taught).values())[:2]
    tokens = torch.randint(0, taught.config.vocab_size, (9, 4))
    readings = []
    for numerics in (Numerics(), Numerics(torch.bfloat16)):
        teachers = Teachers(models)
        teachers.compute_by(numerics)
        readings.append(teachers.read(tokens, teachers.initial_state(4)))
    for exact, short in zip(*(reading.u + state for reading, state in readings), strict=True):
        assert not torch.equal(exact, short)
        torch.testing.assert_close(exact, short, rtol=0, atol=0.01)


def _ready(recipe):
    """All that a student or a baseline needs, untrained."""
    teachers = {role: new_model(recipe, role, {}).eval() for role in recipe.teachers}
    return teachers | {"float": FloatLanguageModel(recipe.config, tied=True).eval()}


# -- the student -----------------------------------------------------------------------------------------


@pytest.mark.nightly
def test_head_is_the_baselines_times_a_map_and_then_free(taught, tmp_path):
    """Its weights are the product, in training as in evaluation, and go on from it."""
    ready = _ready(taught)
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
    ready = _ready(recipe)
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


# -- the whole of it, and files --------------------------------------------------------------------------


def test_the_baseline_may_be_the_teacher(taught, tmp_path, monkeypatch):
    """Student and head learn from it and from n-grams; no other float model is trained."""
    recipe = replace(
        taught,
        teacher=TextTeacher(baseline=True, ngram=0.25, ngram_order=3),
        baseline=replace(LEARNING, epochs=1, replaced=0.0),
        schedule=replace(LEARNING, epochs=1),
        baseline_distil=0.0,
        warm_start=False,
        mapped_head=0.0,
    )
    assert recipe.roles == ("float", "ternary", "head")
    assert recipe.learns_from("ternary") == recipe.learns_from("head") == ("float",)
    assert parse_recipe(recipe_text(recipe), "again") == recipe
    run = Run(recipe, "ternary", tmp_path / "run.pt", ready=_ready(recipe))
    assert run.teachers is not None and run.teachers.ngram_share == 0.25
    assert [type(model) for model in run.teachers.models] == [FloatLanguageModel]
    monkeypatch.setitem(RECIPES, "tiny", recipe)
    strict = replace(recipe, name="strict", teacher=replace(recipe.teacher, require_validation=1.5))
    monkeypatch.setitem(RECIPES, "strict", strict)
    with pytest.raises(
        TrineError, match=r"the float of strict has a validation perplexity of .*--any-teacher"
    ):
        train("strict")
    model = train("tiny")
    assert model is not None and {"float", "ternary", "ternary_head"} < set(model.training)
    assert not {"teacher", "teacher_files"} & set(model.training)
    other = replace(recipe, name="other", teacher=TextTeacher(schedule=TEACHING))
    monkeypatch.setitem(RECIPES, "other", other)
    again = train("other", teachers=["runs/tiny/float.safetensors"], roles=["ternary"])
    assert again is not None and len(again.training["teacher_files"]) == 1
    monkeypatch.setitem(RECIPES, "third", replace(recipe, name="third"))
    third = train("third", teachers=["runs/tiny/float.safetensors"])  # which is the baseline, too
    assert third is not None and third.training["teacher_files"] == again.training["teacher_files"]
    assert {"ternary", "ternary_head"} < set(third.training) and "float" not in third.training
    with pytest.raises(TrineError, match="has 1 teacher, and --teacher is given 2 times"):
        train("third", teachers=["runs/tiny/float.safetensors"] * 2, resume=True)
    with pytest.raises(TrineError, match="leave out baseline_distil"):
        replace(recipe, baseline_distil=0.5)
    with pytest.raises(TrineError, match=r"leave out \[teacher.schedule\]"):
        TextTeacher(baseline=True, schedule=TEACHING)
    with pytest.raises(TrineError, match="or baseline = true"):
        TextTeacher(hidden=8)


@pytest.mark.nightly
def test_all_of_a_taught_recipe_is_trained_recorded_and_taken_up(taught, monkeypatch):
    """Teachers first; their files teach another run; the head may be finished with its cell."""
    taught = replace(taught, schedule=replace(LEARNING, epochs=1), baseline=replace(LEARNING, epochs=1))
    monkeypatch.setitem(RECIPES, "tiny", taught)
    assert taught.roles == ("teacher", "teacher-2", "float", "ternary", "head")
    model = train("tiny")
    assert model is not None and model.heads == ("float", "ternary")
    record = model.training
    assert json.loads(json.dumps(record["recipe"])) == json.loads(json.dumps(asdict(taught)))
    for name in ("teacher", "teacher-2", "float", "ternary", "ternary_head"):
        assert record[name]["valid_nats"] < math.log(taught.config.vocab_size), name
    assert record["teacher"]["valid_nats"] != record["teacher-2"]["valid_nats"]
    files = [f"runs/tiny/{name}.safetensors" for name in ("teacher", "teacher-2")]
    assert all(Path(file).exists() for file in files)

    finished = replace(taught, name="again", finish_cell=True, keep_float_head=False)
    monkeypatch.setitem(RECIPES, "again", finished)
    other = train("again", teachers=files)
    assert other is not None and other.heads == ("ternary",)
    assert not Path("runs/again/teacher.pt").exists() and len(other.training["teacher_files"]) == 2
    head = evaluate(Model.load("again.trine"), "sea", "valid", head_kind="ternary")["nats_per_token"]
    assert other.training["ternary_head"]["valid_nats"] == head
    # Float16 teachers are nearly the ones above.
    assert other.training["float"]["valid_nats"] == pytest.approx(record["float"]["valid_nats"], abs=0.05)
    assert not np.array_equal(other.layers[0].threshold, model.layers[0].threshold)
    with pytest.raises(TrineError, match="learned from other teachers"):
        train("again", teachers=files[::-1], resume=True)
    with pytest.raises(TrineError, match="is given twice"):
        train("again", teachers=files[:1] * 2, resume=True)


@pytest.mark.nightly
def test_a_bad_teacher_is_refused(taught, monkeypatch, tmp_path):
    strict = replace(taught, teacher=replace(taught.teacher, require_validation=1.5), ternary_head=None)
    strict = replace(strict, head_from_teacher=False, schedule=LEARNING)
    monkeypatch.setitem(RECIPES, "tiny", strict)
    assert strict.fingerprint("ternary") == replace(taught, schedule=LEARNING).fingerprint("ternary")
    with pytest.raises(TrineError, match="validation perplexity of .*require_validation is 1.5: train it"):
        train("tiny")
    assert Path("runs/tiny/teacher-2.safetensors").exists() and not Path("runs/tiny/float.pt").exists()
    assert train("tiny", roles=["teacher"], resume=True) is None
    assert train("tiny", resume=True, any_teacher=True) is not None


def test_files_that_are_no_teachers(taught, tmp_path):
    assert train("tiny", roles=["teacher"]) is None
    whole = Path("runs/tiny/teacher.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:-5])
    says = b'\\"valid_nats\\": '
    assert says + b"2" in whole
    (tmp_path / "other.safetensors").write_bytes(whole.replace(says + b"2", says + b"3"))
    (tmp_path / "none.safetensors").write_bytes((ROOT / "models/basic-motions.trine").read_bytes())
    for name, saying in (
        ("cut", "is no teacher: not a whole safetensors file"),
        ("other", "nats on the validation text, and has"),
        ("none", "is no teacher: it has no trine-teacher/1 in it"),
        ("gone", "cannot read"),
    ):
        with pytest.raises(TrineError, match=saying):
            train("tiny", teachers=[tmp_path / f"{name}.safetensors"], resume=True)
    with pytest.raises(TrineError, match="has 2 teachers, and --teacher is given 3 times"):
        train("tiny", teachers=["a", "b", "c"], resume=True)
    for role in taught.teachers:  # one is in the file, and with one file there is no other
        with pytest.raises(TrineError, match=f"so that no {role} is trained: leave out --teacher"):
            train("tiny", teachers=["runs/tiny/teacher.safetensors"], roles=[role], resume=True)
    with pytest.raises(TrineError, match=r"has no \[teacher\]"):
        train("shakespeare-small", teachers=["a"])


def test_a_teacher_is_of_the_text_and_of_any_student(taught):
    other = replace(taught, config=replace(taught.config, cell="gru"), distil=0.3, activity_cost=1.0)
    for role in taught.teachers:
        assert other.fingerprint(role) == taught.fingerprint(role)
    assert taught.fingerprint("teacher") != taught.fingerprint("teacher-2")
    assert other.fingerprint("float") != taught.fingerprint("float")
    assert parse_recipe(recipe_text(RECIPES["ptb-lstm-300-taught"]), "x") == RECIPES["ptb-lstm-300-taught"]


@pytest.mark.parametrize(
    "changes, saying",
    [
        ({"teacher_hidden": 9}, r"\[teacher\] says all of the teacher"),
        (
            {"distil": 0.0, "baseline_distil": 0.0, "head_from_teacher": False},
            "nothing learns from the teacher",
        ),
        ({"teacher": None}, r"baseline_distil needs a \[teacher\]"),
        ({"warm_start": False}, "mapped_head needs warm_start"),
        ({"finish_cell": True}, "finish_cell needs"),
        (
            {"schedule": replace(LEARNING, recurrent_dropout=0.1)},
            "recurrent_dropout is of float models alone",
        ),
        ({"schedule": replace(LEARNING, average=1)}, "exclude each other"),
        ({"distil": 0.0}, "schedule.replaced needs a teacher"),
        ({"baseline_distil": 0.0}, "baseline.replaced needs a teacher"),
    ],
)
def test_keys_that_do_not_go_together(taught, changes, saying):
    with pytest.raises(TrineError, match=saying):
        replace(taught, **changes)
    for wrong in (
        {"seeds": ()},
        {"seeds": (1, 1)},
        {"ngram": 2.0},
        {"require_validation": 0.5},
        {"layers": 0},
    ):
        with pytest.raises(TrineError):
            replace(taught.teacher, **wrong)
    with pytest.raises(TrineError, match="sampled must be above stratified"):
        replace(SCHEDULE, sampled=200, stratified=100)


@pytest.mark.parametrize(
    "name", ["ptb-lstm-300-taught", "ptb-lstm-300-tuned", "ptb-lstm-300-ensemble", "ptb-gru-300-taught"]
)
def test_steps_are_timed_without_what_teaches(name):
    alone = _without_others(RECIPES[name])
    assert alone.needs("ternary") == alone.needs("float") == () and alone.teachers == ()


def test_levels_to_seven_are_exported(taught):
    config = replace(taught.config, head_levels=tuple(range(8)))
    torch.manual_seed(0)
    model = TernaryLanguageModel(config, CellOptions()).eval()
    exported = export(model, [chr(65 + n) for n in range(config.vocab_size)], {})
    assert exported.config.head_levels == tuple(range(8)) and exported.config.cell_max >> 1 == 7
