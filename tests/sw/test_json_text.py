"""JSON that is written: valid whatever the values, by one function."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.paths import ROOT
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError
from trine_sw.support.json_text import json_text, json_value

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(LEAVES, lambda each: st.lists(each) | st.dictionaries(st.text(), each), max_leaves=20)


def without_what_is_no_number(value):
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: "inf", -math.inf: "-inf"}.get(value, "nan")
    if isinstance(value, dict):
        return {name: without_what_is_no_number(entry) for name, entry in value.items()}
    return [without_what_is_no_number(entry) for entry in value] if isinstance(value, list) else value


@given(VALUES, st.sampled_from([None, 1, 2]), st.booleans())
def test_everything_is_valid_json(value, indent, sort_keys):
    text = json_text(value, indent=indent, sort_keys=sort_keys)
    expected = without_what_is_no_number(value)
    assert json_value(text) == expected
    # Of finite values it is what ``json`` writes, so that digests of it stay as they are.
    assert text == json.dumps(expected, indent=indent, sort_keys=sort_keys)


def test_values_of_numpy():
    value = {"a": np.float32("inf"), "b": np.int64(3), "c": np.array([1.5, np.nan]), "d": (np.bool_(True),)}
    assert json_value(json_text(value)) == {"a": "inf", "b": 3, "c": [1.5, "nan"], "d": [True]}


def test_what_json_cannot_hold():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    for value in ({1, 2}, object(), b"x", 1j, {(1, 2): 3}, Path("x"), deep, np.datetime64("2020")):
        with pytest.raises(TrineError, match="cannot be written as JSON"):
            json_text(value)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}', '{"a": 1, "a": 1}', "[" * 9**5])
def test_what_is_read_strictly(text):
    with pytest.raises(ValueError):
        json_value(text)


def test_perplexity_beyond_float64(succeeds, sea, tmp_path):
    """A model that is sure and wrong: some 10**5 nats a character."""
    config = ModelConfig(hidden=6, embedding=4, vocab_size=len(set(sea)))
    model = replace(random_model(config, seed=1), vocabulary=sorted(set(sea)), head_scale=1e6)
    model.training = {"perplexity": math.inf}
    model.save("m.trine")
    assert Model.load("m.trine").training == {"perplexity": "inf"}
    found = json_value(succeeds("eval", "m.trine", "--dataset", "sea", "--json"))
    assert found["perplexity"] == "inf" and 709 < found["nats_per_token"] < math.inf
    assert " inf" in succeeds("eval", "m.trine", "--dataset", "sea")


#: Runs in another Python, which has no other module of ours, and writes names and integers alone.
ALONE = "boards/trine_boards/verify/icebox_query.py"


def test_nothing_else_writes_json():
    root = ROOT
    found = {
        str(path.relative_to(root))
        for folder in ("sw", "hw", "boards")
        for path in sorted((root / folder).rglob("*.py"))
        if re.search(r"\bjson\.dumps?\b|import dumps?\b", path.read_text(encoding="utf-8"))
    }
    assert found - {ALONE} == {"sw/trine_sw/support/json_text.py"}
