"""Ctrl-C that lets the present piece of work end."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["interruptions"]


@contextmanager
def interruptions() -> Iterator[Callable[[], bool]]:
    """While this lasts, the first Ctrl-C sets a flag, which the value gives; the second one interrupts."""
    pressed = False

    def note(*_: Any) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:  # not the main thread: Ctrl-C does not come here
        yield lambda: False
        return
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
