"""Every command ends in one way on Ctrl-C, a plain kill and a closed terminal."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any

import pytest

from trine_sw.interruption import SIGNALS, Interruption, deferred, interruptible
from trine_sw.model import Model

BOARD = ("--board", "ulx3s")
#: Every command that does more than show what is there, and its arguments; MODEL and OUT are replaced.
COMMANDS = {
    "info": ("MODEL",),
    "run": ("MODEL", "--text", "!"),
    "eval": ("MODEL", "--dataset", "sea"),
    "generate": ("MODEL", "--prompt", "!"),
    "fit": ("MODEL", *BOARD),
    "verilog": ("MODEL", *BOARD, "-o", "OUT"),
    "build": ("MODEL", *BOARD, "-o", "OUT"),
    "board": ("MODEL",),
    "bench": ("MODEL",),
    "demo": ("--root", "ROOT"),
}

PIPES: dict[str, Any] = {
    "stdin": subprocess.PIPE,
    "stdout": subprocess.PIPE,
    "stderr": subprocess.PIPE,
    "text": True,
}

signals = pytest.mark.parametrize("end", SIGNALS, ids=lambda end: end.name)


def send(end):
    os.kill(os.getpid(), end)
    time.sleep(5)  # the handler runs at once
    raise AssertionError("the signal did nothing")


@signals
@pytest.mark.parametrize("command", COMMANDS)
def test_a_signal_ends_a_command(trine, monkeypatch, model, model_path, tmp_path, command, end):
    (tmp_path / "models").mkdir()
    model.save(tmp_path / "models/shakespeare.trine")
    before = [signal.getsignal(each) for each in SIGNALS]
    monkeypatch.setattr(Model, "load", lambda path: send(end))
    places = {"MODEL": model_path, "OUT": tmp_path / "out", "ROOT": tmp_path}
    result = trine(command, *(places.get(word, word) for word in COMMANDS[command]))
    assert result.exit_code == 128 + end, result.output
    assert result.stderr.startswith("Error: interrupted") and result.stderr.count("\n") == 1
    assert not result.stdout and not (tmp_path / "out").exists()
    assert [signal.getsignal(each) for each in SIGNALS] == before


@signals
def test_one_that_came_ignored_stays_ignored(end):
    before = signal.signal(end, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), end)
            assert signal.getsignal(end) is signal.SIG_IGN
    finally:
        signal.signal(end, before)


def test_the_present_piece_of_work_can_end_first():
    with interruptible():
        with pytest.raises(Interruption, match="SIGTERM"), deferred() as told:
            assert not told()
            os.kill(os.getpid(), signal.SIGTERM)
            assert told()
            os.kill(os.getpid(), signal.SIGTERM)  # as timeout(1) sends it: twice
            time.sleep(0.6)
            send(signal.SIGTERM)  # once more, later: not to be waited for
        with pytest.raises(Interruption, match="SIGINT"), deferred():
            time.sleep(0.6)
            os.kill(os.getpid(), signal.SIGINT)  # is not forgotten where the block just ends
        with deferred() as told:
            assert not told()
    with suppress(KeyboardInterrupt), deferred() as told:  # alone too
        os.kill(os.getpid(), signal.SIGTERM)
        assert told()
        raise KeyboardInterrupt


def test_another_thread_gets_no_signals():
    seen = []

    def work():
        with interruptible(), deferred() as told:
            seen.append(told())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]


def test_what_tests_start_can_be_interrupted():
    with subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], **PIPES) as child:
        assert child.stdout and child.stdout.readline() == "\n"
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == -signal.SIGINT


def test_so_they_can_where_sigint_came_ignored(pytestconfig):
    """As under ``nohup make test &``."""
    program = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    program += "os.execvp(sys.executable, [sys.executable, *sys.argv[1:]])"
    names = (test_the_present_piece_of_work_can_end_first, test_what_tests_start_can_be_interrupted)
    command = [sys.executable, "-c", program, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += [f"{__file__}::{test.__name__}" for test in names]
    ended = subprocess.run(command, cwd=pytestconfig.rootpath, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0 and "2 passed" in ended.stdout, ended.stdout + ended.stderr
