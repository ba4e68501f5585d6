"""Studies: rows that train, are recorded once, and are shown; what is not run is said to be so."""

import hashlib
import json
import math
import os
import signal
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from trine_sw.data import text as data  # noqa: E402
from trine_sw.data.evaluation import evaluate  # noqa: E402
from trine_sw.model import Model, ModelConfig  # noqa: E402
from trine_sw.model.random_model import random_model  # noqa: E402
from trine_sw.studies import run as study_run  # noqa: E402
from trine_sw.studies import study as studies  # noqa: E402
from trine_sw.studies.catalogue import STUDIES  # noqa: E402
from trine_sw.studies.distributions import distributions  # noqa: E402
from trine_sw.studies.memory import deployed  # noqa: E402
from trine_sw.studies.report import write_report  # noqa: E402
from trine_sw.training.loop.run import Run  # noqa: E402
from trine_sw.training.models.export import export  # noqa: E402
from trine_sw.training.models.float_model import FloatLanguageModel  # noqa: E402
from trine_sw.training.models.ternary_model import TernaryLanguageModel  # noqa: E402
from trine_sw.training.nn.layers import CellOptions  # noqa: E402
from trine_sw.training.nn.recurrence import Numerics  # noqa: E402
from trine_sw.training.nn.soft_cell import Quantisers, SoftLSTM  # noqa: E402
from trine_sw.training.recipes import RECIPES  # noqa: E402

LINE = "it is the sea that you say it is , and the trees are what you say they are\n"
WORDS = len({*LINE.split(), "<eos>"})
RESULTS = Path("docs/results/hitnet")


@pytest.fixture
def small(monkeypatch, tmp_path):
    """All studies with 12 units, on a text of a few words."""
    splits = {}
    (tmp_path / "data/few").mkdir(parents=True)
    for split, text in {"train": LINE * 60, "valid": LINE * 8, "test": LINE * 5}.items():
        (tmp_path / f"data/few/{split}.txt").write_text(text, encoding="utf-8")
        file = data.TextFile(
            f"few/{split}.txt", "https://example.org", hashlib.sha256(text.encode()).hexdigest()
        )
        splits[split] = data.Part(file)
    monkeypatch.setitem(data.DATA_SETS, "few", data.DataSet(splits, words=True))
    monkeypatch.setenv("TRINE_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(studies, "_UNITS", 12)
    for known in list(studies.DATA_SETS):
        monkeypatch.delitem(studies.DATA_SETS, known)
    monkeypatch.setitem(studies.DATA_SETS, WORDS, "few")
    for name, study in STUDIES.items():
        monkeypatch.setitem(STUDIES, name, replace(study, words=WORDS, epochs=2))
    monkeypatch.setattr(Numerics, "fastest", lambda device: Numerics())  # compiling would take longest
    data._symbols.cache_clear()
    torch.set_num_threads(1)
    yield tmp_path
    data._symbols.cache_clear()


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


def only(monkeypatch, *names):
    """The ladder with these rows alone."""
    whole = STUDIES["ladder"]
    some = replace(whole, rows=lambda plain: [row for row in whole.rows(plain) if row.name in names])
    monkeypatch.setitem(STUDIES, "ladder", some)


def figures():
    """What the records of the ladder say, but for times."""
    found = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in RESULTS.glob("ladder*")}
    for record in found.values():
        for row in record["log"]:
            del row["seconds"]
    kept = ("row", "test", "valid", "log", "distributions", "cycles_per_token", "device", "numerics")
    return {name: {key: record.get(key) for key in kept} for name, record in found.items()}


def clear():
    for path in (*RESULTS.glob("ladder*"), *Path("runs/hitnet").glob("*.pt")):
        path.unlink()


shared = study_run.shared


@contextmanager
def unseen(*arguments):
    """The folder as it is offered to workers that do not see it."""
    with shared(*arguments) as offered:
        yield replace(offered, token=".shared-elsewhere")


