"""Tests give the same result each time: hypothesis draws the same examples.

``TRINE_EXPLORE=1 pytest`` draws new ones, and keeps those that fail in ``.hypothesis``. ``pytest --deep``
runs the proofs that take minutes too, ``pytest --nightly`` everything that takes longer than ``make test``.
"""

import gc
import os
import signal
import threading

import pytest
from hypothesis import settings

settings.register_profile("repeat", derandomize=True, database=None, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("explore" if os.environ.get("TRINE_EXPLORE") else "repeat")


#: Markers of tests that run only where their option is given, and what the option is for.
_ON_REQUEST = {
    "deep": "run the proofs that take minutes too",
    "nightly": "run the checks that take too long for every change too",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    for marker, purpose in _ON_REQUEST.items():
        parser.addoption(f"--{marker}", action="store_true", help=purpose)


def pytest_configure() -> None:
    """Let tests interrupt themselves and what they start, also where signals came ignored, as under nohup.

    Garbage is collected less often: elaboration makes millions of objects, and takes a third less time so.
    """
    gc.set_threshold(200_000, 20, 20)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    if threading.current_thread() is threading.main_thread():
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what runs on request only, unless it is asked for."""
    left_out = {marker for marker in _ON_REQUEST if not config.getoption(f"--{marker}")}
    kept = [item for item in items if not any(map(item.get_closest_marker, left_out))]
    if len(kept) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept
