"""Pause of the garbage collector while a design is elaborated."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["collection_paused"]


@contextmanager
def collection_paused() -> Iterator[None]:
    """Context in which the collector does not run by itself.

    Elaboration makes millions of objects that stay until it ends. Going through them again and again takes
    a third of its time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
