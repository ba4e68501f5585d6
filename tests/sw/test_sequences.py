"""Batches of sequences: equal to each sequence alone, for every task, head and reduction."""

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.task_models import features, task_model
from trine_sw.golden import Golden, sequences
from trine_sw.golden.sequences import run_sequences
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError


def alone(model, x, head):
    """A sequence, step by step, with logits summed one by one in integers of Python."""
    trits = model.encoder.trits(x) if model.encoder and x.dtype.kind == "f" else x
    golden, state = Golden(model), None
    logits = []
    for step in trits:
        trace = golden.run_vectors(step[None], state)
        state = trace.state
        if head == "ternary":
            assert trace.logits is not None
            logits.append(trace.logits[0].tolist())
        else:
            weight, bias = model.host_head_weight.astype(float), model.host_head_bias.astype(float)
            logits.append((weight @ trace.u[0].astype(float) + bias).tolist())
    if model.task == "label":
        return [row.index(max(row)) for row in logits]
    reduced = (
        logits[-1] if model.reduction == "last" else [sum(column) for column in zip(*logits, strict=True)]
    )
    if model.task == "classify":
        return reduced.index(max(reduced))
    if head == "float":
        return reduced
    scales = zip(model.output_offset.tolist(), model.output_scale.tolist(), reduced, strict=True)
    return [offset + scale * logit for offset, scale, logit in scales]


CASES = [
    ("classify", "last", "ternary", "gru", 1),
    ("classify", "sum", "ternary", "lstm", 2),
    ("classify", "sum", "float", "mgu", 1),
    ("label", "last", "ternary", "lstm", 1),
    ("label", "last", "float", "gru", 2),
    ("regress", "last", "ternary", "gru", 1),
    ("regress", "sum", "ternary", "mgu", 1),
    ("regress", "last", "float", "lstm", 1),
]


@pytest.mark.parametrize("room", [1 << 26, 1 << 10])
@pytest.mark.parametrize(("task", "reduction", "head", "cell", "layers"), CASES)
def test_batches_are_the_sequences_alone(task, reduction, head, cell, layers, room, monkeypatch):
    """Also where there is room for a few steps at a time alone."""
    monkeypatch.setattr(sequences, "_ROOM", room)
    for seed, encoder in enumerate((True, False)):
        model = task_model(
            task, seed=seed, reduction=reduction, head="both", encoder=encoder, cell=cell, layers=layers
        )
        rng = np.random.default_rng(seed)
        lengths = rng.integers(1, 20, 12)
        given = features(rng, lengths) if encoder else None
        given = given or [rng.integers(-1, 2, (length, model.config.embedding)) for length in lengths]
        outputs = run_sequences(model, iter(given), head_kind=head)
        expected = [alone(model, x, head) for x in given]
        found = outputs.values if task == "regress" else outputs.classes
        assert found is not None
        assert [np.asarray(each).tolist() for each in found] == expected
        if task == "classify":
            assert outputs.logits is not None and outputs.logits.shape == (12, 3)
            assert outputs.logits.dtype == (np.int64 if head == "ternary" else np.float64)
        flat = np.concatenate([np.atleast_1d(each) for each in expected])
        assert len(np.unique(flat)) > 1  # otherwise nothing is compared


def test_trits_samples_and_features_are_one():
    model = task_model("regress")
    assert model.encoder is not None
    (x,) = features(np.random.default_rng(0), [9])
    forms = [x, x.astype(np.float32).astype(float) * 0 + x, model.encoder.samples(x), model.encoder.trits(x)]
    values = [run_sequences(model, [form]).values for form in forms]
    for other in values[1:]:
        np.testing.assert_array_equal(other, values[0])


def test_no_sequences():
    for task in ("classify", "label", "regress"):
        outputs = run_sequences(task_model(task), [])
        found = outputs.values if task == "regress" else outputs.classes
        assert found is not None and len(found) == 0


def test_one_class():
    model = task_model("classify", outputs=1)
    outputs = run_sequences(model, features(np.random.default_rng(0), [4, 1]))
    assert outputs.classes is not None and list(outputs.classes) == [0, 0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([np.zeros((3, 2)), np.zeros((0, 2))], "sequence 1: there is no step in it"),
        ([np.zeros((3, 2)), np.full((3, 2), np.nan)], "sequence 1: .*feature 0 of step 0 is nan"),
        ([np.zeros((3, 3))], r"sequence 0: features must be of shape \(T, 2\), not \(3, 3\)"),
        (
            [np.zeros((3, 7), int)],
            r"sequence 0: a sequence must be trits, integers of shape \(T, 8\), or real",
        ),
        ([np.full((3, 8), 2)], r"sequence 0: trits must be -1, 0 or \+1; features are real numbers"),
        ([np.zeros(3)], "sequence 0: features must be of shape"),
        ([["a"]], "sequence 0: a sequence must be trits"),
        ([[[1.0], [1.0, 2.0]]], "sequence 0: a sequence must be trits"),
        (np.zeros((3, 2)), r"sequences must be several arrays \(T, F\), not one of shape \(3, 2\)"),
        ("abc", "sequences must be arrays"),
        (3, "sequences must be arrays"),
    ],
)
def test_wrong_sequences(given, message):
    with pytest.raises(TrineError, match=message):
        run_sequences(task_model("classify"), given)


def test_wrong_models():
    with pytest.raises(TrineError, match="is a language model"):
        run_sequences(random_model(task_model("label").config, seed=0), [])
    with pytest.raises(TrineError, match="the model has no head"):
        run_sequences(task_model("label", head=None), [])
    with pytest.raises(TrineError, match="the model has no head 'float', but a ternary one"):
        run_sequences(task_model("label"), [], head_kind="float")
    with pytest.raises(
        TrineError, match=r"the model has no encoder: it takes trits, integers of shape \(T, 6\)"
    ):
        run_sequences(task_model("label", encoder=False), [np.zeros((2, 6))])
    model = task_model("classify")
    assert replace(model, labels=None).labels is None
