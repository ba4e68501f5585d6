"""What trains the head: the softmax over words, its rate and decay, and a bias that is not learnt."""

import math
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.helpers.small_recipe import CONFIG, SCHEDULE, small_recipe  # noqa: E402
from trine_sw.support.errors import TrineError  # noqa: E402
from trine_sw.training.loop.run import Run  # noqa: E402
from trine_sw.training.models.ternary_model import TernaryLanguageModel  # noqa: E402
from trine_sw.training.nn.layers import CellOptions  # noqa: E402
from trine_sw.training.nn.sampled_softmax import CandidateSampler  # noqa: E402


@pytest.fixture
def tiny(sea, monkeypatch):
    return small_recipe(sea, monkeypatch)


def test_candidates_stand_for_all_words():
    """Their sum has the sum over all words as its mean; every target is among them."""
    torch.manual_seed(0)
    counts = 20_000 / (torch.arange(400) + 1.0)
    sampler = CandidateSampler(counts, 120, 20)
    scores = torch.rand(400)
    total = 0.0
    for _ in range(3000):
        targets = torch.multinomial(counts, 20, replacement=True)
        words, offset, places = sampler.draw(targets)
        assert len(words) == 120 == len(words.unique()) and torch.equal(words[places], targets)
        total += float((scores[words].log() + offset).exp().sum())
    assert total / 3000 == pytest.approx(float(scores.sum()), rel=0.02)
    for size in (20, 400):
        with pytest.raises(TrineError, match="fewer than there are, 400; not"):
            CandidateSampler(counts, size, 20)


@pytest.mark.parametrize("head", ["float", "ternary"])
def test_sampled_softmax_has_the_gradient_of_the_full_one(head):
    """Of all draws together, and the loss as well; in evaluation it is the full one."""
    torch.manual_seed(0)
    config = replace(CONFIG, vocab_size=300)
    model = TernaryLanguageModel(config, CellOptions(), head=head).train()
    counts = 5000 / (torch.arange(300) + 1.0)
    tokens = torch.randint(0, 300, (5, 4))
    targets = torch.multinomial(counts, 20, replacement=True).view(5, 4)
    state = model.initial_state(4)
    full = model.loss(tokens, targets, state)[0]
    wanted = torch.autograd.grad(full, model.head_bias)[0]
    model.sampler = CandidateSampler(counts, 150, 20)
    losses, gradient = [], torch.zeros(300)
    for _ in range(300):
        loss = model.loss(tokens, targets, state)[0]
        losses.append(loss.item())
        gradient += torch.autograd.grad(loss, model.head_bias)[0] / 300
    assert torch.nn.functional.cosine_similarity(gradient, wanted, dim=0) > 0.97
    assert np.mean(losses) == pytest.approx(full.item(), rel=0.05)
    assert torch.equal(model.eval().loss(tokens, targets, state)[0], model.loss(tokens, targets, state)[0])


@pytest.mark.parametrize("kind", ["ternary", "float"])
def test_head_has_a_share_of_the_learning_rate(tiny, tmp_path, kind):
    """Adam's first step is as long as the rate, whatever the gradient is."""
    schedule = replace(SCHEDULE, warmup=0, head_rate=0.25)
    run = Run(replace(tiny, schedule=schedule, baseline=schedule), kind, tmp_path / "run.pt")
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    inputs, targets = run.epoch_tokens()
    run._step(inputs[:16], targets[:16])
    for name, parameter in run.model.named_parameters():
        share = 0.25 if "head" in name else 1.0
        longest = (parameter - before[name]).abs().max().item()
        assert longest == pytest.approx(share * schedule.learning_rate, rel=1e-3)


def test_weights_of_the_head_decay(tiny, tmp_path):
    """A step with and without decay differs by rate x decay of the head's weights, and nowhere else."""
    after = []
    for decay in (0.0, 5.0):
        schedule = replace(SCHEDULE, warmup=0, head_rate=0.5, head_decay=decay)
        run = Run(replace(tiny, schedule=schedule), "ternary", tmp_path / "run.pt")
        before = run.model.state_dict()["head"].clone()
        inputs, targets = run.epoch_tokens()
        run._step(inputs[:16], targets[:16])
        after.append({name: value.clone() for name, value in run.model.state_dict().items()})
    plain, decayed = after
    rate = 0.5 * SCHEDULE.learning_rate
    torch.testing.assert_close(
        plain.pop("head") - decayed.pop("head"), 5 * rate * before, rtol=1e-3, atol=1e-6
    )
    assert all(torch.equal(plain[name], decayed[name]) for name in plain)


def test_sampled_run_trains(tiny, tmp_path):
    schedule = replace(SCHEDULE, batch=4, steps=3, sampled=14, exact=1, epochs=2)
    run = Run(replace(tiny, schedule=schedule), "ternary", tmp_path / "run.pt")
    sampled: dict[int, bool] = {}
    step = run._step
    run._step = lambda *tokens: sampled.update({run.epoch: run.model.sampler is not None}) or step(*tokens)
    run.fit()
    assert sampled == {0: True, 1: False}
    assert run.log[-1]["valid_nats"] < 0.8 * math.log(tiny.config.vocab_size)


@pytest.mark.parametrize("kind", ["ternary", "float"])
def test_unigram_bias_is_that_of_the_text_and_stays(tiny, sea, tmp_path, kind):
    """Before the first update the model predicts a symbol as often as the training text has it."""
    tiny = replace(tiny, unigram=True, head="ternary" if kind == "ternary" else "float")
    run = Run(tiny, kind, tmp_path / "run.pt")
    counts = np.bincount(run.tokens, minlength=tiny.config.vocab_size) + 0.5
    wanted = torch.from_numpy(np.log(counts / counts.sum())).float()
    bias = next(p for p in run.model.head_parameters() if p.dim() == 1)
    torch.testing.assert_close(bias.detach(), wanted)
    run.fit()
    torch.testing.assert_close(bias.detach(), wanted)
    assert run.log[-1]["valid_nats"] < run.log[0]["valid_nats"]


def test_ternary_head_takes_up_the_unigram_bias_of_the_float_one(tiny, tmp_path):
    tiny = replace(tiny, unigram=True, ternary_head=SCHEDULE)
    trained = Run(tiny, "ternary", tmp_path / "ternary.pt").model
    with torch.no_grad():
        trained.head_bias += 1  # a bias that is not the text's, to see which one is taken
    run = Run(tiny, "head", tmp_path / "head.pt", ready={"ternary": trained})
    assert torch.equal(run.model.head_bias, trained.head_bias)


def test_tied_head_moves_and_decays_as_a_head(tiny, tmp_path):
    schedule = replace(SCHEDULE, warmup=0, head_rate=0.25, head_decay=0.0)
    config = replace(tiny.config, embedding=tiny.config.hidden)
    run = Run(replace(tiny, config=config, tied=True, schedule=schedule), "ternary", tmp_path / "run.pt")
    before = run.model.embedding.detach().clone()
    inputs, targets = run.epoch_tokens()
    run._step(inputs[:16], targets[:16])
    longest = (run.model.embedding - before).abs().max().item()
    assert longest == pytest.approx(0.25 * schedule.learning_rate, rel=1e-3)
