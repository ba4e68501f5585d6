"""Recipes as TOML files: those that Trine has, what is read and written, and what is refused."""

import hashlib
import json
import tomllib
from dataclasses import asdict, replace

import pytest

pytest.importorskip("torch")

from tests.helpers.paths import ROOT
from trine_sw.data import OwnText
from trine_sw.data.source import FrontEnd, HeldOut, SequenceSource
from trine_sw.model import ModelConfig
from trine_sw.support.errors import TrineError
from trine_sw.training.nn.layers import CellOptions
from trine_sw.training.nn.soft_cell import Quantisers
from trine_sw.training.recipes import (
    RECIPES,
    Recipe,
    Schedule,
    language_recipe,
    parse_recipe,
    read_recipe,
    recipe,
    recipe_text,
)
from trine_sw.training.sequences.recipe import (
    Augmentation,
    EncoderOptions,
    Network,
    SequenceRecipe,
    Teacher,
)

#: SHA-256 of the fingerprints of the recipes that have trained models or may have checkpoints.
FINGERPRINTS = {
    ("shakespeare", "float"): "4cd0e59372ee5d92",
    ("shakespeare", "ternary"): "591b311e21d1cacb",
    ("shakespeare-small", "float"): "2ebc7fc083d13432",
    ("shakespeare-small", "ternary"): "532a67aef3302b6e",
    ("shakespeare-small-mgu", "float"): "b7acc0d3491b943e",
    ("shakespeare-small-mgu", "ternary"): "f35a81221a6d1490",
    ("ptb-lstm-300", "float"): "0f0d701b83c6b457",
    ("ptb-lstm-300", "teacher"): "e578776ac68e083a",
    ("ptb-lstm-300", "ternary"): "c9a01ea5959515f2",
    ("ptb-lstm-300", "head"): "ce914d6cea385f08",
    ("ptb-gru-300", "float"): "942f0381bab9d289",
    ("ptb-gru-300", "ternary"): "d467323998d560a7",
    ("ptb-gru-300", "head"): "38589448ebdc7dc7",
    ("ptb-lstm-300-taught", "float"): "b2c1cf9df620318e",
    ("ptb-lstm-300-taught", "ternary"): "1fe5f8bb8dbc5a7c",
    ("ptb-lstm-300-taught", "head"): "f97635eddb651036",
    ("ptb-gru-300-taught", "teacher"): "678b01222494fa6f",
    ("ptb-gru-300-taught", "float"): "9cf71e1e9cc52f02",
    ("ptb-gru-300-taught", "ternary"): "5f58db94cc69e652",
    ("ptb-gru-300-taught", "head"): "10641c85e46df717",
    ("ptb-lstm-300-tuned", "float"): "b2c1cf9df620318e",
    ("ptb-lstm-300-tuned", "ternary"): "fbd525baa61c593d",
    ("ptb-lstm-300-tuned", "head"): "bf9eb40d806908a5",
    ("ptb-gru-300-taught", "teacher-2"): "d82ed6eb46c28811",
    ("ptb-lstm-300-dense", "float"): "b2c1cf9df620318e",
    ("ptb-lstm-300-dense", "teacher"): "678b01222494fa6f",
    ("ptb-lstm-300-dense", "teacher-2"): "d82ed6eb46c28811",
    ("ptb-lstm-300-dense", "ternary"): "9a07e90e683270de",
    ("ptb-lstm-300-dense", "head"): "e36325077594beef",
    ("shakespeare-stacked", "float"): "d3f4e12085b78574",
    ("shakespeare-stacked", "ternary"): "6bfbea2b3a99759d",
    ("wikitext2-lstm-512", "float"): "2f8a8e8cf4f20c83",
    ("wikitext2-lstm-512", "ternary"): "a3fc8f83e1019a3e",
    ("wikitext2-lstm-512", "head"): "df6f168ca3f2acae",
}
TEMPLATES = sorted((ROOT / "sw/trine_sw/training/recipes/templates").glob("*.toml"))
TEXT = """
[data]
path = "sea.txt"
[network]
hidden = 8
embedding = 4
[schedule]
epochs = 2
"""


@pytest.fixture
def sea_file(tmp_path):
    path = tmp_path / "sea.txt"
    path.write_text("by the sea, by the beautiful sea\n" * 40, encoding="utf-8")
    return path


def refused(text, folder, saying):
    with pytest.raises(TrineError) as caught:
        parse_recipe(text, "own", folder)
    assert saying in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name, role", FINGERPRINTS)
