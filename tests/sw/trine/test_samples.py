"""Inputs on which ``trine draw activity`` counts cycles: of a data set, of a file, or of the model file."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from tests.helpers.task_models import TASKS, features, task_model
from trine.samples import sample_of
from trine_sw.data.loading import source_digest
from trine_sw.data.source import HeldOut, SequenceSource
from trine_sw.fit.sample import sample_text
from trine_sw.golden import Golden
from trine_sw.golden.sequences import sequence_trits
from trine_sw.support.errors import TrineError

LENGTHS = np.random.default_rng(0).integers(1, 9, 12)


@pytest.fixture
def x():
    return features(np.random.default_rng(1), LENGTHS)


@pytest.fixture
def data(x, tmp_path):
    """A file of twelve sequences, with targets that no model has."""
    path = tmp_path / "d.npz"
    np.savez(path, x=np.concatenate(x), lengths=LENGTHS, index=np.arange(12))
    return path


def same(first, second):
    for name in ("x", "h", "starts", "heads"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


@pytest.mark.parametrize("task", TASKS)
def test_a_file_of_sequences(task, x, data):
    """Its first steps, each sequence from the zero state; targets are not needed."""
    model = task_model(task)
    total = int(LENGTHS.sum())
    for count in (1, 7, total, total + 5):
        found = sample_of(model, count, data=data)
        steps = min(count, total)
        assert found.source == f"{steps} steps of {data}"
        trits, states = [], []
        for each in sequence_trits(model, x):
            trits.append(each)
            states.append(Golden(model).run_vectors(each).h)
        np.testing.assert_array_equal(found.x, np.concatenate(trits)[:count])
        np.testing.assert_array_equal(found.h, np.concatenate(states)[:count])
        assert found.starts.nonzero()[0].tolist() == [
            start for start in np.cumsum([0, *LENGTHS[:-1]]) if start < steps
        ]


def test_what_the_model_file_says(x, tmp_path):
    """Its sample, or else the test split of its data, or else random trits; with a split, its data."""
    model = task_model("classify")
    same(sample_of(model, 9), sample_text(model, 9))
    path = tmp_path / "d.npz"
    y = np.array([f"label {n % 3}" for n in range(12)])
    np.savez(path, x=np.concatenate(x), lengths=LENGTHS, y=y, index=np.arange(12))
    source = SequenceSource(path=str(path), test=HeldOut(indices=(8, 11)))
    described = {"source": asdict(source), "digest": source_digest(source)}
    model = replace(model, data=described)
    test, train = int(LENGTHS[8:].sum()), int(LENGTHS[:8].sum())
    assert sample_of(model, 999).source == "13 steps of the model file's sample"
    assert sample_of(model, 999, split="test").source == f"{test} steps of {path}, test"
    assert sample_of(model, 999, data=path, split="train").source == f"{train} steps of {path}, train"
    bare = replace(model, sample=None)
    same(sample_of(bare, 999), sample_of(model, 999, split="test"))
    assert "random trits" in sample_of(replace(bare, data={}), 9).source


def test_a_text(model, sea, tmp_path):
    model.vocabulary = sorted(set(sea))[:8]
    model = replace(model, vocabulary=model.vocabulary)
    text = "".join(symbol for symbol in sea if symbol in model.vocabulary)
    (tmp_path / "t.txt").write_text(text, encoding="utf-8")
    same(sample_of(model, 30), sample_text(model, 30))
    found = sample_of(model, 30, data=tmp_path / "t.txt", split="train")
    assert model.embedding_weight is not None
    np.testing.assert_array_equal(found.x, model.embedding_weight[model.encode(text[:30])])
    assert found.source == f"{tmp_path / 't.txt'}, train"


def test_wrong_calls(model, data):
    classify, bare = task_model("classify"), replace(model, embedding_weight=None)
    for given, options, message in (
        (classify, {"dataset": "ptb"}, "its sequences are given by --data"),
        (classify, {"split": "test"}, "does not say where its data is"),
        (model, {"dataset": "ptb", "data": data}, "give --dataset or --data, not both"),
        (model, {"data": data}, "is no UTF-8 text"),
        (model, {"split": "valid"}, "does not say what it was trained on"),
        (bare, {"dataset": "ptb"}, "reads no text"),
    ):
        with pytest.raises(TrineError, match=message):
            sample_of(given, 5, **options)
    with pytest.raises(TrineError, match="the count must be at least 1"):
        sample_of(model, 0)
