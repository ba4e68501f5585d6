"""Signals that end a command: Ctrl-C, a plain kill and a closed terminal, all as one kind of exception.

:func:`interruptible` turns them into :class:`Interruption`, which unwinds the stack as Ctrl-C does, so that
every ``finally`` runs; :func:`deferred` lets the present piece of work end first. A signal that was ignored
when this process began, as ``nohup`` and shells without job control leave them, stays ignored.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from trine_sw.support.errors import TrineError
from trine_sw.support.signals import SIGNALS

__all__ = [
    "SIGNALS",
    "Interrupted",
    "Interruption",
    "cancellable",
    "cancelled",
    "deferred",
    "held",
    "interruptible",
    "received",
]

#: Seconds in which a second signal is the first one once more: timeout(1) sends each to the process and to
#: its group.
_ONCE_MORE = 0.5


class Interruption(KeyboardInterrupt):
    """This process was told to end; its text names the signal."""


class Interrupted(TrineError):
    """What a command says when it was told to end: what is kept, and how to go on."""


class _State:
    """Of this process: the last signal, when it came, and whether it is only noted."""

    last: signal.Signals | None = None
    at = -1.0
    deferred = False
    noted = False
    held = False
    pending = False


class _Thread(threading.local):
    """Of each thread: what says that its work is to end."""

    cancelled: Callable[[], bool] | None = None


_thread = _Thread()


@contextmanager
def cancellable(told: Callable[[], bool]) -> Iterator[None]:
    """While this lasts, the work of this thread is to end once `told` is true: :func:`cancelled` asks it.

    For threads that signals do not come to, such as those of workers.
    """
    before, _thread.cancelled = _thread.cancelled, told
    try:
        yield
    finally:
        _thread.cancelled = before


def cancelled() -> bool:
    """Whether the work of this thread is to end; False outside of :func:`cancellable`."""
    return _thread.cancelled is not None and _thread.cancelled()


def received() -> signal.Signals | None:
    """The signal that told this process to end, since :func:`interruptible` began; None where none did."""
    return _State.last


def _handle(number: int, frame: Any) -> None:
    now = time.monotonic()
    again = _State.last is not None and now - _State.at < _ONCE_MORE
    _State.last, _State.at = signal.Signals(number), now
    if again:
        return
    if _State.held:
        _State.pending = True
    else:
        _act()


def _act() -> None:
    assert _State.last is not None
    if _State.deferred and not _State.noted:
        _State.noted = True
        return
    raise Interruption(_State.last.name)


@contextmanager
def interruptible() -> Iterator[None]:
    """While this lasts, each of :data:`SIGNALS` raises :class:`Interruption` in the main thread.

    In another thread it does nothing: signals do not come there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[signal.Signals, Any] = {}
    _State.last, _State.at = None, -1.0
    try:
        for each in SIGNALS:
            if signal.getsignal(each) is not signal.SIG_IGN:
                before[each] = signal.signal(each, _handle)
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def held() -> Iterator[None]:
    """For a moment in which signals wait: what begins meanwhile is finished, or not begun."""
    if threading.current_thread() is not threading.main_thread() or _State.held:
        yield
        return
    _State.held = True
    try:
        yield
    finally:
        _State.held = False
        if _State.pending:
            _State.pending = False
            _act()


@contextmanager
def deferred() -> Iterator[Callable[[], bool]]:
    """While this lasts, the first signal sets a flag, which the value gives; a later one interrupts.

    Where the block ends well although the flag is set, it interrupts then; so too where it ends by an error
    other than a :class:`TrineError`, since a program that it had called, such as a compiler, may have ended
    by the signal, which a terminal sends to all of them. Without :func:`interruptible` around it, it takes
    the signals itself. In a thread that is :func:`cancellable` the flag is :func:`cancelled`.
    """
    if _thread.cancelled is not None:
        yield cancelled
        if cancelled():
            raise Interruption("a cancelled job")
        return
    with ExitStack() as stack:
        if not any(signal.getsignal(each) is _handle for each in SIGNALS):
            stack.enter_context(interruptible())
        outer = _State.deferred, _State.noted
        _State.deferred, _State.noted = True, False
        try:
            yield lambda: _State.noted
            if _State.noted and _State.last is not None:
                raise Interruption(_State.last.name)
        except TrineError:
            raise
        except Exception as error:
            if not _State.noted or _State.last is None:
                raise
            raise Interruption(_State.last.name) from error
        finally:
            _State.deferred, _State.noted = outer
