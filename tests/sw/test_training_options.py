"""What recipes may want: hardening, annealing, a warm start, a teacher, two heads."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.helpers.paths import ROOT  # noqa: E402
from tests.helpers.small_recipe import CONFIG, SCHEDULE, small_recipe  # noqa: E402
from trine_sw.data import text as data  # noqa: E402
from trine_sw.data.evaluation import evaluate  # noqa: E402
from trine_sw.golden import Golden  # noqa: E402
from trine_sw.model import Model  # noqa: E402
from trine_sw.support.errors import TrineError  # noqa: E402
from trine_sw.support.plain_values import from_plain  # noqa: E402
from trine_sw.training.loop.run import Run  # noqa: E402
from trine_sw.training.loop.validation import validate  # noqa: E402
from trine_sw.training.models.export import export  # noqa: E402
from trine_sw.training.models.float_model import FloatLanguageModel  # noqa: E402
from trine_sw.training.models.roles import new_model  # noqa: E402
from trine_sw.training.models.ternary_model import TernaryLanguageModel  # noqa: E402
from trine_sw.training.models.warm_start import warm_start  # noqa: E402
from trine_sw.training.nn.layers import CellOptions, ternary_layer  # noqa: E402
from trine_sw.training.nn.quantise import HEAD_FACTOR, ttq  # noqa: E402
from trine_sw.training.nn.recurrence import Numerics  # noqa: E402
from trine_sw.training.nn.soft_cell import Quantisers  # noqa: E402
from trine_sw.training.recipes import RECIPES, Recipe  # noqa: E402
from trine_sw.training.train import train  # noqa: E402

CELLS = [CONFIG, replace(CONFIG, cell="gru")]


@pytest.fixture
def tiny(sea, monkeypatch):
    return small_recipe(sea, monkeypatch)


# -- hardening -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", CELLS, ids=["lstm", "gru"])
def test_hardened_cell_is_hard(config):
    """In every bit, at the end of hardening as without any; before it, h is no trits."""
    tokens, results = torch.randint(0, 18, (30, 4)), []
    for harden in (None, (0.25, 0.75)):
        torch.manual_seed(0)
        model = TernaryLanguageModel(config, CellOptions(harden=harden)).train()
        with torch.no_grad():
            model.layer.bias.normal_(0, 1.5)
        model.harden(0.5)
        part_way = model(tokens, model.initial_state(4))[2]
        model.harden(0.75)
        logits, _, h = model(tokens, model.initial_state(4))
        gradients = torch.autograd.grad(logits.square().sum(), [model.layer.weight, model.embedding])
        results.append((part_way, logits, h, *gradients))
    assert all(map(torch.equal, results[0][1:], results[1][1:]))
    for values, model_is_hard in ((results[0][0], True), (results[1][0], False)):
        assert bool(torch.isin(values, torch.tensor([-1.0, 0.0, 1.0])).all()) == model_is_hard


def test_run_hardens_and_measures_what_is_hard(tiny, tmp_path):
    """From the first share of the updates to the second; what is exported meanwhile is trits."""
    recipe = replace(tiny, options=CellOptions(harden=(0.25, 0.75)))
    run = Run(recipe, "ternary", tmp_path / "ternary.pt")
    shares, step = [], run._step

    def watched(*window):
        nats = step(*window)
        shares.append(float(run.model.layer.hard))
        return nats

    run._step = watched
    run.fit()
    count = len(shares)
    assert shares == pytest.approx([min(1, max(0, 2 * n / count - 0.5)) for n in range(count)], abs=1e-6)
    assert shares[0] == 0 and shares[-1] == 1 and math.isfinite(run.log[0]["valid_nats"])
    head = Run(
        replace(recipe, ternary_head=SCHEDULE), "head", tmp_path / "h.pt", ready={"ternary": run.model}
    )
    assert torch.equal(head.model.train().embedded(torch.arange(9)), run.model.embedding_trits()[:9])


# -- the slope -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", CELLS, ids=["lstm", "gru"])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_annealed_cell_is_the_cell_of_that_slope(config, share):
    """At every share of the epochs: in training, in evaluation and as exported; lambda goes from 1/2 to 2."""
    slope = 0.5 * 4**share
    layers = []
    for options in (CellOptions(slope=2.0, slope_first=0.5), CellOptions(slope=slope)):
        torch.manual_seed(0)
        model = TernaryLanguageModel(config, options)
        with torch.no_grad():
            model.layer.bias.normal_(0, 1.5)
        model.anneal(share)
        layers.append(model)
    tokens = torch.randint(0, 18, (30, 4))
    annealed, fixed = (model.train()(tokens, model.initial_state(4)) for model in layers)
    assert torch.equal(annealed[2], fixed[2])
    gradients = [
        torch.autograd.grad(logits.square().sum(), model.layer.weight)[0]
        for (logits, _, _), model in zip((annealed, fixed), layers, strict=True)
    ]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4 * float(gradients[1].abs().max()))
    names = [str(number) for number in range(18)]
    exported = export(layers[0].eval(), names, {})
    np.testing.assert_array_equal(
        exported.layers[0].threshold, export(layers[1], names, {}).layers[0].threshold
    )
    trace = Golden(exported).run(tokens.numpy())
    with torch.no_grad():
        np.testing.assert_array_equal(trace.h, layers[0](tokens, layers[0].initial_state(4))[2].numpy())


def test_slope_goes_with_the_weights(tiny, tmp_path):
    """The best epoch's model has that epoch's slope; without annealing, checkpoints are as they were."""
    recipe = replace(tiny, options=CellOptions(slope=2.0, slope_first=0.5))
    run = Run(recipe, "ternary", tmp_path / "run.pt")
    run.fit()
    best = run.best_model().state_dict()["lstm.ratio"]
    assert float(best) == (0.25, 1.0)[int(run.best["epoch"]) - 1]
    assert "ratio" not in ternary_layer(CONFIG, CellOptions()).state_dict()
    assert recipe.fingerprint("ternary") != tiny.fingerprint("ternary")
    assert "slope_first" not in tiny.fingerprint("ternary")


# -- a warm start, a teacher ------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", ["alpha", "norm"])
@pytest.mark.parametrize("config", CELLS, ids=["lstm", "gru"])
def test_warm_start_of_ternary_weights_is_exact(config, scale):
    """From a float model whose weights are trits times a row's size, rows keep them: z is that of the float
    cell for the same x and h."""
    torch.manual_seed(1)
    given = FloatLanguageModel(config)
    cell = getattr(given, config.cell)
    rows = len(cell.bias_ih_l0)
    with torch.no_grad():
        size = torch.rand(rows, 1) + 0.5
        trits = torch.randint(-1, 2, (rows, config.columns)).float()
        trits[:, :3] = torch.tensor([1.0, 0.0, -1.0])
        given.embedding.weight.copy_(ttq(torch.randn(18, 6), 1.4) * 0.25)
        cell.weight_ih_l0.copy_(trits[:, :6] * size / 0.25)
        cell.weight_hh_l0.copy_(trits[:, 6:] * size)
        cell.bias_ih_l0.normal_()
        cell.bias_hh_l0.normal_()
    model = TernaryLanguageModel(config, CellOptions(scale=scale))
    warm_start(model, given)
    weight, scales = model.layer.quantised()
    x, h = given.embedding.weight[:9], torch.randint(-1, 2, (9, 12)).float()
    of_x = x @ cell.weight_ih_l0.T + cell.bias_ih_l0
    of_h = h @ cell.weight_hh_l0.T + cell.bias_hh_l0
    inputs = torch.cat([model.embedding_trits()[:9], h], dim=1)
    z = model.layer.preactivation(inputs @ weight.T, scales.squeeze(1), model.layer.offset)
    if config.cell == "lstm":
        torch.testing.assert_close(z, of_x + of_h, rtol=1e-4, atol=1e-4)
        return
    (r_x, z_x, n_x), (r_h, z_h, n_h) = of_x.chunk(3, dim=1), of_h.chunk(3, dim=1)
    torch.testing.assert_close(z, torch.cat([z_x + z_h, r_x + r_h, n_x, n_h], dim=1), rtol=1e-4, atol=1e-4)


def test_warm_start_begins_better(tiny, tmp_path):
    recipe = replace(tiny, baseline=replace(SCHEDULE, epochs=6))
    baseline = Run(recipe, "float", tmp_path / "float.pt")
    baseline.fit()
    ready = {"float": baseline.best_model()}
    losses = []
    for warm in (False, True):
        run = Run(replace(recipe, warm_start=warm), "ternary", tmp_path / "run.pt", ready=ready)
        losses.append(validate(run.model, run.valid)[0])
    assert losses[1] < losses[0] - 0.2
    with pytest.raises(TrineError, match="needs its float baseline trained first"):
        new_model(replace(recipe, warm_start=True), "ternary", {})
    soft = FloatLanguageModel(recipe.config, quantisers=Quantisers())
    with pytest.raises(TrineError, match="needs a plain float model of the same cell and sizes"):
        new_model(replace(recipe, warm_start=True), "ternary", {"float": soft})


def test_wider_teacher_and_two_heads(tiny, monkeypatch, tmp_path):
    """Models of all four roles: each is trained, measured and recorded, and the file has both heads."""
    recipe = replace(tiny, distil=0.5, teacher_hidden=20, ternary_head=replace(SCHEDULE, epochs=3))
    recipe = replace(recipe, teaching=replace(SCHEDULE, epochs=1), config=replace(tiny.config, cell="gru"))
    monkeypatch.setitem(RECIPES, "tiny", recipe)
    monkeypatch.setattr(Numerics, "fastest", lambda device: Numerics())  # compiling would take longest
    assert recipe.roles == ("float", "teacher", "ternary", "head") and recipe.needs("ternary") == ("teacher",)
    for changed in (replace(recipe, ternary_head=None), replace(recipe, teacher_hidden=21, teaching=None)):
        assert changed.fingerprint("float") == recipe.fingerprint("float")
    assert replace(recipe, teaching=None).fingerprint("teacher") != recipe.fingerprint("teacher")
    assert isinstance(new_model(recipe, "teacher", {}).lstm, torch.nn.LSTM)  # whatever the cell
    assert replace(recipe, ternary_head=None).fingerprint("ternary") == recipe.fingerprint("ternary")
    model = train("tiny")
    assert model is not None and model.heads == ("float", "ternary")
    record = model.training
    for kind, head in (("ternary", "float"), ("ternary_head", "ternary")):
        found = evaluate(Model.load("tiny.trine"), "sea", "valid", head_kind=head)
        assert record[kind]["valid_nats"] == found["nats_per_token"] < math.log(recipe.config.vocab_size)
    assert record["teacher"]["parameters"] > record["float"]["parameters"]
    monkeypatch.setitem(RECIPES, "tiny", replace(recipe, keep_float_head=False))
    without = train("tiny", resume=True)
    assert without is not None and without.heads == Model.load("tiny.trine").heads == ("ternary",)
    for kind in ("ternary", "ternary_head"):
        assert without.training[kind]["valid_nats"] == record[kind]["valid_nats"]
    roles = [row["role"] for row in csv.DictReader(Path("tiny-training.csv").open(encoding="utf-8"))]
    assert roles == ["float"] * 2 + ["teacher"] + ["ternary"] * 2 + ["head"] * 3


def test_head_is_trained_on_a_frozen_cell(tiny, tmp_path):
    schedule = replace(SCHEDULE, epochs=4, learning_rate=1e-3, scale_rate=10.0, dropout=0.0)
    recipe = replace(tiny, ternary_head=schedule)
    first = Run(recipe, "ternary", tmp_path / "ternary.pt")
    first.fit()
    ready = {"ternary": first.best_model()}
    cell = {name: value.clone() for name, value in ready["ternary"].state_dict().items()}
    run = Run(recipe, "head", tmp_path / "head.pt", ready=ready)
    rates = {group["share"] for group in run.optimizer.param_groups if group["params"][0].dim() == 0}
    assert rates == {10.0}
    assert (
        run.teachers is not None and run._update.objective.distil == 1.0
    )  # it learns from the float head alone
    assert isinstance(run.model, TernaryLanguageModel) and run.model.head is not None
    weight = run.model.head.detach()
    loud = weight.abs() > HEAD_FACTOR * weight.abs().mean()  # one threshold for all rows
    assert torch.equal(run.model.head_integers()[0], weight.sign() * loud)
    start = validate(run.model, run.valid)[0]
    run.fit()
    after = run.model.state_dict()
    for name in ("embedding", "lstm.weight", "lstm.bias"):
        assert torch.equal(after[name], cell[name])
    assert run.log[-1]["valid_nats"] < start
    one, other = export(ready["ternary"], run.vocabulary, {}), export(run.model, run.vocabulary, {})
    np.testing.assert_array_equal(one.layers[0].weight, other.layers[0].weight)
    np.testing.assert_array_equal(one.layers[0].threshold, other.layers[0].threshold)
    with pytest.raises(TrineError, match="has a ternary head already"):
        new_model(replace(recipe, head="ternary"), "head", ready)


# -- data, logs, devices ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ptb-lstm-300", "ptb-gru-300", "wikitext2-lstm-512"])
def test_records_are_of_the_recipes(name):
    """What is committed is what the command makes now. Fields that came later have their defaults."""
    record = json.loads((ROOT / "docs" / "results" / f"{name}-training.json").read_text(encoding="utf-8"))
    assert from_plain(Recipe, record["recipe"]) == RECIPES[name]


def test_wikitext_model_fits_its_limit(tmp_path):
    """An untrained model of the recipe, whose file is as large as a trained one's, stays under 10 MB."""
    recipe = RECIPES["wikitext2-lstm-512"]
    assert not recipe.keep_float_head and recipe.schedule.sampled
    model = new_model(recipe, "head", {"ternary": new_model(recipe, "ternary", {})})
    assert isinstance(model, TernaryLanguageModel)
    words = [f"word{number:06}" for number in range(recipe.config.vocab_size)]
    export(model.eval(), words, {}).save(tmp_path / "m.trine")
    assert (tmp_path / "m.trine").stat().st_size < 10e6


