"""Models of words: the loss over a large vocabulary, float and tied heads, and figures of the whole text."""

import hashlib
import math
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.helpers.selection import named, product  # noqa: E402
from trine_sw.data import DataSet, Part, TextFile  # noqa: E402
from trine_sw.data import text as data  # noqa: E402
from trine_sw.data.evaluation import evaluate, negative_log_likelihood, text_tokens  # noqa: E402
from trine_sw.golden import Golden  # noqa: E402
from trine_sw.golden.host_head import head_of  # noqa: E402
from trine_sw.model import Model, ModelConfig  # noqa: E402
from trine_sw.training.loop.optimizer import learning_rate  # noqa: E402
from trine_sw.training.loop.run import Run  # noqa: E402
from trine_sw.training.loop.validation import predicted, validate  # noqa: E402
from trine_sw.training.models.export import export  # noqa: E402
from trine_sw.training.models.float_model import FloatLanguageModel  # noqa: E402
from trine_sw.training.models.ternary_model import TernaryLanguageModel  # noqa: E402
from trine_sw.training.nn.head_loss import Taught, head_loss  # noqa: E402
from trine_sw.training.nn.layers import CellOptions  # noqa: E402
from trine_sw.training.nn.recurrence import Numerics  # noqa: E402
from trine_sw.training.nn.soft_cell import Quantisers  # noqa: E402
from trine_sw.training.recipes import RECIPES, Recipe, Schedule  # noqa: E402

LINE = "it is the sea that you say it is , and the trees are what you say they are\n"
TEXTS = {"train": LINE * 60, "valid": LINE * 8, "test": LINE * 5}
WORDS = sorted({*LINE.split(), "<eos>"})
CONFIG = ModelConfig(
    hidden=12, embedding=12, vocab_size=len(WORDS), cell_shift=2, output_shift=1, head_levels=(0, 1, 2, 3)
)
SCHEDULE = Schedule(epochs=2, batch=8, steps=10, warmup=5, learning_rate=1e-2, dropout=0.2, locked=True)
TINY = Recipe(
    name="words",
    dataset="words",
    config=CONFIG,
    schedule=SCHEDULE,
    baseline=SCHEDULE,
    head="float",
    tied=True,
)


