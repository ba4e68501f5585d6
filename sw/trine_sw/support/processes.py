"""Child processes in groups of their own, which end together with the process that waits for them."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from trine_sw.support.interruption import held

__all__ = ["run_logged"]

_POLL_SECONDS = 0.2


def run_logged(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: BinaryIO,
    tick: Callable[[float], None] | None = None,
    cancelled: threading.Event | None = None,
) -> int:
    """Run a program, its output into ``log``; returns its exit status.

    ``tick`` is called with the seconds since the start, about five times a second. An exception here, such as
    an interruption, ends the program and all that it has started.

    Raises
    ------
    KeyboardInterrupt
        Once ``cancelled`` is set.
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
            )
        while True:
            if cancelled is not None and cancelled.is_set():
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