def test_text_cut_to_its_most_frequent_words(monkeypatch, tmp_path):
    import hashlib

    texts = {"train": "a b a c a b <unk> d\na b c\n", "valid": "a d c\n"}
    splits = {}
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
        digest = hashlib.sha256(text.encode()).hexdigest()
        splits[name] = data.Part(data.TextFile(f"{name}.txt", "https://example.org", digest))
    monkeypatch.setenv("TRINE_DATA", str(tmp_path))
    monkeypatch.setitem(data.DATA_SETS, "cut", data.DataSet(splits, words=True, most_frequent=4))
    data._symbols.cache_clear()
    assert data.symbols("cut") == ("<unk>", "a", "b", "<eos>")  # <unk> stands for c, c, d and itself
    assert data.load_text("cut", "valid") == "a <unk> <unk> <eos>\n"
    assert data.load_tokens("cut", "train").tolist() == [1, 2, 1, 0, 1, 2, 0, 0, 3, 1, 2, 0, 3]
    data._symbols.cache_clear()


def test_logs_are_written_after_each_epoch(tiny, tmp_path, monkeypatch):
    run = Run(tiny, "float", tmp_path / "runs/float.pt")
    seen = []
    original = run._files.write

    def write(rows):
        original(rows)
        seen.append(list(csv.DictReader((tmp_path / "runs/float.csv").open(encoding="utf-8"))))

    monkeypatch.setattr(run._files, "write", write)
    run.fit()
    assert [len(rows) for rows in seen] == [1, 2]
    assert float(seen[1][0]["valid_nats"]) == run.log[0]["valid_nats"]
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(tmp_path / "runs/tensorboard/float"))
    events.Reload()
    kept = events.Scalars("valid_nats")
    assert [event.step for event in kept] == [1, 2]
    assert [event.value for event in kept] == pytest.approx([row["valid_nats"] for row in run.log], rel=1e-6)
