"""Hostile files and arguments: a right result or one :class:`TrineError`, and no other error."""

import json
import math
import os
import struct
from dataclasses import fields, replace
from fractions import Fraction

import numpy as np
import pytest

from tests.helpers.altered_file import CONFIG
from trine_sw.data.evaluation import evaluate, negative_log_likelihood, perplexity_of, quality_of
from trine_sw.golden import Golden, State
from trine_sw.golden.host_head import HostHead
from trine_sw.golden.sampler import Sampler, tau_code
from trine_sw.model import Model
from trine_sw.model.config import ModelConfig
from trine_sw.model.layer import Layer
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

MANY = 2**31
NUMBERS = [True, np.bool_(True), -1, MANY, 2**63, 2**64, 10**400, 10**5000, 0.3, -0.0, 1e308, math.nan]
NUMBERS += [math.inf, -math.inf, 1j, Fraction(1, 3), np.float16(2), np.datetime64("2020"), np.timedelta64(3)]
LISTS = [[], [[]], [[0], [0, 1]], [None], ["0"], {}, {0: 1}, {0}, range(3), (0, 10**30), [0, 1.5], [1j]]
ARRAYS = [
    *(np.array(3), np.array([1.5]), np.array([0.0, math.nan]), np.array(["a"]), np.array([None])),
    *(np.zeros((2, 2, 2, 2), int), np.array([2**64 - 1], np.uint64), np.array([True]), np.zeros((3, 0), int)),
    *(np.array([], str), np.array([300], np.int16), np.array([b"0"]), np.zeros(2, [("a", int)])),
]
OTHERS = [None, "", "x", "\ud800", "\0", b"x", object(), len, int, iter([0]), Ellipsis, np.ma.masked]
HOSTILE = [*NUMBERS, *LISTS, *ARRAYS, *OTHERS]


def tried(call):
    """What a call gives, or None for the one error that it may end in; any other one fails the test."""
    try:
        return call()
    except TrineError as error:
        assert str(error) and len(str(error)) < 1000 and "\n" not in str(error)
        return None


@pytest.fixture(scope="module")
def model():
    head = {"host_head_weight": np.ones((4, 6), np.float16), "host_head_bias": np.zeros(4, np.float16)}
    return replace(random_model(CONFIG, seed=0), vocabulary=["a", "b", "c", " "], **head)


@pytest.mark.parametrize("name", [entry.name for entry in fields(ModelConfig)])
def test_config(name):
    """What it takes is kept as Python's integers, and can be saved."""
    for value in HOSTILE:
        config = tried(lambda value=value: replace(CONFIG, **{name: value}))
        kept = None if config is None else getattr(config, name)
        for number in kept if isinstance(kept, tuple) else () if kept is None else (kept,):
            assert type(number) is (str if name == "cell" else int)


def test_integers_of_numpy_are_integers(model, tmp_path):
    names = [entry.name for entry in fields(ModelConfig) if entry.type is int]
    numpy = {name: np.int16(getattr(CONFIG, name)) for name in names}
    config = ModelConfig(**numpy, head_levels=np.array(CONFIG.head_levels, np.uint8))  # pyright: ignore
    assert config == CONFIG and repr(config) == repr(CONFIG) and hash(config) == hash(CONFIG)
    assert config.of_layer(np.int64(0)) == CONFIG.of_layer(0)
    same = replace(model, config=config, head_scale=np.float32(0.125))
    same.save(tmp_path / "m.trine")
    assert Model.load(tmp_path / "m.trine").digest() == model.digest() == same.digest()


@pytest.mark.parametrize("name", [entry.name for entry in fields(Model)])
def test_model(model, name, tmp_path):
    """What is taken can be saved, and loads as what it is."""
    for value in HOSTILE:
        made = tried(lambda value=value: replace(model, **{name: value}))
        if made is not None:
            tried(made.digest)
            tried(lambda made=made: Golden(made).run([0, 1]))
            if name == "training":
                made.training = {"value": value}
            if tried(lambda made=made: made.save(tmp_path / "m.trine") or True):
                assert Model.load(tmp_path / "m.trine").digest() == made.digest()


