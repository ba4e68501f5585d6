"""Data of one's own, from an empty folder: train, measure, run, fit; and recipes that trine init writes."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from tests.helpers.sequence_files import random_sequences, write_archive, write_timeseries, write_wav
from trine.own_recipe import recipe_name, sequence_recipe, text_recipe
from trine_boards import BOARDS
from trine_sw.data.source import HeldOut
from trine_sw.data.text import _read
from trine_sw.fit import Placement, fits
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

TEXT = "".join(f"on day {number} the sea is {'calm' if number % 3 else 'high'}\r\n" for number in range(160))
WHOLE = Placement(embedding="board", head="board")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, without a folder of data sets."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRINE_DATA", raising=False)
    torch.set_num_threads(1)
    _read.cache_clear()
    return tmp_path


@pytest.fixture
def sea(folder):
    (folder / "the sea.txt").write_bytes(TEXT.encode())
    return "the sea.txt"


def write_windows(path):
    """Sequences of two features, whose mean says the class."""
    rng = np.random.default_rng(0)
    classes = [("up", "down")[number % 2] for number in range(24)]
    x = [rng.normal(size=(rng.integers(4, 9), 2)).astype(np.float32) + (each == "up") for each in classes]
    return write_archive(path, x, classes, subject=[f"s{number // 8}" for number in range(24)])


@pytest.mark.parametrize("symbols", ["characters", "words", "bytes"])
def test_own_text(succeeds, fails, trine, folder, sea, symbols):
    options = ("--symbols", symbols, "--hidden", 8, "--cell", "gru", "--epochs", 1, "--no-baseline")
    said = succeeds("train", "--text", sea, *options)
    assert f"nats per {symbols.removesuffix('s')}" in said
    made = {path.relative_to(folder).as_posix() for path in folder.iterdir()}
    assert made == {sea, "runs", "the-sea.trine", "the-sea-training.json", "the-sea-training.csv"}
    model = Model.load("the-sea.trine")
    assert "nats" in succeeds("eval", "the-sea.trine")
    assert "nats" in succeeds("eval", "the-sea.trine", "--split", "test")
    record = json.loads(Path("the-sea-training.json").read_text(encoding="utf-8"))
    found = json.loads(succeeds("eval", "the-sea.trine", "--json"))
    assert found["nats_per_token"] == record["ternary"]["valid_nats"] and found["dataset"] == sea
    assert "sea" in succeeds("generate", "the-sea.trine", "--prompt", "the sea", "--count", 5)
    ran = json.loads(succeeds("run", "the-sea.trine", "--text", "the sea", "--json"))
    assert ran["tokens"] == len(model.encode("the sea"))
    assert "tokens_per_s" in succeeds("fit", "the-sea.trine", "--board", "icebreaker")
    # The recipe that was made of the options gives the same model, and goes on from its checkpoints.
    again = succeeds(
        "train", "runs/the-sea/recipe.toml", "--resume", "--no-baseline", "--out", "b/again.trine"
    )
    assert "again.trine" in again and Model.load("b/again.trine").digest() == model.digest()
    # Another recipe of that name does not take its place while there are checkpoints.
    kept = Path("runs/the-sea/recipe.toml").read_bytes()
    result = trine("train", "--text", sea, "--symbols", symbols, "--hidden", 9, "--no-baseline")
    assert result.exit_code == 1 and "ternary.pt holds a run" in result.stderr
    assert Path("runs/the-sea/recipe.toml").read_bytes() == kept
    # The text is known by its digest, wherever it is.
    Path(sea).rename("moved.txt")
    fails("eval", "the-sea.trine", saying="there is no file or folder the sea.txt")
    assert json.loads(succeeds("eval", "the-sea.trine", "--data", "moved.txt", "--json"))["tokens"]
    Path(sea).write_text("another sea " * 200, encoding="utf-8")
    _read.cache_clear()
    fails("eval", "the-sea.trine", saying="the sea.txt has changed")
    fails("train", "runs/the-sea/recipe.toml", "--resume", "--no-baseline", saying="has changed")


def test_own_sequences(succeeds, folder):
    pytest.importorskip("sklearn")
    write_windows(folder / "windows.npz")
    said = succeeds("train", "--data", "windows.npz", "--hidden", 8, "--epochs", 1)
    assert "the recipe is runs/windows/recipe.toml, of 8 units" in said
    model = Model.load("windows.trine")
    assert model.task == "classify" and model.labels == ["down", "up"] and model.sample is not None
    assert "cycles" in succeeds("fit", "windows.trine", "--board", "icebreaker")
    record = json.loads(Path("windows-training.json").read_text(encoding="utf-8"))
    assert "accuracy" in json.dumps(record)
    measured = json.loads(succeeds("eval", "windows.trine", "--split", "valid", "--json"))
    assert 0 <= measured["accuracy"] <= 1
    assert "sequence 19" in succeeds("run", "windows.trine", "--data", "windows.npz")
    succeeds("train", "runs/windows/recipe.toml", "--resume", "--out", "again.trine")
    assert Model.load("again.trine").digest() == model.digest()
    # The ternary model is the same without the float one beside it.
    said = succeeds(
        "train", "runs/windows/recipe.toml", "--no-baseline", "--runs", "b", "--out", "b/windows.trine"
    )
    assert "ternary" in said and "float" not in said and not list(folder.glob("b/**/float.*"))
    assert Model.load("b/windows.trine").digest() == model.digest()
    assert list(json.loads(Path("b/windows-training.json").read_text(encoding="utf-8"))["over_seeds"]) == [
        "ternary"
    ]


@pytest.mark.nightly
def test_own_audio(succeeds, folder):
    pytest.importorskip("sklearn")
    pytest.importorskip("librosa")
    rng = np.random.default_rng(0)
    for number in range(20):
        hz = 400 if number % 2 else 1600
        samples = np.sin(2 * np.pi * hz * np.arange(800) / 8000) / 2 + rng.normal(size=800) / 50
        write_wav(folder / f"tones/{hz}_ann_{number}.wav", samples)
    names = "{label}_{speaker}_{index}"
    succeeds("train", "--audio", "tones", "--names", names, "--hidden", 8, "--epochs", 1, "--out", "a.trine")
    model = Model.load("a.trine")
    assert model.labels == ["400", "1600"] and model.front_end is not None
    assert model.front_end["sample_rate"] == 8000 and model.sample_rate == 62.5
    assert len(model.inputs or []) == 24
    assert "400" in succeeds("run", "a.trine", "--data", "tones/400_ann_1.wav")
    assert "accuracy" in succeeds("eval", "a.trine", "--data", "tones")


@pytest.mark.parametrize(
    "change, saying",
    [
        ({"y": np.zeros(8, int)}, "one class to train on, '0'"),
        ({"x": np.full((8, 3, 2), np.nan)}, "sequence 0 holds nan in step 0, feature 0"),
        ({"x": np.zeros((1, 3, 2)), "y": [0]}, "too few to hold out"),
        ({"x": np.zeros((0, 3, 2)), "y": np.zeros(0)}, "there is no sequence"),
        ({"x": np.zeros((8, 0, 2))}, "sequence 0 has no step"),
        ({"x": np.zeros((8, 3, 2))}, "too few to hold out"),  # all are equal
        ({"y": np.arange(8)}, "too few to hold out"),
        ({"x": np.array([None] * 8)}, "Python objects"),
    ],
)
def test_sequences_that_are_refused(fails, folder, change, saying):
    x = np.random.default_rng(0).normal(size=(8, 3, 2))
    np.savez("a.npz", **{"x": x, "y": np.arange(8) % 2} | change)
    fails("train", "--data", "a.npz", "--hidden", 8, saying=("a.npz", saying))
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    "text, keys, saying",
    [
        (
            "a b c " * 100 + "d",
            'symbols = "words"\nvalid = {share = 0.1}\ntest = {share = 0.1}',
            "'d' of test",
        ),
        ("ab" * 50, "valid = {share = 0.01}", "less than two symbols in valid"),
        ("ab" * 20, "valid = {share = 0.1}", "lower batch or steps of the schedule"),
        ("", "", "less than two symbols in train"),
    ],
)
def test_texts_that_are_refused(fails, folder, text, keys, saying):
    Path("a.txt").write_text(text, encoding="utf-8")
    network = "[network]\nhidden = 4\nembedding = 2\nvocab_size = 2"
    if text.startswith("a b"):
        network = network.replace("vocab_size = 2", "vocab_size = 4")
    schedule = "[schedule]\nepochs = 1\nbatch = 8\nsteps = 8"
    Path("a.toml").write_text(f'[data]\npath = "a.txt"\n{keys}\n{network}\n{schedule}\n', encoding="utf-8")
    fails("train", "a.toml", saying=saying)


def test_a_validation_of_two_symbols(succeeds, folder):
    Path("a.txt").write_text("ab" * 60, encoding="utf-8")
    tables = ('[data]\npath = "a.txt"\nvalid = {share = 0.01}', "[network]\nhidden = 4\nembedding = 2")
    Path("a.toml").write_text(
        "\n".join((*tables, "[schedule]\nepochs = 1\nbatch = 8\nsteps = 8")), encoding="utf-8"
    )
    assert "nats per character" in succeeds("train", "a.toml", "--no-baseline")
    assert json.loads(succeeds("eval", "a.trine", "--json"))["tokens"] == 1


@pytest.mark.parametrize("kind", ["text", "sequences", "audio"])
def test_a_recipe_to_start_from(succeeds, fails, folder, kind):
    succeeds("init", kind, "-o", "my.toml")
    before = Path("my.toml").read_bytes()
    fails("init", kind, "-o", "my.toml", saying="my.toml is there already")
    fails("init", kind, "-o", "my.txt", saying="must be called *.toml")
    assert Path("my.toml").read_bytes() == before
    path = tomllib.loads(before.decode())["data"]["path"]
    saying = "no file or folder" if kind != "audio" else "no file or folder recordings"
    fails("train", "my.toml", saying=saying)
    if kind == "text":
        Path(path).write_text(TEXT, encoding="utf-8")
        small = before.replace(b"hidden = 128", b"hidden = 8").replace(b"epochs = 40", b"epochs = 1")
        Path("my.toml").write_bytes(small.replace(b"steps = 64", b"steps = 16"))
        assert "my.trine" in succeeds("train", "my.toml", "--no-baseline")
        assert "nats" in succeeds("eval", "my.trine", "--split", "test")


def test_own_text_from_a_trained_model(succeeds, fails, folder, sea):
    """The start says units and arithmetic, and knows some of the text's symbols; a row of it may be dense."""
    config = ModelConfig(
        cell="gru", hidden=9, embedding=7, vocab_size=6, cell_shift=3, output_shift=1, head_levels=(0, 2, 5)
    )
    start = replace(random_model(config, seed=2, activity=0.9), vocabulary=list("sea is"[:4] + "xy"))
    start.save("start.trine")
    options = ("--text", sea, "--start", "start.trine", "--epochs", 1, "--no-baseline")
    succeeds("train", *options)
    model = Model.load("the-sea.trine")
    assert model.vocabulary is not None and set(model.vocabulary) == set(TEXT.replace("\r\n", "\n"))
    assert model.config == replace(config, vocab_size=len(model.vocabulary))
    assert model.training["start"] == start.digest().hex() and model.training["recipe"]["needs_start"]
    said = succeeds(
        "train", "runs/the-sea/recipe.toml", "--start", "start.trine", "--resume", "--no-baseline"
    )
    assert "the-sea.trine: validation" in said
    fails("train", "runs/the-sea/recipe.toml", "--runs", "others", saying="give its file with --start")
    fails("train", *options, "--hidden", 8, saying="--hidden is not for --start; the model says it")
    fails("train", "--data", "x.npz", "--start", "start.trine", saying="--start is for a text or a recipe")
    fails("train", "basic-motions", "--start", "start.trine", saying="of sequences, and takes no --start")
    fails("train", *options, "--out", "start.trine", "--runs", "others", saying="start.trine")
    assert Model.load("start.trine").digest() == start.digest()


