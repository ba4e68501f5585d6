"""Text that teachers write, and a student that reads it."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from tests.helpers.small_recipe import CONFIG, SCHEDULE, small_recipe  # noqa: E402
from trine_sw.support.errors import TrineError  # noqa: E402
from trine_sw.training.loop.run import Run  # noqa: E402
from trine_sw.training.models.float_model import FloatLanguageModel  # noqa: E402
from trine_sw.training.models.kneser_ney import KneserNey  # noqa: E402
from trine_sw.training.models.roles import new_model  # noqa: E402
from trine_sw.training.models.teachers import Teachers  # noqa: E402
from trine_sw.training.models.writing import write_text  # noqa: E402
from trine_sw.training.nn.recurrence import Numerics  # noqa: E402
from trine_sw.training.recipes import Recipe, TextTeacher  # noqa: E402

WORDS = CONFIG.vocab_size
LEARNING = replace(SCHEDULE, epochs=3, batch=8, written=0.25)


@pytest.fixture
def recipe(sea, monkeypatch) -> Recipe:
    monkeypatch.setattr(Numerics, "fastest", lambda device: Numerics())
    tiny = small_recipe(sea, monkeypatch)
    teacher = TextTeacher(schedule=SCHEDULE, hidden=16, seeds=(1, 2), ngram=0.25, ngram_order=3)
    return replace(
        tiny, teacher=teacher, schedule=LEARNING, distil=0.7, baseline=SCHEDULE, baseline_distil=0.0
    )


def run_of(recipe, path):
    ready = {role: new_model(recipe, role, {}).eval() for role in recipe.teachers}
    return Run(recipe, "ternary", path, ready=ready)


def model_that_says(chances):
    """A model whose next word has these probabilities (V,), whatever it has read."""
    model = FloatLanguageModel(replace(CONFIG, vocab_size=len(chances))).eval().requires_grad_(False)
    model.head.weight.zero_()
    model.head.bias.copy_(chances.log())
    return model


# -- what is written -------------------------------------------------------------------------------------


def test_words_are_drawn_by_the_mean_of_the_models():
    """Their shares are the probabilities, within five standard errors; words of probability 0 never come."""
    torch.manual_seed(0)
    chances = torch.rand(2, 40).pow(4)
    chances[:, ::3] = 0
    chances /= chances.sum(dim=1, keepdim=True)
    wanted = chances.mean(dim=0)
    count = 60_000
    text = torch.tensor([1])
    written = write_text(Teachers([model_that_says(each) for each in chances]), text, count, seed=3)
    found = torch.bincount(written, minlength=40) / count
    error = (wanted * (1 - wanted) / count).sqrt()
    # The 120 first words of pieces are of the text.
    assert ((found - wanted).abs() <= 5 * error + 120 / count).all()
    assert set(written.unique().tolist()) <= {1, *wanted.nonzero().flatten().tolist()}


def test_each_word_follows_from_those_before_it():
    """A piece is what the model says when it reads that piece; pieces begin with words of the text."""
    torch.manual_seed(1)
    model = FloatLanguageModel(replace(CONFIG, vocab_size=30)).eval().requires_grad_(False)
    model.head.weight.normal_(0, 300)  # so sure that what is drawn is the likeliest word
    written = write_text(Teachers([model]), torch.tensor([4, 7]), 1400, seed=2)
    for piece in written.split(467):
        logits, *_ = model(piece[:-1].unsqueeze(1), model.initial_state(1))
        assert (logits.argmax(dim=-1).flatten() == piece[1:]).float().mean() > 0.97
        assert piece[0] in (4, 7)


@pytest.mark.parametrize("words", [1, 499, 500, 501, 7777])
def test_the_same_seed_writes_the_same_words(words):
    torch.manual_seed(2)
    teachers = Teachers([FloatLanguageModel(CONFIG).eval()])
    text = torch.randint(0, WORDS, (50,))
    before = torch.get_rng_state()
    one, same, other = (write_text(teachers, text, words, seed) for seed in (5, 5, 6))
    assert torch.equal(one, same) and one.shape == (words,) and one.min() >= 0 and one.max() < WORDS
    assert words == 1 or not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)  # what training draws does not depend on it


# -- who reads it ----------------------------------------------------------------------------------------


def test_the_last_streams_read_it_and_learn_from_the_teacher_alone(recipe, tmp_path):
    run, plain = (
        run_of(replace(recipe, schedule=replace(LEARNING, written=share)), tmp_path / f"{share}.pt")
        for share in (0.25, 0.0)
    )
    (inputs, targets), (text, _) = run.epoch_tokens(), plain.epoch_tokens()
    assert torch.equal(inputs[:, :6], text[:, :6]) and torch.equal(inputs[1:], targets[:-1])
    assert not (inputs[:, 6:] == text[:, 6:]).all()
    again = run.epoch_tokens()[0]
    run.epoch = 1
    later = run.epoch_tokens()[0]
    assert torch.equal(again, inputs) and not torch.equal(later[:, 6:], inputs[:, 6:])
    run.epoch = 0
    seen, original = [], run._update.objective.forward
    run._update.objective.forward = lambda *given: seen.append(given) or original(*given)
    run._step(inputs[:16], targets[:16])
    read, aims, _, reading, others = seen[0]
    assert torch.equal(read, inputs[:16]) and torch.equal(aims, targets[:16])
    assert others[:, 6:].all() and not others[:, :6].any()
    losses = []
    for shift in (0, 1):
        moved = torch.where(others, (aims + shift) % WORDS, aims)
        torch.manual_seed(0)
        losses.append(original(read, moved, run.carried.model, reading, others)[0].item())
    assert losses[0] == losses[1]


def test_of_what_was_written_no_n_gram_is_left_out(recipe, tmp_path):
    """It was not counted; of the text, the word that is to be predicted was."""
    run = run_of(recipe, tmp_path / "run.pt")
    inputs, targets = run.epoch_tokens()
    teachers = run.teachers
    assert teachers is not None and isinstance(teachers.ngram, KneserNey)
    given, _ = run._update._looked_up(inputs[:16], targets[:16], teachers.no_history(8))
    made = given[-1].of().unflatten(0, (16, 8))
    contexts = teachers.ngram.contexts(inputs[:16], teachers.ngram.no_history(8))
    whole = teachers.ngram.shares(contexts).of().unflatten(0, (16, 8))
    without = teachers.ngram.shares(contexts, targets[:16].flatten()).of().unflatten(0, (16, 8))
    torch.testing.assert_close(made[:, 6:], whole[:, 6:])
    torch.testing.assert_close(made[:, :6], without[:, :6])
    assert not torch.allclose(whole[:, :6], without[:, :6])


def test_processes_share_written_streams(recipe, tmp_path):
    """Each has those of its own streams."""
    from trine_sw.training.loop.distributed import Ranks

    whole = run_of(recipe, tmp_path / "run.pt")
    inputs, _ = whole.epoch_tokens()
    ready = {role: new_model(recipe, role, {}).eval() for role in recipe.teachers}
    for rank in range(2):
        part = Run(recipe, "ternary", tmp_path / "run.pt", ready=ready, ranks=Ranks(rank, 2))
        own = slice(4 * rank, 4 * rank + 4)
        assert torch.equal(part.epoch_tokens()[0], inputs[:, own])
        assert part._update.others is not None
        found = part._update.others(inputs[:3, own])[2]
        assert found.tolist() == [[rank == 1 and stream >= 2 for stream in range(4)]] * 3


@pytest.mark.parametrize(
    "wrong, saying",
    [
        (lambda recipe: replace(LEARNING, written=0.01), "written is less than one of 8 streams"),
        (lambda recipe: replace(LEARNING, written=1.5), "written must be"),
        (lambda recipe: replace(recipe, distil=0.0, teacher=None), "schedule.written needs a teacher"),
        (
            lambda recipe: replace(recipe, baseline=replace(SCHEDULE, written=0.5)),
            "baseline.written needs a teacher",
        ),
        (
            lambda recipe: TextTeacher(schedule=replace(SCHEDULE, written=0.5)),
            "schedule.written is for what learns from a teacher",
        ),
    ],
)
def test_written_text_that_nobody_writes_or_reads(recipe, wrong, saying):
    with pytest.raises(TrineError, match=saying):
        wrong(recipe)
