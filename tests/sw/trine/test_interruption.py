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

from trine.cli.commands import cli
from trine_sw.support.errors import TrineError
from trine_sw.support.interruption import SIGNALS, Interruption, deferred, interruptible

BOARD = ("--board", "ulx3s")
LOAD = "trine_sw.model.Model.load"
#: Every command that does more than show what is there: its arguments, of which MODEL, OUT, FOLDER and ROOT
#: are replaced, and the function during which it is interrupted.
COMMANDS = {
    "info": (LOAD, "MODEL"),
    "run": (LOAD, "MODEL", "--text", "!"),
    "eval": (LOAD, "MODEL", "--dataset", "sea"),
    "generate": (LOAD, "MODEL", "--prompt", "!"),
    "fit": (LOAD, "MODEL", *BOARD),
    "verilog": (LOAD, "MODEL", *BOARD, "-o", "OUT"),
    "build": (LOAD, "MODEL", *BOARD, "-o", "OUT"),
    "board": (LOAD, "MODEL"),
    "bench": (LOAD, "MODEL"),
    "demo": (LOAD, "--root", "ROOT"),
    "explore": (LOAD, "MODEL", "-o", "OUT"),
    "draw activity": (LOAD, "MODEL", "--dataset", "sea", "-o", "OUT"),
    "draw roofline": ("trine.reports.engine_figures.read_reports", "FOLDER", "-o", "OUT"),
    "draw floorplan": ("trine_boards.report.pictures.draw_floorplan", "FOLDER", "-o", "OUT"),
    "draw resources": ("trine_boards.report.pictures.draw_resources", "FOLDER", "-o", "OUT"),
    "verify": ("trine_boards.build.record.BuildRecord.load", "FOLDER"),
    "program": ("trine_boards.programming.program", "MODEL", *BOARD),
    "doctor": ("trine.doctor.check_machine", "--report", "OUT"),
    "random": ("trine_sw.model.random_model.random_model", "OUT", "--dataset", "sea"),
    "tools": ("trine_sw.support.toolchain.find",),
    "ports": ("serial.tools.list_ports.comports",),
    "train": ("trine_sw.training.train.train", "shakespeare", "--out", "OUT"),
    "study": ("trine_sw.studies.run.run_study", "ladder"),
    "speed": ("trine_sw.training.loop.speed.step_times", "shakespeare-small"),
    "client": (LOAD, "MODEL", "--lang", "c", "-o", "OUT"),
    "reports": ("trine.reports.stale_reports.states", "FOLDER"),
    "report": ("trine_sw.studies.report.write_report", "hitnet"),
}
#: Commands that answer at once from what they hold.
AT_ONCE = {"boards", "init"}

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


def test_every_command_is_here():
    named = {
        f"{name} {inner}".rstrip()
        for name, command in cli.commands.items()
        for inner in getattr(command, "commands", [""])
    }
    assert named == COMMANDS.keys() | AT_ONCE


@signals
@pytest.mark.parametrize("command", COMMANDS)
def test_a_signal_ends_a_command(trine, monkeypatch, sea, model, model_path, tmp_path, command, end):
    (tmp_path / "models").mkdir()
    model.save(tmp_path / "models/shakespeare.trine")
    (tmp_path / "route-1.placed.json").touch()
    before = [signal.getsignal(each) for each in SIGNALS]
    during, *arguments = COMMANDS[command]
    monkeypatch.setattr(during, lambda *args, **more: send(end))
    places = {"MODEL": model_path, "OUT": tmp_path / "out", "ROOT": tmp_path, "FOLDER": tmp_path}
    result = trine(*command.split(), *(places.get(word, word) for word in arguments))
    assert result.exit_code == 128 + end, result.output
    assert result.stderr.startswith("Error: interrupted") and result.stderr.count("\n") == 1
    assert not result.stdout and not (tmp_path / "out").exists()
    assert [signal.getsignal(each) for each in SIGNALS] == before


#: Sends this process a signal when a module is imported, and makes another error of the exception, if one
#: comes, as NumPy does.
WHILE_IMPORTING = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            try:
                os.kill(os.getpid(), {number})
            except BaseException as error:
                raise ImportError("a part is missing") from error
sys.meta_path.insert(0, Finder())
"""


@signals
@pytest.mark.parametrize("module", ["click", "numpy", "rich.console", "trine.cli.study", "amaranth.hdl"])
def test_a_signal_while_modules_are_imported(process, model_path, module, end):
    """Those of the command line itself, and one that a command imports."""
    first = WHILE_IMPORTING.format(module=module, number=int(end))
    child = process("verilog", model_path, "--lanes", 8, "--banks", 1, "-o", model_path.parent, first=first)
    stdout, stderr = child.communicate(timeout=300)
    assert child.returncode == 128 + end, stderr
    assert stderr == f"Error: interrupted by {end.name}\n" and not stdout
    assert list(model_path.parent.iterdir()) == [model_path]


def test_the_entry_point_imports_nothing_that_takes_long():
    """Before it is prepared for signals."""
    code = "import sys, trine.cli; print(*(name for name in sys.modules if name.startswith('trine')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    support = {"trine_sw", "trine_sw.support", "trine_sw.support.signals"}
    assert set(done.stdout.split()) == {"trine", "trine.cli", *support}


def test_one_that_came_ignored_is_ignored_while_modules_are_imported(process, model_path):
    first = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    first += WHILE_IMPORTING.format(module="click", number=int(signal.SIGHUP))
    child = process("info", model_path, "--json", first=first)
    stdout, stderr = child.communicate(timeout=300)
    assert child.returncode == 0 and stdout and not stderr


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
        for error, raised in ((ValueError, Interruption), (TrineError, TrineError)):
            time.sleep(0.6)
            with pytest.raises(raised) as caught, deferred():
                os.kill(os.getpid(), signal.SIGINT)
                raise error("a compiler was ended by the same signal")
            assert raised is TrineError or isinstance(caught.value.__cause__, error)
        with pytest.raises(ValueError, match="of its own"), deferred():
            raise ValueError("of its own")
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
        assert child.wait(300) == -signal.SIGINT


def test_so_they_can_where_sigint_came_ignored(pytestconfig):
    """As under ``nohup make test &``."""
    program = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    program += "os.execvp(sys.executable, [sys.executable, *sys.argv[1:]])"
    names = (test_the_present_piece_of_work_can_end_first, test_what_tests_start_can_be_interrupted)
    command = [sys.executable, "-c", program, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += [f"{__file__}::{test.__name__}" for test in names]
    ended = subprocess.run(command, cwd=pytestconfig.rootpath, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0 and "2 passed" in ended.stdout, ended.stdout + ended.stderr
