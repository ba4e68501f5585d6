"""Tests give the same result each time: hypothesis draws the same examples.

``TRINE_EXPLORE=1 pytest`` draws new ones, and keeps those that fail in ``.hypothesis``. ``pytest --deep``
runs the proofs that take minutes too.
"""

import os

import pytest
from hypothesis import settings

settings.register_profile("repeat", derandomize=True, database=None, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("explore" if os.environ.get("TRINE_EXPLORE") else "repeat")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--deep", action="store_true", help="run the proofs that take minutes too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is deep, unless it is asked for."""
    if config.getoption("--deep"):
        return
    deep = [item for item in items if "deep" in item.keywords]
    if deep:
        config.hook.pytest_deselected(items=deep)
        items[:] = [item for item in items if "deep" not in item.keywords]
