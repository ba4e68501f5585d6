"""Checkpoints that are damaged, another's or hostile: one clear error, and nothing in them is executed."""

import copy
import io
import os
import pickle
import signal
import zipfile
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.helpers.small_recipe import small_recipe  # noqa: E402
from trine_sw.support.errors import TrineError  # noqa: E402
from trine_sw.training.loop.checkpoint import load_checkpoint  # noqa: E402
from trine_sw.training.loop.run import Run  # noqa: E402


@pytest.fixture
def recipe(sea, monkeypatch):
    return small_recipe(sea, monkeypatch)


@pytest.fixture
def kept(recipe, tmp_path):
    """The checkpoint of a run that was interrupted in its second epoch."""
    run, made = Run(recipe, "float", tmp_path / "run.pt"), 0
    original = run._step

    def step(*arguments):
        nonlocal made
        made += 1
        if made == run.updates + 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(*arguments)

    run._step = step
    with pytest.raises(TrineError, match="interrupted"):
        run.fit()
    assert (run.epoch, run.update) == (1, 3)
    return run.path


class Bomb:
    """Pickled, it makes a file where it is loaded by a careless program."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def refused(recipe, path, *words):
    with pytest.raises(TrineError) as caught:
        Run(recipe, "float", path).resume()
    said = str(caught.value)
    assert "\n" not in said and len(said) < 500 and "remove it" in said.lower()
    for advice in ("weights_only", "trust", "torch.load", "safe_globals", "pickle"):
        assert advice not in said
    assert all(word in said for word in words), said


def test_what_is_no_checkpoint(recipe, kept, tmp_path):
    whole, bomb = kept.read_bytes(), tmp_path / "bomb"
    content = torch.load(kept, weights_only=True)
    for data in (
        *(b"", b"\0", b"to be", b"PK\x03\x04", b"PK\x05\x06" + b"\0" * 18, b"\x80\x02.", b"\x80\x04N."),
        *(whole[:size] for size in (1, 100, 1000, len(whole) // 2, len(whole) - 1)),
        *(pickle.dumps(Bomb(bomb), protocol) for protocol in (0, 2, 5)),
        *(pickle.dumps(content["log"]), b'{"recipe": "x"}'),
    ):
        kept.write_bytes(data)
        refused(recipe, kept, "is no ")
    hidden = [{"recipe": Bomb(bomb)}, content | {"log": Bomb(bomb)}]
    for saved in (Bomb(bomb), *hidden, recipe, torch.nn.Linear(1, 1)):
        torch.save(saved, kept)
        refused(recipe, kept, "is no whole checkpoint: it is truncated or altered, or another program's")
        torch.save(saved, kept, _use_new_zipfile_serialization=False)
        refused(recipe, kept, "is no whole checkpoint")
    for saved in (None, 1, "x", [], {}, {"epoch": 1}, {"recipe": None}, torch.zeros(3), content["model"]):
        torch.save(saved, kept)
        refused(recipe, kept, "is no checkpoint of a training run")
    torch.save(content | {"recipe": "{}"}, kept)
    refused(recipe, kept, "was made with another recipe")
    assert not bomb.exists()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps(Bomb(bomb), 2))
        file.writestr("archive/version", "3\n")
    kept.write_bytes(archive.getvalue())
    refused(recipe, kept, "is no whole checkpoint")
    assert not bomb.exists()
    for place in (tmp_path, Path("/dev/zero")):
        with pytest.raises(TrineError, match="cannot read"):
            load_checkpoint(place, "x")


def altered(value, rng):
    """The content with one part of it, at any depth, replaced, dropped, added to, or of another type."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        name = list(value)[rng.integers(len(value))]
        made = dict(value)
        if rng.random() < 0.15:
            del made[name]
        elif rng.random() < 0.15:
            made[f"{name}x"] = made[name]
        else:
            made[name] = altered(made[name], rng)
        return made
    if isinstance(value, list | tuple) and value and rng.random() < 0.7:
        place = rng.integers(len(value))
        return type(value)([*value[:place], altered(value[place], rng), *value[place + 1 :]])
    if isinstance(value, torch.Tensor) and rng.random() < 0.8:
        cut = value[:-1] if value.ndim else value[None]
        return (cut, value.double(), value.bool(), value.flatten()[:0])[rng.integers(4)]
    others = (None, -1, 10**6, 1.5, float("nan"), "x", [], {}, (1, 2), torch.zeros(2), [{}], True)
    return copy.copy(others[rng.integers(len(others))])


def same(a, b):
    """Whether two contents are equal, tensors included."""
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def test_altered_content_of_the_right_recipe(recipe, kept):
    """A run that takes it up goes on to its end; what it refuses leaves one error."""
    rng, content, refusals = np.random.default_rng(5), torch.load(kept, weights_only=True), 0
    names = [name for name in content if name != "recipe"]
    run = Run(recipe, "float", kept)
    for number in range(150):
        name = names[number % len(names)]
        made = content | {name: altered(content[name], rng)}
        torch.save(made, kept)
        try:
            run.resume()
        except TrineError as error:
            assert "remove it" in str(error) and "\n" not in str(error)
            refusals += 1
            continue
        inputs, targets = run.epoch_tokens()
        run._step(inputs[:16], targets[:16])
    assert refusals > 75
    torch.save(content, kept)
    run.resume()
    run.save()
    again = torch.load(kept, weights_only=True)
    assert all(same(content[name], again[name]) for name in names)
