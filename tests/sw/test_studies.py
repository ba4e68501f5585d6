"""Studies: rows that train, are recorded once, and are shown; what is not run is said to be so."""

import json
import math
import os
import signal
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from tests.helpers.small_studies import LINE, WORDS, small_studies  # noqa: E402
from trine_sw.data import text as data  # noqa: E402
from trine_sw.data.evaluation import evaluate  # noqa: E402
from trine_sw.model import Model, ModelConfig  # noqa: E402
from trine_sw.model.random_model import random_model  # noqa: E402
from trine_sw.studies.catalogue import STUDIES  # noqa: E402
from trine_sw.studies.distributions import distributions  # noqa: E402
from trine_sw.studies.memory import deployed  # noqa: E402
from trine_sw.studies.report import write_report  # noqa: E402
from trine_sw.training.loop.run import Run  # noqa: E402
from trine_sw.training.models.export import export  # noqa: E402
from trine_sw.training.models.float_model import FloatLanguageModel  # noqa: E402
from trine_sw.training.models.ternary_model import TernaryLanguageModel  # noqa: E402
from trine_sw.training.nn.layers import CellOptions  # noqa: E402
from trine_sw.training.nn.soft_cell import Quantisers, SoftLSTM  # noqa: E402
from trine_sw.training.recipes import RECIPES  # noqa: E402

RESULTS = Path("docs/results/hitnet")


@pytest.fixture
def small(monkeypatch, tmp_path):
    yield from small_studies(monkeypatch, tmp_path)