def test_the_largest_model_that_a_board_holds(sea):
    board = BOARDS["icebreaker"]
    found = text_recipe(sea, board="icebreaker", cell="gru").config
    wary = replace(board, lut_share=0.95 * board.lut_share)  # for what synthesis finds beyond the expectation
    more = text_recipe(sea, hidden=found.hidden + 8, cell="gru").config
    model, more = (random_model(config, seed=1) for config in (found, more))
    assert fits(model, wary, WHOLE) and not fits(more, wary, WHOLE)
    larger = text_recipe(sea, hidden=found.hidden + 32, cell="gru").config
    with pytest.raises(TrineError, match=f"not expected to hold such a model of {2000} units, but"):
        text_recipe(sea, hidden=2000, board=board, cell="gru")
    assert larger.hidden == found.hidden + 32


def test_sequences_of_a_board(folder):
    write_windows(folder / "windows.npz")
    found = sequence_recipe("windows.npz", board="icebreaker")
    assert found.network.hidden >= 64 and found.task == "classify"
    assert sequence_recipe("windows.npz").network.hidden == 128


def test_the_test_of_an_archive_is_in_its_other_file(folder):
    pytest.importorskip("aeon")
    x = random_sequences(20)
    for split in ("TRAIN", "TEST"):
        write_timeseries(folder / f"small_{split}.ts", x, ["a", "b"] * 10)
    found = sequence_recipe("small_TRAIN.ts", hidden=8)
    assert found.name == "small" and found.data.test == HeldOut(path="small_TEST.ts")
    (folder / "small_TEST.ts").unlink()
    assert sequence_recipe("small_TRAIN.ts", hidden=8).data.test == HeldOut(share=0.1)