@pytest.mark.parametrize("name", [entry.name for entry in fields(Layer)])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_layer(name, cell):
    model = random_model(replace(CONFIG, cell=cell), seed=0)
    for value in HOSTILE:
        layer = replace(model.layers[0], **{name: value})
        assert tried(lambda layer=layer: replace(model, layers=[layer])) is None or value is None


def test_methods(model, tmp_path):
    golden, head, zeros = Golden(model), HostHead(model), np.zeros((1, 6), int)
    for value in HOSTILE:
        calls = [
            lambda v: model.encode(v),
            lambda v: model.decode(v),
            lambda v: Model.load(v),
            lambda v: CONFIG.of_layer(v),
            lambda v: golden.initial_state(v) if v is not MANY else None,  # so many could be meant
            lambda v: golden.run(v),
            lambda v: golden.run([0], v),
            lambda v: golden.run([0], State(v, zeros)),
            lambda v: golden.run([0], State(zeros, v)),
            lambda v: golden.run_vectors(v),
            lambda v: golden.run_vectors(zeros[:, :3], v),
            lambda v: golden.generate(v, 2),
            lambda v: golden.generate([0], v) if v is not MANY else None,
            lambda v: golden.generate([0], 2, v),
            lambda v: golden.generate([0], 2, 0.5, v),
            lambda v: golden.logits(v),
            lambda v: head.logits(v),
            lambda v: Sampler(0.5, 0.5, 1).choose(v),
            lambda v: Sampler(v, 0.5, 1),
            lambda v: evaluate(model, v),
            lambda v: evaluate(model, "shakespeare", v),
            lambda v: Golden(v),
        ]
        for call in calls:
            tried(lambda call=call, value=value: call(value))


def test_golden_takes_what_it_computes_with_and_nothing_else(model):
    golden = Golden(model)
    good = golden.run_vectors(np.array([[0, 1, -1]]))
    for dtype in (np.int8, np.int64):
        assert np.array_equal(golden.run_vectors(np.array([[0, 1, -1]], dtype)).h, good.h)
    for x in (0.3, 7, -2, math.nan, 1j, True, 1.0, "1", 2**40):
        with pytest.raises(TrineError, match="input vectors must be"):
            golden.run_vectors([[x] * 3])
    with pytest.raises(TrineError, match="input vectors must be from -1 to 1, not 255"):
        golden.run_vectors(np.full((1, 3), 255, np.uint8))
    for token in (-1, 4, 2**64 - 1, 2**63):
        with pytest.raises(TrineError, match=f"token {token} is out of range"):
            golden.run(np.array([0, token]) if token < 2**63 else np.array([token], np.uint64))
    for part, wrong in (("h", 2), ("h", -2), ("c", 32), ("c", -32), ("c", 0.5)):
        state = golden.initial_state()
        array = getattr(state, part).astype(type(wrong))
        array[0, 3] = wrong
        with pytest.raises(TrineError, match=f"{part} of the state must be"):
            golden.run([0], replace(state, **{part: array}))
    for u in ([[0, 0, 0, 0, 0, 4]], [[0.5] * 6], [[0] * 5]):
        for logits in (golden.logits, HostHead(model).logits):
            with pytest.raises(TrineError, match="u must be"):
                logits(u)


def test_a_changed_vocabulary_is_seen(model):
    model = replace(model)
    assert model.encode("ab").tolist() == [0, 1]
    assert model.vocabulary is not None
    model.vocabulary = ["b", "a", "c", "d"]
    assert model.encode("ab").tolist() == [1, 0]
    model.vocabulary[:2] = ["x", "y"]
    assert model.encode("yx").tolist() == [1, 0]


def split(data):
    size = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:size]), data[size:]


def joined(header, tensors):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + tensors


