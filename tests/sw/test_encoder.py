"""The encoder: real features to trits, against one number at a time in Python's own arithmetic."""

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.task_models import features, random_encoder
from trine_sw.model import Encoder
from trine_sw.support.errors import TrineError


def transcription(encoder, x):
    """The definition, with integers and floats of Python."""
    rows, before = [], None
    for step in x.tolist():
        samples = []
        for value, offset, scale in zip(step, encoder.offset.tolist(), encoder.scale.tolist(), strict=True):
            scaled = (value - offset) * scale
            # Python's round is to even, as rint is
            samples.append(32767 if scaled > 32767 else -32768 if scaled < -32768 else round(scaled))
        values = list(samples)
        if encoder.differences:
            values += [now - last for now, last in zip(samples, before or samples, strict=True)]
        before = samples
        rows.append(
            [
                (value >= high) - (value <= low)
                for value, pairs in zip(values, encoder.thresholds.tolist(), strict=True)
                for low, high in pairs
            ]
        )
    return np.array(rows, np.int8).reshape(len(x), -1)


@pytest.mark.parametrize("seed", range(12))
def test_trits_are_those_of_the_definition(seed):
    rng = np.random.default_rng(seed)
    count, pairs, differences = int(rng.integers(1, 5)), int(rng.integers(1, 4)), bool(seed % 2)
    encoder = random_encoder(rng, count, pairs, differences)
    assert (encoder.features, encoder.differences, encoder.size) == (
        *(count, differences),
        count * pairs * (1 + differences),
    )
    x = 3 * features(rng, [40], count)[0]
    x[rng.random(x.shape) < 0.05] *= 1e300  # cut off at the ends of int16
    trits = encoder.trits(x)
    assert trits.dtype == np.int8
    np.testing.assert_array_equal(trits, transcription(encoder, x))
    np.testing.assert_array_equal(encoder.trits(encoder.samples(x)), trits)
    assert len(np.unique(trits)) == 3


def test_a_sequence_in_parts_is_the_sequence():
    rng = np.random.default_rng(0)
    encoder = random_encoder(rng, 3, differences=True)
    (x,) = features(rng, [30], 3)
    samples, whole = encoder.samples(x), encoder.trits(x)
    parts, before = [], None
    for start, end in ((0, 1), (1, 12), (12, 12), (12, 30)):
        parts.append(encoder.trits(samples[start:end], before))
        before = samples[end - 1]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert (encoder.trits(samples[12:]) != whole[12:]).any()  # what came before counts


@pytest.mark.parametrize("differences", [False, True])
def test_quantiles_are_where_they_were_asked_for(differences):
    rng = np.random.default_rng(1)
    x = features(rng, [4000, 2000], 2)
    quantiles = [0.1, 0.3, 0.6, 0.9]
    encoder = Encoder.from_quantiles(x, quantiles, differences)
    trits = np.concatenate([encoder.trits(each) for each in x]).reshape(6000, -1, 2)
    for k in range(2):
        np.testing.assert_allclose((trits[..., k] < 0).mean(axis=0), quantiles[k], atol=0.01)
        np.testing.assert_allclose((trits[..., k] > 0).mean(axis=0), 1 - quantiles[-1 - k], atol=0.01)


@pytest.mark.parametrize("value", [0.0, 1e-320, -3.7, 1e308, -1.7e308])
def test_constant_channel_has_no_trits(value):
    x = np.column_stack([np.full(20, value), np.arange(20.0)])
    for sequences in (x, [x[:1], x[1:]], x[:1]):
        encoder = Encoder.from_quantiles(sequences, [0.2, 0.8], differences=True)
        trits = encoder.trits(x)
        assert not trits[:, [0, 2]].any()


def test_mostly_constant_channel_shows_what_differs():
    x = np.zeros((100, 1))
    x[7], x[8] = 5, -5
    encoder = Encoder.from_quantiles(x, [0.25, 0.75])
    assert encoder.trits(x)[:, 0].nonzero()[0].tolist() == [7, 8]


