"""Commands for models of sequences: run, eval, info, fit, verilog, draw and generate."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

import trine as api
from tests.helpers.task_models import TASKS, features, task_model
from trine_sw.data.figures import figures_of
from trine_sw.data.loading import source_digest
from trine_sw.data.source import HeldOut, SequenceSource
from trine_sw.golden.sequences import run_sequences

LENGTHS = np.random.default_rng(0).integers(1, 9, 12)


@pytest.fixture
def x():
    return [each.astype(np.float32) for each in features(np.random.default_rng(1), LENGTHS)]


def save(path, x, **more):
    np.savez(path, x=np.concatenate(x), lengths=np.array([len(each) for each in x]), **more)
    return path


def targets(task, count, steps):
    rng = np.random.default_rng(2)
    if task == "regress":
        return rng.normal(size=(count, 3))
    return np.array([f"label {number}" for number in rng.integers(0, 3, steps if task == "label" else count)])


@pytest.mark.parametrize("task", TASKS)
def test_run_and_eval_say_the_same(succeeds, x, tmp_path, task):
    for head in ("ternary", "float"):
        model = task_model(task, head=head, reduction="last" if task == "label" else "sum")
        path = tmp_path / "m.trine"
        model.save(path)
        y = targets(task, len(x), int(LENGTHS.sum()))
        data = save(tmp_path / "d.npz", x, y=y)
        outputs = run_sequences(model, x)
        found = outputs.values if task == "regress" else outputs.classes
        assert found is not None
        wanted = y if task == "regress" else np.array([int(each[-1]) for each in y])
        if task == "label":
            wanted = np.split(wanted, np.cumsum(LENGTHS)[:-1])
        figures = figures_of(task, wanted, found) | {"sequences": 12, "steps": int(LENGTHS.sum())}
        assert api.evaluate(path, data) == figures
        for backend in ("golden", f"golden:{path}"):
            options = ("--data", data, "--backend", backend, "--json")
            told = json.loads(succeeds("eval", path, *options))
            assert {name: told[name] for name in figures} == figures
            assert told["head_kind"] == head and told["split"] == "all"
            told = json.loads(succeeds("run", path, *options, "--trace", tmp_path / "t.npz"))
            assert {name: told[name] for name in figures} == figures
            names = [each["output"] for each in told["outputs"]]
            if task == "regress":
                assert [list(each.values()) for each in names] == found.tolist()
            elif task == "label":
                assert names == [[f"label {number}" for number in each] for each in found]
            else:
                assert names == [f"label {number}" for number in found]
            with np.load(tmp_path / "t.npz") as trace:
                assert trace["lengths"].tolist() == LENGTHS.tolist()
                assert ("h" in trace) == ("cycles" in trace) == (backend == "golden")
    text = succeeds("run", path, "--data", save(tmp_path / "bare.npz", x))
    assert "accuracy" not in text and "mae" not in text and "sequence 11" in text


def test_eval_finds_the_data_again(succeeds, fails, x, tmp_path):
    data = save(tmp_path / "d.npz", x, y=targets("classify", 12, 0), index=np.arange(12))
    source = SequenceSource(path=str(data), test=HeldOut(indices=(8, 11)))
    described = {"source": asdict(source), "digest": source_digest(source)}
    path = tmp_path / "m.trine"
    replace(task_model("classify"), data=described).save(path)
    told = json.loads(succeeds("eval", path, "--json"))
    assert (told["sequences"], told["split"], told["data"]) == (4, "test", str(data))
    assert json.loads(succeeds("eval", path, "--split", "train", "--json"))["sequences"] == 8
    assert json.loads(succeeds("eval", path, "--data", data, "--json"))["sequences"] == 12
    assert json.loads(succeeds("eval", path, "--data", data, "--split", "train", "--json"))["sequences"] == 8
    assert json.loads(succeeds("eval", path, "--limit", 2, "--json"))["sequences"] == 2
    assert api.evaluate(path, split="train", limit=3)["sequences"] == 3
    assert "4 " in succeeds("eval", path)
    fails("eval", path, "--split", "odd", saying="there is no split 'odd'; there are: train, test")
    fails("eval", path, "--limit", 0, saying="the limit must be at least 1")
    save(data, x, y=targets("classify", 12, 1), index=np.arange(12), more=np.zeros(12))
    fails("eval", path, saying="is not what the model was trained on")


def test_wrong_calls(fails, x, tmp_path, model_path):
    path, bare = tmp_path / "m.trine", save(tmp_path / "bare.npz", x)
    task_model("classify").save(path)
    fails(
        "run", path, "--tokens", bare, saying="the model's task is 'classify': give its sequences by --data"
    )
    fails("run", model_path, "--data", bare, saying="the model is a language model")
    fails("run", path, "--data", tmp_path / "none.npz", saying="there is no file or folder")
    fails("run", path, "--data", bare, "--head-kind", "float", saying="the model has no head 'float'")
    fails("run", path, "--data", bare, "--waves", tmp_path / "w.vcd", saying="only a simulator has waveforms")
    fails("eval", path, "--data", bare, saying="it has no array y")
    fails("eval", path, "--dataset", "ptb", saying="its sequences are given by --data")
    fails("eval", path, saying="the model file does not say where its data is: give a file, by --data")
    fails("eval", model_path, "--data", bare, saying="is no UTF-8 text")
    fails("eval", model_path, saying="the model file does not say what it was trained on: give --dataset or")
    fails("eval", path, "--data", bare, "--lanes", 3, saying="are for an engine in a simulator")
    fails("generate", path, "--prompt", "a", saying="the model's task is 'classify': it writes no text")
    fails("draw", "activity", path, "--dataset", "ptb", "-o", tmp_path / "a.svg", saying="given by --data")
    wide = save(tmp_path / "wide.npz", [np.zeros((2, 3), np.float32)])
    fails("run", path, "--data", wide, saying="its sequences have 3 features, and the model takes 2")
    plain = tmp_path / "plain.trine"
    task_model("classify", encoder=False).save(plain)
    fails("run", plain, "--data", bare, saying="sequence 0 has numbers that are no trits")
    with pytest.raises(api.TrineError, match="a language model is measured on a text: give it"):
        api.evaluate(model_path)
    with pytest.raises(api.TrineError, match="the data must be a file or folder of sequences"):
        api.evaluate(path, 3)


def test_trits_in_a_file_are_trits(succeeds, tmp_path):
    model = task_model("classify", encoder=False)
    model.save(tmp_path / "m.trine")
    given = [np.random.default_rng(4).integers(-1, 2, (5, 6)) for _ in range(7)]
    told = json.loads(
        succeeds("run", tmp_path / "m.trine", "--data", save(tmp_path / "d.npz", given), "--json")
    )
    classes = run_sequences(model, given).classes
    assert classes is not None
    assert [each["output"] for each in told["outputs"]] == [f"label {number}" for number in classes]


def test_what_is_in_the_file(succeeds, tmp_path):
    task_model("regress").save(tmp_path / "m.trine")
    told = json.loads(succeeds("info", tmp_path / "m.trine", "--json"))
    expected = {
        "task": "regress",
        "reduction": "last",
        "features": 2,
        "differences": True,
        "sample_rate": 62.5,
    }
    assert {name: told[name] for name in expected} == expected
    assert told["inputs"] == ["left [m/s^2]", "right"] and told["labels"] == [f"label {n}" for n in range(3)]
    assert told["sample"] == "3 sequences, 13 steps" and told["data"]["files"] == "test.npz"
    assert "left [m/s^2]" in succeeds("info", tmp_path / "m.trine")


def test_commands_of_hardware(succeeds, fails, tmp_path):
    path = tmp_path / "m.trine"
    task_model("classify").save(path)
    board = (path, "--board", "icebreaker")
    told = json.loads(succeeds("fit", *board, "--json"))
    assert told["counted_on"] == "13 steps of the model file's sample"
    assert (told["embedding"], told["head"]) == ("host", "board")
    assert json.loads(succeeds("fit", *board, "--head", "host", "--json"))["head"] == "host"
    fails("fit", *board, "--embedding", "board", saying="the model has no embedding, so the board cannot")
    bare = tmp_path / "bare.trine"
    replace(task_model("classify", head=None, encoder=False), sample=None).save(bare)
    told = json.loads(succeeds("fit", bare, "--board", "ulx3s", "--activity", 0.2, "--json"))
    assert told["counted_on"] == "400 steps of random trits, 20% of them active"
    fails("fit", bare, "--board", "ulx3s", "--activity", 2, saying="the activity must be from 0 to 1")
    for model in (path, bare):
        succeeds("verilog", model, "--lanes", 36, "--banks", 2, "-o", tmp_path / "v")
        assert "module trine_core" in (tmp_path / "v" / "trine_core.v").read_text(encoding="utf-8")
    pytest.importorskip("matplotlib")
    succeeds("draw", "activity", path, "-o", tmp_path / "a.svg")
    assert "13 steps of the model file" in (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_build_and_its_report(succeeds, fails, tools, tmp_path, monkeypatch):
    """The command in the report is the one that repeats it, and its netlist is of the same digest."""
    monkeypatch.chdir(tmp_path)
    task_model("classify").save("m.trine")
    options = ("--board", "ulx3s", "--lanes", 32, "--banks", 2, "--head", "host", "--no-check")
    told = json.loads(succeeds("build", "m.trine", *options, "-o", "out", "--results", "results", "--json"))
    assert told["text"] == "13 steps of the model file's sample" and "--head host" in told["command"]
    states = json.loads(succeeds("reports", "results", "--json"))["reports"]
    assert [state["stale"] for state in states] == [False]
    assert "13 steps of the model file's sample" in (tmp_path / "results/ulx3s-m.md").read_text(
        encoding="utf-8"
    )


ODD = {
    "objects": dict(x=np.array([[1], [1, 2]], dtype=object)),
    "text": dict(x=np.array([["a", "b"]])),
    "negative lengths": dict(x=np.zeros((3, 2)), lengths=np.array([-1, 4])),
    "lengths that overflow": dict(x=np.zeros((3, 2)), lengths=np.full(4, 2**62)),
    "one number": dict(x=np.float64(3)),
    "one length": dict(x=np.zeros((3, 2)), lengths=np.int64(3)),
    "four dimensions": dict(x=np.zeros((1, 2, 3, 2))),
    "complex": dict(x=np.zeros((1, 2, 2), complex)),
    "beyond float32": dict(x=np.full((2, 3, 2), 1e300)),
    "no sequence": dict(x=np.zeros((0, 3, 2))),
    "no step": dict(x=np.zeros((2, 0, 2))),
    "no feature": dict(x=np.zeros((2, 3, 0))),
    "another class": dict(x=np.zeros((2, 3, 2)), y=np.array(["label 1", "x"])),
    "targets too many": dict(x=np.zeros((2, 3, 2)), y=np.zeros(5)),
    "targets of no number": dict(x=np.zeros((2, 3, 2)), y=np.array([np.nan, 1])),
    "nothing": {},
}


@pytest.mark.parametrize("name", ODD)
def test_odd_files_are_refused_in_one_line(fails, tmp_path, name):
    np.savez(tmp_path / "odd.npz", **ODD[name])
    for task in TASKS:
        task_model(task, encoder=task != "label").save(tmp_path / "m.trine")
        for command in ("run", "eval"):
            fails(command, tmp_path / "m.trine", "--data", tmp_path / "odd.npz", saying="odd.npz: ")


@pytest.mark.parametrize("kind", ["bool", "int8", "int16", "uint64", "float16"])
def test_numbers_of_any_type_in_a_file_are_features(succeeds, tmp_path, kind):
    """A file's integers are neither samples nor trits, as those of an array in a program are."""
    model = task_model("classify")
    model.save(tmp_path / "m.trine")
    x = np.ones((3, 4, 2), kind)
    np.savez(tmp_path / "d.npz", x=x)
    told = json.loads(succeeds("run", tmp_path / "m.trine", "--data", tmp_path / "d.npz", "--json"))
    classes = run_sequences(model, x.astype(float)).classes
    assert classes is not None
    assert [each["output"] for each in told["outputs"]] == [f"label {number}" for number in classes]