def test_checkpoints_of_recipes_stay_theirs(name, role):
    found = RECIPES[name].fingerprint(role)
    assert hashlib.sha256(found.encode()).hexdigest()[:16] == FINGERPRINTS[name, role]


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_of_records_are_those_of_the_files(name):
    assert {role for known, role in FINGERPRINTS if known == name} == set(RECIPES[name].roles)
    assert (
        parse_recipe(recipe_text(RECIPES[name]), name) == RECIPES[name] == recipe(name) == Recipe.named(name)
    )


def test_a_file_is_found_by_its_path(tmp_path, sea_file, monkeypatch):
    (tmp_path / "my.toml").write_text(TEXT, encoding="utf-8")
    found = read_recipe(tmp_path / "my.toml")
    assert isinstance(found, Recipe) and found.name == "my" and found.config.vocab_size == 14
    assert isinstance(found.dataset, OwnText) and found.dataset.path == str(sea_file)
    assert found.dataset.digests == (hashlib.sha256(sea_file.read_bytes()).hexdigest(),)
    assert found.baseline == found.schedule == Schedule(epochs=2)
    assert recipe(str(tmp_path / "my.toml")) == recipe(tmp_path / "my.toml") == found
    monkeypatch.chdir(tmp_path)
    assert language_recipe("my.toml").fingerprint("ternary") == found.fingerprint("ternary")
    sea_file.write_text("another sea " * 40, encoding="utf-8")
    assert language_recipe("my.toml").fingerprint("ternary") != found.fingerprint("ternary")
    for name in ("none.toml", "folder/recipe"):
        with pytest.raises(TrineError, match="cannot read"):
            recipe(name)


def test_whatever_a_recipe_has_can_be_written_and_read(sea_file):
    own = OwnText(path=str(sea_file), symbols="words", most_frequent=50, test=HeldOut(share=0.1)).pinned()
    config = ModelConfig(hidden=8, embedding=4, vocab_size=9, cell="gru", cell_shift=3)
    schedule = Schedule(epochs=3, learning_rate=1e-4)
    text = Recipe(
        name="own",
        dataset=own,
        config=config,
        schedule=schedule,
        baseline=replace(schedule, epochs=1),
        options=CellOptions(scale="norm", harden=(0.1, 0.5)),
        teaching=schedule,
        keep_float_head=False,
    )
    data = SequenceSource(
        path='a "quoted"\\folder\x7f é\n',
        names="{label}_{speaker}_{index}",
        front_end=FrontEnd(kind="mfcc", high_hz=3500.0),
        valid=HeldOut(share=0.2, whole_groups=True),
        test=HeldOut(indices=(0, 4)),
    )
    sequences = SequenceRecipe(
        name="own",
        task="classify",
        data=data,
        options=CellOptions(),
        augmentation=Augmentation(noise=0.25),
        teacher=Teacher(hidden=9),
        seeds=(1, 2, 3),
    )
    for each in (text, sequences):
        again = parse_recipe(recipe_text(each), "another")
        assert again == each
        assert json.dumps(asdict(again)) == json.dumps(asdict(each))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_templates_say_nothing_unknown(path, sea_file):
    text = path.read_text(encoding="utf-8").replace("my.txt", str(sea_file))
    found = parse_recipe(text, "own")
    assert isinstance(found, Recipe if path.stem == "text" else SequenceRecipe)
    if isinstance(found, Recipe):
        assert found.config.vocab_size == 14
    # What is commented out is right too.
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    keys = [line for line in lines if line.partition(" = ")[0].isidentifier() or line.startswith("[")]
    parse_recipe("\n".join(keys), "own")
    assert {line.partition(" = ")[0] for line in keys} >= set(tomllib.loads(text)) - {"data"} - {
        name for name, value in tomllib.loads(text).items() if isinstance(value, dict)
    }


