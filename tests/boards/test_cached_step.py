"""Build steps: what is kept, what is run again, and what a failing or interrupted tool leaves behind."""

import sys

import pytest

from trine_boards.build.cached_step import Step, run_step
from trine_sw.support.errors import TrineError
from trine_sw.support.toolchain import Tool


def step(program: str, version: str = "1") -> Step:
    """A step that reads ``in`` and writes ``out`` by a line of Python."""
    tool = Tool("worker", (sys.executable, "-c", program), "native", version)
    return Step("work", tool, (), ("in",), ("out",))


COPY = "import shutil; print('working'); shutil.copy('in', 'out')"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").write_text("one", encoding="utf-8")
    return tmp_path


def test_step_runs_once_while_nothing_changes(folder):
    assert run_step(step(COPY), folder)
    assert not run_step(step(COPY), folder)
    assert (folder / "out").read_text(encoding="utf-8") == "one"
    assert "working" in (folder / "work.log").read_text(encoding="utf-8")


def test_step_runs_again_when_its_input_its_tool_or_its_output_changes(folder):
    run_step(step(COPY), folder)
    (folder / "in").write_text("two", encoding="utf-8")
    assert run_step(step(COPY), folder)
    assert (folder / "out").read_text(encoding="utf-8") == "two"
    assert run_step(step(COPY, version="2"), folder)
    (folder / "out").unlink()
    assert run_step(step(COPY, version="2"), folder)


def test_failure_keeps_the_earlier_output_and_says_what_the_tool_said(folder):
    run_step(step(COPY), folder)
    failing = "open('out', 'w').write('half'); print('ERROR: no room for cell x'); raise SystemExit(3)"
    with pytest.raises(TrineError) as error:
        run_step(step(failing, version="2"), folder)
    message = str(error.value)
    assert "status 3" in message and "no room for cell x" in message and str(folder / "work.log") in message
    assert (folder / "out").read_text(encoding="utf-8") == "one"
    assert run_step(step(COPY), folder)  # what failed is not taken for done


def test_killed_tool_is_said_to_be_killed(folder):
    with pytest.raises(TrineError, match="was killed by SIGKILL"):
        run_step(step("import os; os.kill(os.getpid(), 9)"), folder)
    assert not (folder / "out").exists()


def test_missing_output_is_an_error(folder):
    with pytest.raises(TrineError, match="without writing out"):
        run_step(step("pass"), folder)


def test_interruption_ends_the_tool_and_keeps_the_earlier_output(folder):
    run_step(step(COPY), folder)
    waiting = "import time; open('out', 'w').write('half'); time.sleep(600)"

    def interrupt(seconds: float) -> None:
        if seconds > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_step(step(waiting, version="2"), folder, interrupt)
    assert (folder / "out").read_text(encoding="utf-8") == "one"
    assert not (folder / "work.partial").exists()