def test_rows_are_run_once_and_shown(small, succeeds, fails):
    """Rows of the ladder, one that shares the float baseline; then the page with all figures."""
    assert "not run" in succeeds("study", "ladder", "--list")
    for row in ("float", "integers", "warm"):
        assert f"ladder.{row}.few.2.json" in succeeds("study", "ladder", "--row", row)
    assert sorted(path.name.split("-")[0] for path in Path("runs/hitnet").glob("*.pt")) == [
        "float",
        "ternary",
        "ternary",
    ]
    before = (RESULTS / "ladder.warm.few.2.json").read_bytes()
    assert "is there already" in succeeds("study", "ladder", "--row", "warm")
    assert (RESULTS / "ladder.warm.few.2.json").read_bytes() == before
    record = json.loads(before)
    assert record["measured_on"] == "the integer golden model, float head"
    assert record["test"]["tokens"] == 5 * (len(LINE.split()) + 1) and record["epochs"] == 2
    assert record["test"]["perplexity"] == pytest.approx(math.exp(record["test"]["nats_per_token"]))
    assert record["cycles_per_token"] > 1 and 0 < record["active_x"] < 1
    succeeds("study", "slope", "--row", "float-2", "--epochs", 1)
    succeeds("study", "activity", "--row", "1")
    succeeds("speed", "tiny", "--steps", 2, "--record")
    trained = {
        "ternary": {"test": {"perplexity": 101.25}, "best": {"active_x": 0.3, "active_h": 0.2}, "epochs": 9}
    }
    Path("docs/results/ptb-lstm-300-training.json").write_text(json.dumps(trained), encoding="utf-8")
    Path("docs/results/ptb-lstm-300-training.csv").write_text(
        "role,epoch,valid_nats\nternary,1,5.5\n", encoding="utf-8"
    )
    written = succeeds("report", "hitnet").split()
    page = Path("docs/results/hitnet.md").read_text(encoding="utf-8")
    assert f"| {record['test']['perplexity']:.2f} |" in page
    assert page.count("`trine study ladder --row float`") == 1
    line = next(line for line in page.splitlines() if line.startswith("| ptb-lstm-300 | not run"))
    assert line.startswith("| ptb-lstm-300 | not run | 101.25 | not run | 30.0 % | 20.0 % |  | 9 |")
    lines = page.splitlines()
    heads = [number for number, line in enumerate(lines) if line.startswith("|---")]
    assert len(heads) > 6
    for head in heads:  # every table is whole
        width, row = lines[head].count("|"), head - 1
        while row < len(lines) and lines[row].startswith("|"):
            assert lines[row].count("|") == width, lines[row]
            row += 1
    line = next(line for line in page.splitlines() if "--row distil" in line)
    assert line.count("not run") == 2
    assert "`trine study slope --epochs 1 --row float-2`" in page
    names = {"activations", "memory", "weights", "gates", "slope", "activity", "curves"}
    assert {Path(path).stem for path in written[1:]} == names
    for path in written[1:]:
        assert len(list(ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}path"))) > 8
        assert f"(hitnet/{Path(path).name})" in page
    drawn = [Path(path).read_bytes() for path in written]
    assert [path.read_bytes() for path in write_report(RESULTS)] == drawn
    (RESULTS / "ladder.float.few.2.json").write_text('{"study": ', encoding="utf-8")
    fails("report", "hitnet", saying="ladder.float.few.2.json is no whole record")


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    recipe = RECIPES["ptb-lstm-300"]
    config = replace(recipe.config, hidden=8, embedding=6, vocab_size=20)
    schedule = replace(recipe.schedule, sampled=0, exact=0)
    monkeypatch.setitem(RECIPES, "tiny", replace(recipe, name="tiny", config=config, schedule=schedule))


def test_interrupted_row(small, trine, succeeds, fails, monkeypatch):
    original = Run._step

    def step(run, *arguments):
        if run.epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return original(run, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "_step", step)
        result = trine("study", "ladder", "--row", "keep")
    assert result.exit_code == 130 and "interrupted" in result.stderr
    assert not list(RESULTS.glob("*.json"))
    fails("study", "ladder", "--row", "keep", saying="holds a part of this run; go on from it with --resume")
    succeeds("study", "ladder", "--row", "keep", "--resume")
    assert len(list(RESULTS.glob("*.json"))) == 1


def test_a_row_starts_from_a_model_file(small, succeeds, fails):
    """Its record has the model's digest; without the file nothing is begun."""
    fails("study", "front", "--row", "5", saying="cannot read models/ptb-lstm-300-taught.trine")
    assert not list(Path("runs").rglob("*.pt"))
    recipe = STUDIES["front"].at()[0].recipe
    torch.manual_seed(0)
    trained = TernaryLanguageModel(recipe.config, recipe.options, embedding_factor=1.5, head="float").eval()
    start = export(trained, list(data.symbols("few")), {})
    Path("models").mkdir()
    start.save("models/ptb-lstm-300-taught.trine")
    succeeds("study", "front", "--row", "5", "--epochs", 1)
    record = json.loads((RESULTS / "front.5.few.1.json").read_text(encoding="utf-8"))
    assert record["start"] == start.digest().hex() and record["recipe"]["activity_cost"] == 5
    assert 0 < record["cycles_per_token"] < 100


def test_rows_of_other_states_are_measured_in_pytorch(small, succeeds):
    """Figures of the module in evaluation, and cycles of an engine that takes a column a cycle."""
    for row, measured in (
        ("3-3", "the integer golden model, float head"),
        ("5-2", "the PyTorch module in evaluation, float head"),
    ):
        succeeds("study", "states", "--row", row)
        record = json.loads((RESULTS / f"states.{row}.few.2.json").read_text(encoding="utf-8"))
        assert record["measured_on"] == measured and record["test"]["perplexity"] < WORDS
        assert 0 < record["cycles_per_token"] < 100 and 0 < record["active_h"] < 1
        assert len(record["distributions"]["weight"]["values"]) == int(row[0])


def test_what_studies_refuse(small, fails):
    fails("study", "ladders", saying="'ladders' is no study; there are ladder")
    fails("study", "ladder", "--row", "top", saying="'top' is no row of ladder; there are float")
    fails("study", "ladder", "--words", 7, saying=f"words must be {WORDS}, not 7")
    fails("study", "ladder", "--epochs", 0, saying="epochs must be at least 1")
    fails("study", "ladder", "--threads", 0, saying="--threads must be from 1 to 1024, not 0")
    fails("speed", "tiny", "--steps", 0, saying="--steps must be from 1 to 1000000, not 0")


def test_help_names_all_studies(succeeds):
    assert f"Studies: {', '.join(STUDIES)}." in " ".join(succeeds("study", "--help").split())


def test_all_rows_differ():
    """Every row of every study is a run of its own, of a name of its own."""
    for study in STUDIES.values():
        rows = study.at()
        assert len({row.name for row in rows}) == len(rows) > 3
        runs = {row.recipe.fingerprint(row.role).replace(row.recipe.name, "") for row in rows}
        assert len(runs) == len(rows)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_packed_memory_is_that_of_the_file(cell, tmp_path):
    """The tensors of a model file, byte for byte; the float figure is that of PyTorch's parameters."""
    config = ModelConfig(cell=cell, hidden=33, embedding=21, vocab_size=19)
    random_model(config, seed=1).save(tmp_path / "m.trine")
    from safetensors.numpy import load_file

    sizes = {name: tensor.nbytes for name, tensor in load_file(tmp_path / "m.trine").items()}
    packed = deployed(config, "ternary")
    assert packed.weights == sum(size for name, size in sizes.items() if name.startswith("layer0"))
    assert packed.embedding == sizes["embedding.weight"]
    assert packed.head == sizes["head.weight"] + sizes["head.bias"]
    assert deployed(config, "float").head == 2 * (19 * 33 + 19)
    model, floats = FloatLanguageModel(config), deployed(config, None)
    assert floats.embedding == 4 * model.embedding.weight.numel()
    assert floats.head == 4 * (model.head.weight.numel() + model.head.bias.numel())
    layer = getattr(model, cell)
    matrices = sum(p.numel() for p in layer.parameters() if p.dim() == 2)
    assert floats.weights == 4 * (matrices + 4 * 33)
    assert floats.total == floats.weights + floats.state + floats.embedding + floats.head


@pytest.mark.parametrize("slope", [1.0, 2.0])
def test_distributions_are_those_of_the_cell(slope):
    """Shares of gates' values are those that evaluation computes; of other cells there are none."""
    torch.manual_seed(0)
    config = ModelConfig(hidden=12, embedding=9, vocab_size=20, cell_shift=2, head_levels=(0, 1, 2))
    tokens = np.random.default_rng(0).integers(0, 20, 200)
    model = TernaryLanguageModel(config, CellOptions(slope=slope))
    with torch.no_grad():
        model.layer.bias.normal_(0, 1.5)
    found = distributions(model, tokens)
    assert set(found["gates"]) == {"i", "f", "g", "o"}
    for histogram in (found["weight"], *found["gates"].values()):
        assert sum(histogram["shares"]) == pytest.approx(1, abs=1e-4)
        assert sum(histogram["values"].values()) == pytest.approx(1, abs=1e-4)
    edges, shares = (np.array(found["gates"]["f"][name]) for name in ("edges", "shares"))
    assert shares[edges[:-1] >= 0.75].sum() == pytest.approx(found["gates"]["f"]["values"]["1"], abs=1e-4)
    trits = model.layer.quantised()[0]
    assert found["weight"]["values"]["0"] == pytest.approx(float((trits == 0).float().mean()), abs=1e-5)
    plain = distributions(FloatLanguageModel(config), tokens)
    assert "values" not in plain["weight"] and len(plain["gates"]["g"]["shares"]) == 40
    assert distributions(FloatLanguageModel(config, quantisers=Quantisers()), tokens) is None


def test_gates_may_stay_soft():
    """x and h are quantised all the same."""
    torch.manual_seed(0)
    config = ModelConfig(hidden=12, embedding=7, vocab_size=9)
    cell = SoftLSTM(config, Quantisers(weights="threshold", activations="bernoulli", soft_gates=True)).eval()
    with torch.no_grad():
        cell.weight.mul_(20)
        h, (_, c) = cell(torch.randn(30, 4, 7), (torch.zeros(1, 4, 12), torch.zeros(1, 4, 12)))
    assert set(h.unique().tolist()) == {-1.0, 0.0, 1.0} and len(c.unique()) > 20


def test_eval_says_which_head(succeeds, fails, small):
    """Of a file with both, the float one unless it is said; of a file with one, that."""
    config = ModelConfig(hidden=12, embedding=12, vocab_size=WORDS)
    model = random_model(config, seed=0)
    model.vocabulary = list(data.symbols("few"))
    model.save("one.trine")
    generator = np.random.default_rng(0)
    model.host_head_weight = generator.normal(size=(WORDS, 12)).astype(np.float16)
    model.host_head_bias = np.zeros(WORDS, np.float16)
    model.save("both.trine")
    figures = {}
    for head in ("float", "ternary", None):
        chosen = () if head is None else ("--head-kind", head)
        shown = json.loads(
            succeeds("eval", "both.trine", "--dataset", "few", "--split", "test", "--json", *chosen)
        )
        figures[head] = shown["perplexity"]
        assert shown["head_kind"] == (head or "float")
        expected = evaluate(Model.load("both.trine"), "few", "test", head_kind=head)
        assert shown["perplexity"] == expected["perplexity"]
    assert figures[None] == figures["float"] != figures["ternary"]
    assert figures["ternary"] == evaluate(Model.load("one.trine"), "few", "test")["perplexity"]
    fails(
        "eval",
        "one.trine",
        "--dataset",
        "few",
        "--head-kind",
        "float",
        saying="no float head, but a ternary one",
    )