@pytest.fixture(autouse=True)
def words(monkeypatch, tmp_path):
    """A data set and a recipe "words"."""
    splits = {}
    (tmp_path / "data/words").mkdir(parents=True)
    for split, text in TEXTS.items():
        (tmp_path / f"data/words/{split}.txt").write_text(text, encoding="utf-8")
        digest = hashlib.sha256(text.encode()).hexdigest()
        splits[split] = Part(TextFile(f"words/{split}.txt", "https://example.org", digest))
    monkeypatch.setitem(data.DATA_SETS, "words", DataSet(splits, words=True))
    monkeypatch.setitem(RECIPES, "words", TINY)
    monkeypatch.delenv("TRINE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    data._read.cache_clear()
    data._symbols.cache_clear()
    torch.set_num_threads(1)
    yield
    data._symbols.cache_clear()


def of_autograd(u, weight, bias, targets, wanted=None, share=0.0):
    logits = u @ weight.T + bias
    loss = torch.nn.functional.cross_entropy(logits, targets)
    if wanted is None:
        return loss, loss
    taught = torch.nn.functional.cross_entropy(logits, wanted.softmax(dim=-1))
    return loss + share * (taught - loss), loss


def head_case(size, tokens=50, width=20):
    generator = torch.Generator().manual_seed(width)
    u = torch.randint(-3, 4, (tokens, width), generator=generator).float().requires_grad_()
    weight = (torch.randn(size, width, generator=generator) * 0.2).requires_grad_()
    bias = torch.randn(size, generator=generator).requires_grad_()
    return u, weight, bias, torch.randint(0, size, (tokens,), generator=generator)


@pytest.mark.parametrize("share", [None, 0.0, 0.7])
@pytest.mark.parametrize("at_once", [1 << 23, 700])
def test_head_loss_equals_cross_entropy(monkeypatch, share, at_once):
    """In float32, in one part and in several, with and without a teacher."""
    monkeypatch.setattr("trine_sw.training.nn.head_loss._LOGITS", at_once)
    u, weight, bias, targets = head_case(100)
    taught = None if share is None else Taught(*head_case(100, width=30)[:3])
    wanted = taught and (taught.u @ taught.weight.T + taught.bias).detach()
    results = []
    for losses in (
        head_loss(u, weight, bias, targets, Numerics(), taught, share or 0.0),
        of_autograd(u, weight, bias, targets, wanted, share or 0.0),
    ):
        results.append([*losses, *torch.autograd.grad(3 * losses[0], [u, weight, bias])])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("share", [None, 0.7])
def test_head_loss_in_short_products_is_near(share):
    u, weight, bias, targets = head_case(2000)
    taught = None if share is None else Taught(*head_case(2000, width=30)[:3])
    wanted = taught and (taught.u @ taught.weight.T + taught.bias).detach()
    results = []
    for losses in (
        head_loss(u, weight, bias, targets, Numerics(product=torch.bfloat16), taught, share or 0.0),
        of_autograd(u, weight, bias, targets, wanted, share or 0.0),
    ):
        results.append([*losses, *torch.autograd.grad(losses[0], [u, weight, bias])])
    for ours, theirs in zip(*results, strict=True):
        assert (ours - theirs).norm() < 0.02 * theirs.norm()


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_float_head_is_the_hosts(cell, tied, tmp_path):
    """h is exact as ever; logits differ from evaluation mode by the rounding to float16 alone."""
    torch.manual_seed(1)
    config = replace(CONFIG, cell=cell)
    model = TernaryLanguageModel(config, CellOptions(), head="float", tied=tied).eval()
    with torch.no_grad():
        model.layer.bias.normal_(0, 1.5)
        model.head_bias.normal_()
    assert sum(p.numel() for p in model.parameters() if p.shape == (len(WORDS), 12)) == (2 - tied) * 12 * len(
        WORDS
    )
    exported = export(model, WORDS, {})
    exported.save(tmp_path / "m.trine")
    exported = Model.load(tmp_path / "m.trine")
    tokens = text_tokens(exported, data.load_text("words", "valid"))
    trace = Golden(exported).run(tokens[:-1])
    assert trace.logits is None and exported.head_weight is None
    with torch.no_grad():
        logits, _, h = model(torch.from_numpy(tokens[:-1, None]), model.initial_state(1))
    np.testing.assert_array_equal(trace.h, h[:, 0].numpy())
    expected = torch.nn.functional.cross_entropy(logits[:, 0], torch.from_numpy(tokens[1:]))
    quality = evaluate(exported, "words", "valid")
    assert quality["nats_per_token"] == pytest.approx(float(expected), abs=1e-3)
    assert quality["tokens"] == 8 * (len(LINE.split()) + 1)


def test_ternary_head_tied_to_the_embedding_is_exact():
    torch.manual_seed(2)
    model = TernaryLanguageModel(CONFIG, CellOptions(), tied=True).eval()
    exported = export(model, WORDS, {})
    tokens = np.random.default_rng(0).integers(0, len(WORDS), (30, 4))
    with torch.no_grad():
        logits, _, _ = model(torch.from_numpy(tokens), model.initial_state(4))
    trace = Golden(exported).run(tokens)
    assert trace.logits is not None and exported.head_scale is not None
    scaled = (trace.logits * np.float32(exported.head_scale)).astype(np.float32)
    np.testing.assert_array_equal(scaled, logits.numpy())


def test_measures_in_pieces_are_those_of_the_whole_and_of_the_golden_model(monkeypatch):
    torch.manual_seed(3)
    trained = TernaryLanguageModel(CONFIG, CellOptions(), head="float").eval()
    trained.head_bias.data.normal_()
    model = export(trained, WORDS, {})
    tokens = np.random.default_rng(1).integers(0, len(WORDS), (41, 3))
    whole, quality = predicted(trained, tokens), evaluate(model, "words", "test")
    monkeypatch.setattr("trine_sw.data.evaluation._LOGITS", 7 * 3 * len(WORDS))
    monkeypatch.setattr("trine_sw.training.loop.validation._LOGITS", 7 * 3 * len(WORDS))
    pieces = predicted(trained, tokens)
    assert pieces[1] == whole[1] and pieces[0] == pytest.approx(whole[0], rel=1e-6)
    assert evaluate(model, "words", "test")["nats_per_token"] == pytest.approx(quality["nats_per_token"])
    trace = Golden(model).run(tokens[:-1], logits=False)
    assert whole[1]["active_h"] == np.count_nonzero(trace.h) / trace.h.size
    changed = np.diff(trace.h, axis=0, prepend=np.zeros_like(trace.h[:1]))
    assert whole[1]["changed_h"] == np.count_nonzero(changed) / trace.h.size
    assert model.embedding_weight is not None
    assert whole[1]["active_x"] == pytest.approx((model.embedding_weight[tokens] != 0).mean())
    golden = negative_log_likelihood(head_of(model)[0](trace.u), tokens[1:]).mean()
    assert whole[0] == pytest.approx(golden, abs=1e-3)  # whose head is rounded to float16


def test_an_epoch_is_chosen_by_the_text_s_beginning_where_there_are_too_many_logits(monkeypatch):
    torch.manual_seed(4)
    model = TernaryLanguageModel(CONFIG, CellOptions(), head="float")
    tokens = np.random.default_rng(2).integers(0, len(WORDS), 32 * 9)
    monkeypatch.setattr("trine_sw.training.loop.validation._LOGITS_OF_CHOICE", 32 * 4 * len(WORDS))
    assert validate(model, tokens) == predicted(model, tokens[: 32 * 4].reshape(32, 4).T)
    monkeypatch.setattr("trine_sw.training.loop.validation._LOGITS_OF_CHOICE", 1 << 30)
    assert validate(model, tokens) == predicted(model, tokens.reshape(32, 9).T)


@pytest.mark.parametrize("dropped", [TernaryLanguageModel, FloatLanguageModel])
def test_locked_dropout_drops_the_same_at_all_steps(dropped):
    options = (CellOptions(),) if dropped is TernaryLanguageModel else ()
    model = dropped(CONFIG, *options, locked=True).train()
    kept = model.dropped(torch.ones(9, 4, 50), 0.5)
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert (kept == kept[:1]).all() and not (kept[0] == kept[0, :1]).all()
    assert (model.eval().dropped(torch.ones(9, 4, 50), 0.5) == 1).all()


@pytest.mark.parametrize("dropping", [TernaryLanguageModel, FloatLanguageModel])
@pytest.mark.parametrize(("head_dropout", "expected"), [(None, (0.25, 0.25)), (0.5, (0.25, 0.5))])
def test_what_the_head_sees_has_a_dropout_of_its_own(dropping, head_dropout, expected, monkeypatch):
    options = (CellOptions(),) if dropping is TernaryLanguageModel else ()
    model = dropping(CONFIG, *options, dropout=0.25, head_dropout=head_dropout).train()
    shares = []
    monkeypatch.setattr(model, "dropped", lambda x, share: shares.append(share) or x)
    model(torch.zeros(2, 3, dtype=torch.int64), model.initial_state(3))
    assert tuple(shares) == expected


@pytest.mark.parametrize(
    ("optimizer", "cell"),
    product(named("adam", "sgd"), named("lstm", "gru"), always=["adam-lstm", "sgd-gru"]),
)
def test_trains_and_measures_every_word(optimizer, cell, succeeds, monkeypatch):
    rate = 2.0 if optimizer == "sgd" else 1e-2
    schedule = replace(SCHEDULE, epochs=6, optimizer=optimizer, decay="plateau", learning_rate=rate)
    config = replace(CONFIG, cell=cell)
    monkeypatch.setitem(RECIPES, "words", replace(TINY, config=config, schedule=schedule, baseline=schedule))
    shown = succeeds("train", "words")
    assert "test perplexity, ternary" in shown and "nats per word" in shown
    model = Model.load("words.trine")
    record = model.training
    assert record["ternary"]["test"] == evaluate(model, "words", "test")
    assert (
        record["ternary"]["test"]["tokens"]
        == record["float"]["test"]["tokens"]
        == 5 * (len(LINE.split()) + 1)
    )
    assert record["ternary"]["test"]["perplexity"] < len(WORDS) > record["float"]["test"]["perplexity"]
    assert '"tokens": 100' in succeeds(
        "eval", "words.trine", "--dataset", "words", "--split", "test", "--json"
    )


def test_plateau_quarters_the_rate():
    schedule, nats = replace(SCHEDULE, decay="plateau", learning_rate=1.0), []
    for last, share in ((3.0, 1), (2.0, 1), (2.1, 0.25), (2.0, 0.25**2), (1.0, 0.25**2)):
        nats.append(last)
        assert learning_rate(schedule, 1000, 100, nats) == share
    assert learning_rate(schedule, 0, 100, nats) == 1 / schedule.warmup


def test_later_fields_leave_old_fingerprints_as_they_were():
    recipe = replace(TINY, head="ternary", tied=False)
    plain = replace(SCHEDULE, locked=False)
    old = replace(recipe, schedule=plain, baseline=plain).fingerprint("ternary")
    for word in ("head", "tied", "optimizer", "decay", "locked"):
        assert f'"{word}"' not in old
    assert '"tied"' in TINY.fingerprint("float") and '"head"' not in TINY.fingerprint("float")
    assert replace(TINY, head="ternary").fingerprint("ternary") != TINY.fingerprint("ternary")


def test_perplexity_of_equal_logits_is_the_number_of_words():
    trained = TernaryLanguageModel(CONFIG, CellOptions(), head="float").eval()
    model = export(trained, WORDS, {})
    model.host_head_weight = np.zeros_like(model.host_head_weight)
    model.host_head_bias = np.zeros(len(WORDS), np.float16)
    assert evaluate(model, "words", "test", 17)["perplexity"] == pytest.approx(len(WORDS))
    assert evaluate(model, "words", "test", 17)["tokens"] == 17
    torch.nn.init.zeros_(trained.head)
    assert math.log(len(WORDS)) == pytest.approx(predicted(trained, np.zeros((9, 2), int))[0])


def test_baseline_with_quantisers_is_trained_and_measured_at_its_slope(tmp_path):
    quantisers = Quantisers(weights="threshold", activations="bernoulli", slope=4.0, slope_first=1.0)
    recipe = replace(TINY, quantisers=quantisers, tied=False)
    run = Run(recipe, "float", tmp_path / "run.pt")
    run.fit()
    assert len(run.log) == 2 and float(run.best_model().state_dict()["lstm.slope"]) in (1.0, 4.0)
    assert float(run.model.state_dict()["lstm.slope"]) == quantisers.slope_of(float(run.best["epoch"] - 1))
    assert recipe.fingerprint("float") != replace(recipe, quantisers=None).fingerprint("float")
