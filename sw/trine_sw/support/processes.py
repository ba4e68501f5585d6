"""Child processes in groups of their own, which end together with the process that waits for them."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from trine_sw.support.interruption import cancelled, held

__all__ = ["end_with", "run_logged"]

_POLL_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
try:
    _prctl = ctypes.CDLL(None).prctl
except (OSError, AttributeError):  # not Linux
    _prctl = None


def end_with(parent: int) -> Callable[[], None]:
    """What a child calls before its program begins (``preexec_fn``): it is killed when the thread that
    started it ends, in whatever way its process, `parent`, does."""

    def prepare() -> None:
        if _prctl is not None:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # gone meanwhile
                os._exit(1)

    return prepare


def run_logged(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: BinaryIO,
    tick: Callable[[float], None] | None = None,
) -> int:
    """Run a program, its output into ``log``; returns its exit status.

    ``tick`` is called with the seconds since the start, about five times a second. An exception here, such as
    an interruption, ends the program and all that it has started; and where this process is killed, the
    program is.

    Raises
    ------
    KeyboardInterrupt
        Once :func:`trine_sw.support.interruption.cancelled` is true.
    """
    start, process = time.monotonic(), None
    try:
        with held():  # or a child could begin that nobody knows of
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=end_with(os.getpid()),
            )
        while True:
            if cancelled():
                raise KeyboardInterrupt
            if tick is not None:
                tick(time.monotonic() - start)
            try:
                return process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
    finally:
        if process is not None and process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