def test_widest_range_is_no_infinity():
    x = np.array([[-1.7e308], [0.0], [1.7e308]])
    encoder = Encoder.from_quantiles(x, [0.4, 0.6])
    assert encoder.trits(x)[:, 0].tolist() == [-1, 0, 1]


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[1.0, np.nan]], "feature 1 is nan"),
        ([[1.0, 2.0], [np.nan, 1.0]], "feature 0 of step 1 is nan"),
        ([[1.0, 2.0], [np.inf, 0.0]], "feature 0 of step 1 is inf"),
        ([[1.0]], r"features must be of shape \(T, 2\), not \(1, 1\)"),
        ([1.0, 2.0], r"features must be of shape \(T, 2\), not \(2,\)"),
        ([["a", "b"]], "features must be real numbers"),
        ([[1j, 2j]], "features must be real numbers"),
        ([[1.0, 2.0], [1.0]], "features must be real numbers"),
        (np.zeros((2, 3), np.int16), r"samples must be of shape \(T, 2\)"),
        ([[10**400, 1]], "features must be real numbers"),
        (None, "features must be real numbers"),
    ],
)
def test_wrong_features(x, message):
    encoder = random_encoder(np.random.default_rng(0), 2)
    with pytest.raises(TrineError, match=message):
        encoder.trits(x)
    assert encoder.trits(np.zeros((0, 2))).shape == (0, encoder.size)


@pytest.mark.parametrize("previous", [[1], [1, 2, 3], [1.5, 2.5], [40_000, 0], "ab"])
def test_wrong_previous(previous):
    with pytest.raises(TrineError, match="the samples before must be"):
        random_encoder(np.random.default_rng(0), 2).trits([[1.0, 2.0]], previous)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0]], [0.2]), "quantiles must be an even number"),
        (([[1.0]], [0.8, 0.2]), "quantiles must be an even number"),
        (([[1.0]], [0.2, 0.2]), "quantiles must be an even number"),
        (([[1.0]], [-0.1, 0.2]), "quantiles must be an even number"),
        (([[1.0]], []), "quantiles must be an even number"),
        (([[1.0]], 0.5), "quantiles must be an even number"),
        (([[1.0]], [0.1, np.nan]), "a quantile must be a finite number"),
        (([], [0.2, 0.8]), "at least one step"),
        ((np.zeros((0, 3)), [0.2, 0.8]), "at least one step"),
        (([np.zeros((3, 2)), np.zeros((3, 1))], [0.2, 0.8]), "sequences differ in their features: 2 and 1"),
        ((np.zeros((3, 2, 2)), [0.2, 0.8]), "features must be of shape"),
        (([[np.nan]], [0.2, 0.8]), "feature 0 is nan"),
        ((3, [0.2, 0.8]), "features must be"),
    ],
)
def test_wrong_training_set(arguments, message):
    with pytest.raises(TrineError, match=message):
        Encoder.from_quantiles(*arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"offset": [1.0]}, "encoder.offset must be an array"),
        ({"offset": np.zeros(0)}, r"encoder.offset must be float64 \(1,\)"),
        ({"scale": np.zeros(2)}, "encoder.scale must be above 0"),
        ({"scale": np.array([1.0, -1.0])}, "encoder.scale must be above 0"),
        ({"thresholds": np.zeros((3, 1, 2), np.int32)}, r"encoder.thresholds must be int32 \(2, 1, 2\)"),
        (
            {"thresholds": np.zeros((2, 1, 2), np.int32)},
            "lo must be below hi, not 0 and 0 as trit 0 of row 0",
        ),
        ({"thresholds": None}, "encoder.thresholds must be an array"),
        (
            {"offset": np.zeros(1 << 17), "scale": np.ones(1 << 17)},
            "has 131072 features, and 65536 is the most",
        ),
    ],
)
def test_wrong_encoder(changes, message):
    with pytest.raises(TrineError, match=message):
        replace(random_encoder(np.random.default_rng(0), 2), **changes)
