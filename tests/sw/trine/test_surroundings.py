"""Simulators are compiled and run wherever the user is, whatever his environment has for other projects."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from trine import Board
from trine.backends import open_backend
from trine_hw.simulation.launch import run_cocotb
from trine_sw.golden import Golden
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support import toolchain
from trine_sw.support.environment import child_environment

#: For make, the shell, the linker and Verilog's strings.
PATH = 'it\'s a "cache" of $HOME #1; é & (co)'
#: Variables that name or alter what is built and run, each with a value that would break it.
HOSTILE = {
    "WAVES": "1",
    "GUI": "yes",
    "SIM": "questa",
    "SIM_CMD_PREFIX": "false",
    "TOPLEVEL": "nothing",
    "MODULE": "nothing",
    "TESTCASE": "nothing",
    "RANDOM_SEED": "none",
    "COCOTB_TEST_FILTER": "nothing",
    "COCOTB_TESTCASE": "nothing",
    "COCOTB_TEST_MODULES": "nothing",
    "COCOTB_TOPLEVEL": "nothing",
    "COCOTB_USER_COVERAGE": "1",
    "COCOTB_RANDOM_SEED": "none",
    "COCOTB_LIST_TESTS": "1",
    "COCOTB_LOG_LEVEL": "LOUD",
    "COCOTB_RESOLVE_X": "wrong",
    "COCOTB_RESULTS_FILE": "/nonexistent/results",
    "COVERAGE": "1",
    "GPI_EXTRA": "/nonexistent.so:start",
    "GPI_USERS": "/nonexistent.so,start",
    "GPI_LOG_LEVEL": "LOUD",
    "PYGPI_PYTHON_BIN": "/nonexistent",
    "PYGPI_USERS": "nothing:start",
    "LIBPYTHON_LOC": "/nonexistent.so",
    "PYTHONWARNINGS": "error",
    "PYTHONHOME": "/nonexistent",
    "PYTHONINSPECT": "1",
    "PYTHONOPTIMIZE": "2",
    "PYTEST_CURRENT_TEST": "a::b (call)",
    "MAKEFLAGS": "n",
    "MAKEFILES": "/nonexistent.mk",
    "GNUMAKEFLAGS": "--no-such-option",
    "CXXFLAGS": "-no-such-option",
    "CPPFLAGS": "-no-such-option",
    "CFLAGS": "-no-such-option",
    "LDFLAGS": "-no-such-option",
    "LDLIBS": "-lnothing",
    "VM_TRACE": "9",
    "OPT_FAST": "-no-such-option",
    "CFG_LDLIBS_THREADS": "-lnothing",
    "USER_CPPFLAGS": "-no-such-option",
    "VERILATOR_ROOT": "/nonexistent",
    "VERILATOR_BIN": "nothing",
    "OBJCACHE": "nothing",
    "PERL5OPT": "-Mnothing",
    "YOSYS": "/nonexistent",
    "AMARANTH_USE_YOSYS": "none",
    "AMARANTH_verbose": "1",
}
simulators = pytest.mark.parametrize(
    "simulator", [pytest.param("verilator", marks=pytest.mark.nightly), "icarus"]
)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A model file in a folder of an awkward name."""
    folder = tmp_path / PATH
    folder.mkdir()
    path = folder / "m.trine"
    random_model(ModelConfig(hidden=2, embedding=2, vocab_size=3), seed=1).save(path)
    return path


