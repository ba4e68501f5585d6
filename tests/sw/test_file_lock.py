"""Locks of folders that a run writes to: one process at a time, and none that a killed one leaves."""

import os
import signal
import subprocess
import sys

import pytest

from tests.helpers.paths import ROOT
from trine_sw.support.errors import TrineError
from trine_sw.support.file_lock import exclusive

HOLDER = """
import sys
from pathlib import Path
from trine_sw.support.file_lock import exclusive
with exclusive(Path(sys.argv[1]), "it"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock ``tmp_path/folder/.lock`` until its input ends."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "sw")}
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "folder/.lock")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_one_process_at_a_time(holder, tmp_path):
    lock = tmp_path / "folder/.lock"
    message = f"the folder is in use by process {holder.pid}: wait until that has ended"
    with pytest.raises(TrineError, match=message), exclusive(lock, "the folder"):
        pass
    assert lock.exists()  # a refusal leaves the other's lock
    holder.stdin.close()
    holder.wait(300)
    assert not lock.exists()
    with exclusive(lock, "the folder"):
        assert lock.read_text(encoding="utf-8").strip() == str(os.getpid())
    assert not lock.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_is_no_obstacle(holder, tmp_path, number):
    holder.send_signal(number)
    holder.wait(300)
    with exclusive(tmp_path / "folder/.lock", "the folder"):
        pass


def test_a_lock_removed_meanwhile_is_taken_anew(tmp_path, monkeypatch):
    """Its holder ends between this process's opening of the file and its locking of it."""
    from trine_sw.support import file_lock as module

    lock, opened = tmp_path / ".lock", []
    real = os.open

    def late(path, *arguments):
        number = real(path, *arguments)
        opened.append(number)
        if len(opened) == 1:
            os.unlink(path)
        return number

    monkeypatch.setattr(module.os, "open", late)
    with exclusive(lock, "it"):
        assert len(opened) == 2 and lock.exists()
        with pytest.raises(TrineError, match=f"in use by process {os.getpid()}"), exclusive(lock, "it"):
            pass


def test_an_error_releases_it(tmp_path):
    for _ in range(2):
        with pytest.raises(KeyError), exclusive(tmp_path / "new/.lock", "it"):
            raise KeyError
    assert not (tmp_path / "new/.lock").exists()


def test_where_no_lock_can_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TrineError, match="it is no folder"), exclusive(tmp_path / "file/.lock", "it"):
        pass
    (tmp_path / ".lock").mkdir()
    with pytest.raises(TrineError, match="Is a directory"), exclusive(tmp_path / ".lock", "it"):
        pass