VALUES = [
    *(None, True, 0, -1, 1, 2.5, 10**30, -(10**400), 1e308, math.nan, math.inf, "", "x", "1", "[]"),
    *("{}", "null", "\ufeff1", "é", "\0", "NaN", "1e400", "1" * 400, "-1", "0", "3", "true", "[0, 1e0]"),
    *('["a","a","b","c"]', [], [0], [0, 1], [10**20], {}, {"a": "b"}, [[]]),
    {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
    *("gru", "lstm", "U8", "F64", "BF16", "F8_E4M3", "BOOL", "I128", '{"a":{"a":[1,[2]]}}', "[" * 3000),
]


def altered(value, rng):
    """A JSON value with one thing in it, at any depth, put in another's place, dropped, added or renamed."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        name = list(value)[rng.integers(len(value))]
        kind = rng.integers(8)
        if kind == 0:
            return {key: entry for key, entry in value.items() if key != name}
        if kind == 1:
            return value | {f"{name}x": value[name]}
        if kind == 2:
            other = list(value)[rng.integers(len(value))]
            return value | {name: value[other], other: value[name]}
        return value | {name: altered(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.7:
        place = rng.integers(len(value))
        return [*value[:place], altered(value[place], rng), *value[place + 1 :]]
    return VALUES[rng.integers(len(VALUES))]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_mutated_files(model, cell, tmp_path):
    """Headers altered in their values and in their bytes, tensors altered, and files cut."""
    rng, path, loaded = np.random.default_rng(len(cell)), tmp_path / "m.trine", 0
    config = replace(CONFIG, cell=cell)
    whole = replace(model, config=config, layers=random_model(config, seed=0).layers)
    whole.save(path)
    data, digest = path.read_bytes(), whole.digest()
    header, tensors = split(data)
    for number in range(1200):
        kind = number % 4
        if kind == 0:
            made = header
            for _ in range(rng.integers(1, 4)):
                made = altered(made, rng)
            changed = joined(made, tensors)
        elif kind == 1:
            values = {"__metadata__": altered(header["__metadata__"], rng)}
            changed = joined(header | values, tensors)
        elif kind == 2:
            text = bytearray(json.dumps(header).encode())
            for _ in range(rng.integers(1, 4)):
                text[rng.integers(len(text))] = rng.integers(256)
            changed = joined(bytes(text), tensors)
        else:
            changed = bytearray(data)
            for _ in range(rng.integers(1, 4)):
                changed[rng.integers(len(data))] ^= 1 << rng.integers(8)
            changed = bytes(changed[: rng.integers(len(data)) if rng.random() < 0.3 else len(data)])
        path.write_bytes(changed)
        found = tried(lambda: Model.load(path))
        if found is not None:
            assert found.digest() == digest, changed
            loaded += 1
    assert loaded < 200  # what is another spelling of the same


def test_header_that_is_no_dictionary_of_strings(model, tmp_path):
    path = tmp_path / "m.trine"
    model.save(path)
    header, tensors = split(path.read_bytes())
    for metadata in (None, [], "x", 3, {"format": None}, {"format": 1}, {}):
        path.write_bytes(joined(header | {"__metadata__": metadata}, tensors))
        assert tried(lambda: Model.load(path)) is None
    repeated = json.dumps(header)[:-1] + ', "__metadata__": {"format": "trine/1"}}'
    path.write_bytes(joined(repeated.encode(), tensors))
    assert tried(lambda: Model.load(path)) is None
    os.mkfifo(tmp_path / "pipe")
    for special in ("/dev/zero", tmp_path / "pipe", "/dev/null", tmp_path, tmp_path / "none", "a\0b", ""):
        with pytest.raises(TrineError, match="cannot read"):
            Model.load(special)


def test_perplexity_beyond_float64_is_infinite():
    for nats, perplexity in ((0.0, 1.0), (709.0, math.exp(709.0)), (709.79, math.inf), (1e9, math.inf)):
        assert perplexity_of(nats) == perplexity == quality_of(nats, 1)["perplexity"]
    assert perplexity_of(math.inf) == math.inf and math.isnan(perplexity_of(math.nan))
    far = np.array([[0.0, 1.7e308], [-1.7e308, 1.7e308]])
    assert negative_log_likelihood(far, np.array([0, 0])).tolist() == [1.7e308, math.inf]


def test_temperature_of_any_size():
    for scale in (5e-324, 1e-300, 0.5, 1e300):
        for temperature in (1e308, math.inf, math.nan, -1.0, 10**400, "1", None, 1j, True):
            assert tried(lambda t=temperature, s=scale: tau_code(t, s)) in (None, *range(4096))