@pytest.mark.parametrize(
    "path, name",
    [
        ("a/My text.txt", "My-text"),
        ("x_TRAIN.ts", "x"),
        ("-.txt", "model"),
        ("été 1.npz", "été-1"),
        ("a.b.c", "a-b"),
    ],
)
def test_names(path, name):
    assert recipe_name(path) == name


@pytest.mark.parametrize(
    "options, saying",
    [
        ((), "give one of RECIPE, --text, --data, --audio"),
        (("shakespeare", "--text", "a.txt"), "not RECIPE and --text"),
        (("shakespeare", "--hidden", 9), "--hidden is not for a recipe; the file says it"),
        (("--text", "none.txt"), "there is no file or folder none.txt"),
        (("--text", "the sea.txt", "--task", "label"), "--task is not for --text"),
        (("--text", "the sea.txt", "--hidden", 0), "--hidden must be from 1 to 65536"),
        (("--text", "the sea.txt", "--epochs", 0), "--epochs must be"),
        (("--text", "the sea.txt", "--board", "arty"), "there is no board 'arty'"),
        (("--text", "empty.txt"), "too short to train on"),
        (("--text", "."), "cannot read ."),
        (("--data", "the sea.txt"), "neither one of .npz"),
        (("--data", "."), "--audio is for folders"),
        (("--data", "a.npz", "--symbols", "words"), "--symbols is not for --data"),
        (("--audio", "the sea.txt"), "is no folder of audio files"),
        (("--audio", "."), "no .wav or .flac file"),
        (("my.toml",), "cannot read my.toml"),
        (("--text", "the sea.txt", "--runs", "the sea.txt"), "cannot write"),
    ],
)
def test_what_is_refused(fails, folder, sea, options, saying):
    (folder / "empty.txt").touch()
    fails("train", *options, saying=saying)
    assert not (folder / "runs").exists()


def test_data_is_not_overwritten(fails, trine, folder, sea):
    data = write_windows(folder / "windows.npz")
    short = ("--hidden", 8, "--epochs", 1)
    for options, file in ((("--data", data), data), (("--text", sea), folder / sea)):
        before = file.read_bytes()
        fails("train", *options, *short, "--out", file, saying="is read here, and would be lost")
        assert file.read_bytes() == before and not (folder / "runs").exists()
    options = ("--results", ".", "--out", "windows-training.json")
    assert "two files would be written" in trine("train", "--data", data, *short, *options).stderr
    recipe = folder / "runs/windows/recipe.toml"
    fails("train", recipe, "--out", recipe, saying="is read here, and would be lost")