@pytest.mark.parametrize(
    "old, new, saying",
    [
        ("[data]", "[data", "this is no TOML"),
        ("[schedule]", "[shedule]", "unknown key shedule; did you mean schedule?"),
        ("hidden = 8", "hiden = 8", "unknown key network.hiden; did you mean network.hidden?"),
        ("hidden = 8", "hidden = 8\ncell = 'gruu'", "network: cell must be one of"),
        ("hidden = 8", "hidden = '8'", "network.hidden must be an integer, not '8'"),
        ("hidden = 8", "hidden = true", "network.hidden must be an integer"),
        ("hidden = 8", "hidden = 0", "network: hidden must be"),
        ("hidden = 8\n", "", "the key network.hidden is missing"),
        ("epochs = 2", "", "the key schedule.epochs is missing"),
        ("epochs = 2", "epochs = 2\ndecay = 'cosin'", "did you mean 'cosine'?"),
        ("epochs = 2", "epochs = 2\nlearning_rate = 'fast'", "schedule.learning_rate must be a number"),
        ("epochs = 2", "epochs = 2\n[options]\nharden = [0.1]", "options.harden must be a list of 2"),
        ("path =", "pathh =", "unknown key data.pathh; did you mean data.path?"),
        ('path = "sea.txt"', 'path = "none.txt"', "there is no file or folder none.txt"),
        ('path = "sea.txt"', 'path = "sea.txt"\nsymbols = "word"', "did you mean 'words'?"),
        ('path = "sea.txt"', 'path = "sea.txt"\nvalid = 0.1', "data.valid must be a table"),
        ('path = "sea.txt"', 'set = "shakespeare"\npath = "sea.txt"', "no other keys beside it"),
        ('path = "sea.txt"', 'path = "sea.txt"\n[data.valid]\nshare = 2', "data.valid: share must be"),
        ("[data]", 'task = "speak"\n[data]', "task must be one of"),
        ("[data]", 'name = "a/b"\n[data]', "name must be of letters"),
        ("[data]", "seed = [1]\n[data]", "seed must be an integer"),
        ("[data]", 'task = "classify"\n[data]', "unknown key network.embedding; there are"),
        ("[data]", "data = 3\n[dat]", "unknown key dat; did you mean data?"),
    ],
)
def test_files_that_are_refused(sea_file, old, new, saying):
    assert old in TEXT
    refused(TEXT.replace(old, new), sea_file.parent, saying)


def test_a_recipe_of_the_wrong_kind(tmp_path):
    text = 'task = "classify"\n[data]\npath = "a.npz"\n'
    (tmp_path / "a.toml").write_text(text, encoding="utf-8")
    with pytest.raises(TrineError, match="is a recipe of a model of sequences"):
        language_recipe(tmp_path / "a.toml")
    (tmp_path / "a.toml").write_bytes(b"\xff")
    with pytest.raises(TrineError, match="no UTF-8"):
        recipe(tmp_path / "a.toml")


@pytest.mark.parametrize("name", ["batch", "steps", "learning_rate", "clip", "epochs"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "x", True, 1 << 62])
def test_schedules_out_of_range(name, value):
    if value == 1 << 62 and name in ("learning_rate", "clip"):
        return  # a large number is one
    with pytest.raises(TrineError, match=f"^{name} must be"):
        Schedule(**{"epochs": 1, name: value})


@pytest.mark.parametrize(
    "made, changes",
    [
        (Schedule(epochs=1), {"warmup": -1}),
        (Schedule(epochs=1), {"dropout": 1.5}),
        (Schedule(epochs=1), {"head_dropout": float("nan")}),
        (Schedule(epochs=1), {"head_rate": -1.0}),
        (Schedule(epochs=1), {"optimizer": "adagrad"}),
        (Schedule(epochs=1), {"sampled": 0.5}),
        (RECIPES["shakespeare"], {"seed": -1}),
        (RECIPES["shakespeare"], {"distil": 2.0}),
        (RECIPES["shakespeare"], {"embedding_factor": 0.0}),
        (RECIPES["shakespeare"], {"activity_cost": float("nan")}),
        (RECIPES["shakespeare"], {"teacher_hidden": 1 << 20}),
        (Network(), {"hidden": 0}),
        (Network(), {"layers": 17}),
        (Network(), {"cell_max": 0}),
        (Network(), {"cell_max": 3, "cell_shift": 3}),
        (Network(), {"head_levels": (1, 2)}),
        (Network(), {"cell": "rnn"}),
        (Teacher(), {"layers": 0}),
        (Teacher(), {"cell": "rnn"}),
        (Teacher(), {"temperature": 1e-300}),
        (EncoderOptions(), {"rate": float("nan")}),
        (Quantisers(), {"slope": 0.0}),
    ],
)
def test_what_is_out_of_range_is_refused_before_any_training(made, changes):
    with pytest.raises(TrineError) as caught:
        replace(made, **changes)
    assert "\n" not in str(caught.value)


def test_what_is_no_recipe():
    for wrong in (None, 5, b"my.toml"):
        with pytest.raises(TrineError, match="a recipe is a Recipe, a name or the path"):
            recipe(wrong)  # type: ignore[arg-type]


def test_a_recipe_is_named_after_any_file(tmp_path):
    (tmp_path / "sea.txt").write_text("the sea is calm\n" * 200, encoding="utf-8")
    for file, name in (("m\u00f6 r.toml", "m\u00f6-r"), ("--x y.toml", "x-y"), ("(.toml", "recipe")):
        (tmp_path / file).write_text(TEXT, encoding="utf-8")
        assert read_recipe(tmp_path / file).name == name
