"""The command train: what it writes, what an interruption costs, and what it refuses."""

import json
import os
import re
import signal
from dataclasses import replace

import pytest

from trine_sw.data import text as data
from trine_sw.model import Model, ModelConfig
from trine_sw.support.file_lock import exclusive
from trine_sw.training.recipes import RECIPES, Recipe, Schedule

NO_TORCH = "import sys; sys.modules['torch'] = None"


def test_only_training_needs_torch(process, model_path):
    for arguments, status, words in (
        (["train", "shakespeare"], 1, "Error: training needs torch, which is missing: pip install"),
        (["info", model_path], 0, ""),
        (["run", model_path, "--text", "!"], 0, ""),
        (["generate", model_path, "--prompt", "!"], 0, ""),
        (["fit", model_path, "--board", "ulx3s"], 0, ""),
    ):
        ended = process(*arguments, first=NO_TORCH)
        _, said = ended.communicate(timeout=300)
        assert ended.returncode == status and said.startswith(words) and said.count("\n") == status, said


torch = pytest.importorskip("torch")

from trine_sw.training.loop.run import Run  # noqa: E402


@pytest.fixture(autouse=True)
def tiny(sea, monkeypatch):
    """A recipe "tiny" on the data set "sea"."""
    config = ModelConfig(hidden=8, embedding=6, vocab_size=len(set(sea)), head_levels=(0, 1, 2))
    schedule = Schedule(epochs=2, batch=8, steps=16, warmup=5)
    recipe = Recipe(
        name="tiny", dataset="sea", config=config, schedule=schedule, baseline=schedule, distil=0.0
    )
    monkeypatch.setitem(RECIPES, "tiny", recipe)
    torch.set_num_threads(1)
    return recipe


def interrupt(monkeypatch, number, method, kind, epoch, update):
    """A signal while that update is made or, of other methods, the epoch is ended or all is saved."""
    original = getattr(Run, method)

    def step(run, *arguments):
        if (run.role, run.epoch) == (kind, epoch) and update in (run.update, None):
            os.kill(os.getpid(), number)
        return original(run, *arguments)

    monkeypatch.setattr(Run, method, step)


def figures(path):
    """A record without what may differ: times and where it was made."""
    text = re.sub(r'"seconds": [\d.]+', "", path.read_text(encoding="utf-8"))
    return re.sub(r'"code_version": "[^"]*"', "", text)


@pytest.mark.parametrize(
    ("number", "method", "kind", "epoch", "update"),
    [
        (signal.SIGTERM, "_step", "ternary", 1, 3),
        (signal.SIGINT, "_step", "float", 1, 3),
        (signal.SIGTERM, "save", "ternary", 1, 0),
        (signal.SIGHUP, "_end_epoch", "float", 1, None),  # the last one
    ],
)
def test_interrupted_and_resumed_equals_uninterrupted(
    succeeds, trine, tiny, tmp_path, monkeypatch, number, method, kind, epoch, update
):
    """Whatever signal it was and whenever it came: the model and the record are the same to the last bit."""
    monkeypatch.setitem(RECIPES, "tiny", replace(tiny, distil=0.5))
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "whole")
    assert "nats per character" in succeeds("train", "tiny")
    monkeypatch.chdir(tmp_path / "cut")
    with monkeypatch.context() as patch:
        interrupt(patch, number, method, kind, epoch, update)
        result = trine("train", "tiny")
    assert result.exit_code == 128 + number
    assert f"Error: interrupted; runs/tiny/{kind}.pt is saved, go on with --resume" in result.stderr
    assert not (tmp_path / "cut/tiny.trine").exists()
    succeeds("train", "tiny", "--resume")

    models = [Model.load(tmp_path / name / "tiny.trine") for name in ("whole", "cut")]
    assert models[0].digest() == models[1].digest()
    records = [figures(tmp_path / name / "tiny-training.json") for name in ("whole", "cut")]
    assert records[0] == records[1]
    record = json.loads((tmp_path / "whole/tiny-training.json").read_text(encoding="utf-8"))
    assert models[0].training == record and record["float"]["valid_nats"] > 0


def test_baseline_can_be_left_out(succeeds, tmp_path):
    succeeds("train", "tiny", "--no-baseline", "--out", "tiny.trine")
    assert "float" not in Model.load("tiny.trine").training
    assert not (tmp_path / "runs/tiny/float.pt").exists()


def test_checkpoint_of_another_recipe(fails, succeeds, tiny, tmp_path, monkeypatch):
    succeeds("train", "tiny", "--no-baseline")
    checkpoint, model = tmp_path / "runs/tiny/ternary.pt", tmp_path / "tiny.trine"
    before = checkpoint.read_bytes(), model.read_bytes()
    monkeypatch.setitem(RECIPES, "tiny", replace(tiny, seed=2))
    resume = ("train", "tiny", "--no-baseline", "--resume")
    fails(*resume, saying=("ternary.pt was made with another recipe", "remove it to train anew"))
    assert (checkpoint.read_bytes(), model.read_bytes()) == before
    checkpoint.write_bytes(before[0][:1000])
    fails(*resume, saying="is no whole checkpoint")
    torch.save({"epoch": 1}, checkpoint)
    fails(*resume, saying="is no checkpoint of a training run")
    checkpoint.write_bytes(b"to be or not to be")
    fails(*resume, saying="is no whole checkpoint")