@pytest.fixture
def awkward(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Cache, temporary files, Verilator and cocotb at awkward paths, and every hostile variable."""
    from cocotb_tools import config

    place = tmp_path / "an other 'place'"
    place.mkdir()
    (place / "tmp").mkdir()
    for name, target in (("libs", config.libs_dir), ("share", config.share_dir)):
        (place / name).symlink_to(target)
        monkeypatch.setattr(config, f"{name}_dir", place / name)
    verilator = toolchain._package_folder("verilator")
    assert verilator is not None
    (place / "verilator").symlink_to(verilator)
    found = toolchain._package_folder
    monkeypatch.setattr(
        toolchain, "_package_folder", lambda name: place / name if name == "verilator" else found(name)
    )
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TMPDIR", str(place / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("TRINE_CACHE", str(tmp_path / PATH / "cache"))
    toolchain.find.cache_clear()
    yield
    toolchain.find.cache_clear()


def test_hostile_variables_do_not_reach_children(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LM_LICENSE_FILE", "here")
    found = child_environment({"MAKEFLAGS": "own"}, PATH="/bin")
    assert not [name for name, value in HOSTILE.items() if found.get(name) == value]
    assert (found["MAKEFLAGS"], found["PATH"], found["LM_LICENSE_FILE"]) == ("own", "/bin", "here")
    assert found["HOME"] == os.environ["HOME"]


@simulators
@pytest.mark.usefixtures("awkward")
def test_an_engine_is_compiled_and_run_anywhere(tiny: Path, simulator: str) -> None:
    model = Model.load(tiny)
    tokens = [1, 2, 0, 1]
    for _ in range(2):  # compiled, and kept
        found = open_backend(simulator, model).run(tokens)
        trace = Golden(model).run(tokens)
        assert np.array_equal(found.h, trace.h) and np.array_equal(found.logits, trace.logits)
    kept = [folder.name.split("-")[0] for folder in (tiny.parent / "cache/simulators").iterdir()]
    assert sorted(kept) == sorted([simulator, "verilog"])


@pytest.mark.parametrize("simulator", [pytest.param("verilator", marks=pytest.mark.nightly), "icarus"])
@pytest.mark.usefixtures("awkward")
def test_a_board_is_compiled_and_run_anywhere(tiny: Path, simulator: str, monkeypatch) -> None:
    monkeypatch.chdir(tiny.parent)
    model = Model.load(tiny)
    with Board.open(f"{simulator}:m.trine") as board:
        found = [step.h for step in board.stream([1, 2, 0])]
    assert np.array_equal(found, Golden(model).run([1, 2, 0]).h)


@pytest.mark.usefixtures("awkward")
def test_waveforms_at_an_awkward_path(tiny: Path) -> None:
    waves = tiny.with_name("a b.fst")
    open_backend("icarus", Model.load(tiny), waves=waves).run([1, 2])
    assert waves.stat().st_size > 500


def test_a_simulation_that_ends_at_once_says_why(tmp_path: Path) -> None:
    (tmp_path / "sim.vvp").write_text("no program\n", encoding="utf-8")
    with pytest.raises(Exception, match=r"the simulation in icarus ended with status \d+: .*sim.vvp"):
        run_cocotb(tmp_path, "icarus", tmp_path, "nothing")


def children(parent: int | str) -> list[str]:
    """The processes that a process has started, and those that these have."""
    found = []
    try:
        for task in Path(f"/proc/{parent}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                found += [child, *children(child)]
    except OSError:  # ended meanwhile
        pass
    return found


def simulations(parent: int) -> list[str]:
    """Of the processes that a process has started, directly or not: those of Icarus that run."""
    running = []
    for child in children(parent):
        with suppress(OSError):
            if b"vvp" in Path(f"/proc/{child}/cmdline").read_bytes():
                running.append(child)
    return running


EVAL = """
import hashlib
from trine_sw.data import text as data
text = "abc" * 20000
open("sea.txt", "w", encoding="utf-8").write(text)
file = data.TextFile("sea.txt", "https://example.org/sea", hashlib.sha256(text.encode()).hexdigest())
data.DATA_SETS["sea"] = data.DataSet({"valid": data.Part(file)})
"""


@pytest.mark.parametrize(
    ("command", "end"), [("run", signal.SIGTERM), ("generate", signal.SIGINT), ("eval", signal.SIGTERM)]
)
def test_a_signal_ends_a_simulation(process, tmp_path: Path, command: str, end: signal.Signals) -> None:
    model = random_model(ModelConfig(hidden=2, embedding=2, vocab_size=3), seed=1)
    model.vocabulary = ["a", "b", "c"]
    model.save(tmp_path / "m.trine")
    (tmp_path / "text").write_text("0 1 2 " * 20_000, encoding="utf-8")
    arguments = {
        "run": ["run", "m.trine", "--tokens", "text"],
        "generate": ["generate", "m.trine", "--prompt", "a", "--count", 60_000],
        "eval": ["eval", "m.trine", "--dataset", "sea", "--processes", 2],
    }[command]
    environment = {"TRINE_DATA": str(tmp_path), "TMPDIR": str(tmp_path)}
    started = process(*arguments, "--backend", "icarus", first=EVAL, cwd=tmp_path, env=environment)
    deadline = time.monotonic() + 300
    while not (running := simulations(started.pid)):
        assert started.poll() is None and time.monotonic() < deadline, started.communicate()
        time.sleep(0.1)
    running += children(started.pid)  # worker processes too
    started.send_signal(end)
    _, said = started.communicate(timeout=300)
    assert started.returncode == 128 + end and "Traceback" not in said
    assert "Error: " in said and "interrupted" in said
    deadline = time.monotonic() + 60  # what was killed may take a while to end on a busy machine
    while left := [n for n in running if Path(f"/proc/{n}/fd").exists()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    assert not list(tmp_path.glob("trine-*"))  # temporary files