def test_rows_on_a_cluster(small, succeeds, fails, monkeypatch):
    """What rows share is trained once, before them; the records equal those of one process."""
    distributed = pytest.importorskip("distributed")
    trained = []
    fit = Run.fit
    monkeypatch.setattr(Run, "fit", lambda run: (trained.append(run.path.name), fit(run)))
    only(monkeypatch, "float", "integers", "warm")
    # A thread of this process, which knows the small studies; the random state is of the whole process.
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp"
    ) as cluster:
        on_it = ("study", "ladder", "--cluster", cluster.scheduler_address)
        said = succeeds(*on_it)
        assert [name.split("-")[0] for name in trained] == ["float", "ternary", "ternary"]
        assert said.count(": trained") == len(set(trained)) == 3 and "integers ternary: trained" in said
        on_a_cluster = figures()
        assert len(on_a_cluster) == 3
        clear()
        with monkeypatch.context() as patch:
            patch.setattr(study_run, "shared", unseen)
            fails(*on_it, saying="does not see")
    assert not list(Path("runs/hitnet").glob("*.pt"))
    succeeds("study", "ladder")
    assert figures() == on_a_cluster


#: What a worker process runs at its start, so that it knows the small studies too.
PRELOAD = """
from trine_sw.data import Part, TextFile
from trine_sw.data import text as data
from trine_sw.studies import study as studies
from trine_sw.training.nn.recurrence import Numerics
data.DATA_SETS["few"] = data.DataSet({splits!r}, words=True)
studies.DATA_SETS.clear()
studies.DATA_SETS[{words}] = "few"
Numerics.fastest = lambda device: Numerics()
"""


@pytest.mark.nightly
def test_a_worker_killed_while_it_trains(small, succeeds, monkeypatch):
    """Two true worker processes; another goes on from its checkpoint, and all records are as ever."""
    pytest.importorskip("distributed")
    import dask

    only(monkeypatch, "float", "integers", "warm")
    study = ("study", "ladder", "--epochs", 40)
    preload = PRELOAD.format(splits=data.DATA_SETS["few"].splits, words=WORDS)
    killed = []

    def kill():
        """A worker that trains a row and has saved a checkpoint of it."""
        end = time.monotonic() + 600
        while time.monotonic() < end and not killed:
            for lock in Path("runs/hitnet").glob(".ternary-*.lock"):
                with suppress(FileNotFoundError):
                    holder = lock.read_text(encoding="utf-8").strip()
                    if holder and lock.with_name(lock.name[1 : -len(".lock")]).exists():
                        assert int(holder) != os.getpid()
                        os.kill(int(holder), signal.SIGKILL)
                        killed.append(lock.name)
                        return
            time.sleep(0.01)

    with dask.config.set({"distributed.worker.preload": [preload]}):  # pyright: ignore
        killer = threading.Thread(target=kill)
        killer.start()
        said = succeeds(*study, "--processes", 2)
        killer.join()
    assert killed and "its worker was lost, and it starts again" in said
    side_by_side = figures()
    assert len(side_by_side) == 3
    clear()
    succeeds(*study)
    assert figures() == side_by_side


def test_stages(small):
    """No model is trained by two jobs of a stage or of two stages; what it needs comes before."""
    for name in STUDIES:
        rows = STUDIES[name].at()
        made, users = [], Counter()
        for row in rows:
            users.update(paths_of(row, study_run._roles(row)))
        for stage in study_run._stages(rows, Path()):
            before = set(made)
            for row, role in stage:
                roles = study_run._roles(row)
                *needs, own = paths_of(row, roles[: roles.index(role) + 1])
                made.append(own)
                assert all(path in before for path in needs if users[path] > 1)
        assert sorted(made) == sorted(path for path, count in users.items() if count > 1)
        assert made or name != "ladder"


def paths_of(row, roles):
    return [study_run._checkpoint(Path(), study_run._of_role(row.recipe, role), role) for role in roles]
