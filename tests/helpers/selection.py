"""Which cases of a product of parameters run for every change, and which at night."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from typing import Any

import pytest

__all__ = ["named", "numbered", "product"]


def named(*values: Any) -> dict[str, Any]:
    """An axis of values that are called what they are."""
    return {str(value): value for value in values}


def numbered(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """An axis of values that have no name of their own: ``name0``, ``name1``, and so on."""
    return {f"{name}{index}": value for index, value in enumerate(values)}


def product(*axes: dict[str, Any], always: Collection[str]) -> list[Any]:
    """Parameters of a test for every combination of the axes' values.

    A case is called as its values are, joined by ``-``. Those in ``always`` run with every change, the others
    are marked ``nightly``: what waits for the night is only how values combine. A value that is in no case of
    ``always``, such as one that is new, runs with every change in all its cases.

    Raises
    ------
    ValueError
        If a name in ``always`` is none of a case.
    """
    names = {"-".join(case): case for case in itertools.product(*axes)}
    if unknown := set(always) - set(names):
        raise ValueError(f"no such cases: {', '.join(sorted(unknown))}")
    seen = [{names[name][place] for name in always} for place in range(len(axes))]
    fast = {
        name
        for name, case in names.items()
        if name in always or any(value not in known for value, known in zip(case, seen, strict=True))
    }
    return [
        pytest.param(
            *(axis[value] for axis, value in zip(axes, case, strict=True)),
            id=name,
            marks=() if name in fast else pytest.mark.nightly,
        )
        for name, case in names.items()
    ]