def test_two_trainings_in_one_folder(fails, succeeds, tmp_path):
    with exclusive(tmp_path / "runs/tiny/.lock", "it"):
        for options in ((), ("--resume",)):
            said = f"the folder runs/tiny is in use by process {os.getpid()}"
            fails("train", "tiny", "--no-baseline", *options, saying=said)
    (tmp_path / "runs/tiny").mkdir(exist_ok=True)
    (tmp_path / "runs/tiny/.lock").write_text("1\n", encoding="utf-8")  # of a process that was killed
    succeeds("train", "tiny", "--no-baseline")
    assert not (tmp_path / "runs/tiny/.lock").exists()


@pytest.mark.parametrize(
    "place",
    ["tiny.trine", "tiny-training.json", "tiny-training.csv"]
    + ["runs/tiny/ternary.pt", "runs/tiny/ternary.csv", "runs", "runs/tiny/tensorboard"],
)
def test_what_train_writes_is_looked_at_first(fails, tmp_path, monkeypatch, place):
    """A folder where a file is to be, and a full device instead of either."""
    monkeypatch.setattr(Run, "fit", None)
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to("/dev/full")
    resume = ("--resume",) if place == "runs/tiny/ternary.pt" else ()
    fails("train", "tiny", "--no-baseline", *resume, saying=("cannot write", path.name))
    path.unlink()
    if "." in path.name:
        path.mkdir()
        fails("train", "tiny", "--no-baseline", *resume, saying=("cannot write", path.name, "it is a folder"))


def test_what_train_refuses(fails, tmp_path, monkeypatch):
    fails("train", "sonnets", saying=("'sonnets' is no recipe", "shakespeare"))
    fails("train", "tiny", "--threads", 0, saying="--threads must be from 1 to 1024, not 0")
    monkeypatch.setattr(Run, "fit", None)  # none of these comes as far as that
    fails("train", "tiny", "--out", tmp_path, saying="it is a folder")
    (tmp_path / "file").touch()
    fails("train", "tiny", "--out", tmp_path / "file" / "tiny.trine", saying="it is no folder")


def test_loss_that_is_no_number(trine, tiny, tmp_path, monkeypatch):
    """It says when; the checkpoint of the last whole epoch stays, and the log with it."""
    original = Run._end_epoch

    def spoil(run):
        original(run)
        with torch.no_grad():
            run.model.head_bias[0] = float("nan")

    monkeypatch.setattr(Run, "_end_epoch", spoil)
    result = trine("train", "tiny", "--no-baseline")
    assert result.exit_code == 1 and result.stderr.count("\n") == 1
    assert "Error: the loss is no number after epoch 1, update 0; the last checkpoint" in result.stderr
    kept = torch.load(tmp_path / "runs/tiny/ternary.pt", weights_only=True)
    assert kept["epoch"] == 1 and kept["model"]["head_bias"].isfinite().all()
    assert (tmp_path / "runs/tiny/ternary.csv").read_text(encoding="utf-8").count("\n") == 2
    assert not (tmp_path / "tiny.trine").exists()


def test_data_that_is_missing_or_altered(fails, tmp_path, monkeypatch):
    path = tmp_path / "data/sea/input.txt"
    path.write_text(path.read_text(encoding="utf-8") + ".", encoding="utf-8")
    data._read.cache_clear()
    fails("train", "tiny", saying=("input.txt is not the text of sea", "Remove the file"))
    path.unlink()
    data._read.cache_clear()

    def refuse(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    fails("train", "tiny", saying=("the text of sea is not here", "set TRINE_DATA"))
    assert not (tmp_path / "runs").exists()


def test_full_disk_keeps_the_checkpoint(trine, succeeds, tmp_path, monkeypatch):
    """The disk fills up at the end of the second epoch; with room again, --resume goes on."""
    original, log = os.fsync, tmp_path / "runs/tiny/ternary.csv"

    def full(number):
        if log.exists():  # the checkpoint and the log of the first epoch are written
            raise OSError(28, "No space left on device")
        original(number)

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        result = trine("train", "tiny", "--no-baseline")
    assert result.exit_code == 1 and "ternary.pt: No space left on device" in result.stderr
    assert sorted(path.name for path in (tmp_path / "runs/tiny").iterdir()) == [
        "tensorboard",
        "ternary.csv",
        "ternary.pt",
    ]
    assert (tmp_path / "runs/tiny/ternary.csv").read_text(encoding="utf-8").count("\n") == 2
    shown = succeeds("train", "tiny", "--no-baseline", "--resume")
    assert "epoch 2" in shown and "epoch 1:" not in shown
