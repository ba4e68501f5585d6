"""Dataclasses of plain values: whatever a file holds gives a dataclass or one error that names the key."""

import doctest
from dataclasses import dataclass, fields
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trine_sw.data import OwnText
from trine_sw.data.source import Columns, FrontEnd, HeldOut, SequenceSource
from trine_sw.support import plain_values
from trine_sw.support.errors import TrineError
from trine_sw.support.plain_values import from_plain, plain


@dataclass(frozen=True)
class Inner:
    number: int = 3
    pair: tuple[float, float] | None = None


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner = Inner()
    choice: Literal["red", "green", 3] = "red"
    many: tuple[int, ...] = (1,)
    either: str | Inner = "none"
    flag: bool = False
    real: float = 1.0


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
INNER = st.builds(Inner, number=st.integers(), pair=st.none() | st.tuples(st.floats(-9, 9), st.floats(-9, 9)))


def test_examples():
    assert doctest.testmod(plain_values).failed == 0


@given(
    st.builds(
        Outer,
        name=st.text(),
        inner=INNER,
        choice=st.sampled_from(["red", "green", 3]),
        many=st.lists(st.integers()).map(tuple),
        either=st.text() | INNER,
        flag=st.booleans(),
        real=st.floats(-9, 9),
    )
)
def test_what_is_written_is_read(value):
    assert from_plain(Outer, plain(value)) == value


@pytest.mark.parametrize("kind", [Outer, OwnText, HeldOut, SequenceSource, Columns, FrontEnd])
@given(data=st.data())
def test_any_value_of_any_key(kind, data):
    name = data.draw(st.sampled_from([entry.name for entry in fields(kind)]))
    values: dict[str, Any] = {"name": "x"} if kind is Outer else {}
    if kind in (OwnText, SequenceSource):
        values = {"path": "x"}
    values |= {name: data.draw(PLAIN)}
    try:
        found = from_plain(kind, values, "data")
    except TrineError as error:
        assert "\n" not in str(error) and "data" in str(error)
    else:
        assert isinstance(found, kind)


@pytest.mark.parametrize(
    "values, saying",
    [
        ({}, "the key table.name is missing"),
        ([], "table must be a table of keys"),
        ({"name": "a", "inner": 3}, "table.inner must be a table of keys, not 3"),
        (
            {"name": "a", "inner": {"numbr": 3}},
            "unknown key table.inner.numbr; did you mean table.inner.number?",
        ),
        ({"name": "a", "inner": {"zzz": 3}}, "unknown key table.inner.zzz; there are number, pair"),
        ({"name": "a", "inner": {"pair": [1]}}, "table.inner.pair must be a list of 2"),
        ({"name": "a", "many": [1, "b"]}, "table.many[1] must be an integer, not 'b'"),
        ({"name": "a", "choice": "gren"}, "did you mean 'green'?"),
        ({"name": "a", "choice": ["red"]}, "table.choice must be one of"),
        ({"name": "a", "flag": 1}, "table.flag must be true or false"),
        ({"name": "a", "real": True}, "table.real must be a number"),
    ],
)
def test_what_is_refused(values, saying):
    with pytest.raises(TrineError) as caught:
        from_plain(Outer, values, "table")
    assert saying in str(caught.value)
