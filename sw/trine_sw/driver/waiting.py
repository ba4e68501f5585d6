"""Waiting until something can be read or written, whatever the number of its file descriptor."""

from __future__ import annotations

import selectors
from collections.abc import Iterable
from typing import Any

__all__ = ["readable", "writable"]

#: ``select`` itself takes no descriptor above 1,023; epoll would need another one each time.
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


def readable(files: Iterable[Any], timeout: float | None) -> list[Any]:
    """Those of the files, sockets or ports that can be read, once one can or so many seconds have passed.

    Without a timeout it waits as long as it takes. Raises :exc:`OSError` where one has been closed.
    """
    return _ready(files, selectors.EVENT_READ, timeout)


def writable(files: Iterable[Any], timeout: float | None) -> list[Any]:
    """Those that can be written, as :func:`readable`."""
    return _ready(files, selectors.EVENT_WRITE, timeout)


def _ready(files: Iterable[Any], event: int, timeout: float | None) -> list[Any]:
    with _Selector() as selector:
        for file in files:
            try:
                selector.register(file, event)
            except ValueError:
                raise ConnectionResetError("it has been closed on this side") from None
        return [key.fileobj for key, _ in selector.select(timeout)]
