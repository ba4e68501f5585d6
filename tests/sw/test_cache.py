"""Where compiled files are kept, by whom they can be used, and what is said where they cannot be."""

import os
import pwd
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trine_hw.simulation.compilation import kept, sweep, telling_lines
from trine_sw.support import plain_path
from trine_sw.support.cache import cache_folder
from trine_sw.support.errors import TrineError
from trine_sw.support.toolchain import Tool

NOTHING = Tool("true", ("true",), "native", "1")
#: Compiles, as far as the cache can see, until it is killed.
COMPILER = """
import sys, time
from pathlib import Path
from trine_hw.simulation.compilation import kept
from trine_sw.support.toolchain import Tool
def make(work):
    print(work, flush=True)
    return [["sleep", "60"]]
kept("simulator", Tool("sleep", ("sleep",), "native", "1"), make, cache=Path(sys.argv[1]))
"""


@pytest.fixture
def homeless(monkeypatch):
    """A user whom the system does not know, without a home directory."""

    def unknown(number):
        raise KeyError(number)

    for name in ("HOME", "TRINE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_the_cache_is_where_it_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("TRINE_CACHE", str(tmp_path / "mine"))
    assert cache_folder("simulators") == tmp_path / "mine/simulators"
    monkeypatch.delenv("TRINE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg/trine" and (tmp_path / "xdg/trine").is_dir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRINE_CACHE", "here")
    assert cache_folder("yowasp") == tmp_path / "here/yowasp"


@pytest.mark.usefixtures("homeless")
def test_without_a_home_directory(fails, succeeds, model_path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = ("no home directory", "set TRINE_CACHE to a folder")
    run = ("run", model_path, "--text", "!", "--backend")
    for backend in ("icarus", "verilator", f"icarus:{model_path}"):
        fails(*run, backend, saying=said)
    assert not (tmp_path / "~").exists()
    succeeds("verilog", model_path, "--lanes", 30, "--banks", 2, "-o", tmp_path / "out")
    assert "TRINE_CACHE" in succeeds("bench", model_path, "--seconds", 0.01)
    monkeypatch.setenv("TRINE_CACHE", str(tmp_path / "cache"))
    succeeds(*run, "icarus")
    assert "TRINE_CACHE" not in succeeds("bench", model_path, "--seconds", 0.01)
    assert {path.name.split("-")[0] for path in (tmp_path / "cache").iterdir()} == {"simulators", "popcount"}


@pytest.mark.parametrize("where", ["a file", "/proc/version/home", "read-only"])
def test_a_home_that_cannot_be_written_to(fails, succeeds, model_path, tmp_path, monkeypatch, where):
    home = tmp_path / where
    if where == "a file":
        home.touch()
    elif where == "read-only":
        home.mkdir()
        allowed = os.access  # the superuser may write everywhere
        monkeypatch.setattr(
            os, "access", lambda path, mode: str(home) not in str(path) and allowed(path, mode)
        )
    for name in ("TRINE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    said = (f"cannot use {home}/.cache/trine", "set TRINE_CACHE to a folder that you may write to")
    fails("run", model_path, "--text", "!", "--backend", "icarus", saying=said)
    succeeds("verilog", model_path, "--lanes", 30, "--banks", 2, "-o", tmp_path / "out")


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o002])
def test_what_is_kept_can_be_used_by_those_whom_the_umask_allows(tmp_path, mask):
    def make(work):
        (work / "simulator").touch(mode=0o777)
        return [["true"]]

    before = os.umask(mask)
    try:
        folder = kept("one", NOTHING, make, cache=tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777 & ~mask
    assert sorted(path.name for path in folder.iterdir()) == ["build.log", "simulator"]
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_compilations_that_were_killed_are_swept(tmp_path):
    dead, alive = (
        subprocess.Popen([sys.executable, "-c", COMPILER, tmp_path], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    )
    try:
        left, going = (Path(each.stdout.readline().strip()) for each in (dead, alive) if each.stdout)
        dead.kill()
        dead.wait()
        old, new = tmp_path / ".earlier-a1b2", tmp_path / ".begun-c3d4"
        for folder in (old, new):
            folder.mkdir()
        os.utime(old, (0, 0))
        assert left.is_dir() and going.is_dir()
        end = time.monotonic() + 20
        while left.exists() and time.monotonic() < end:  # a child that is just begun holds the lock too
            sweep(tmp_path)
        assert sorted(tmp_path.iterdir()) == sorted([going, new])
        kept("other", NOTHING, lambda work: [["true"]], cache=tmp_path)
        assert going.is_dir()
    finally:
        alive.terminate()
        alive.communicate()
        dead.communicate()


def test_an_interrupted_compilation_leaves_nothing(tmp_path):
    program = "from trine_sw.support.interruption import interruptible\nwith interruptible():"
    program += COMPILER.replace("\n", "\n    ")
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        assert started.stdout
        work = Path(started.stdout.readline().strip())
        assert work.is_dir()
        started.terminate()
        _, said = started.communicate(timeout=300)
    assert "the build of the sleep simulator was interrupted; run it again" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "error",
    [
        "%Error: top.v:3:1: syntax error, unexpected end",
        "top.cpp:12:3: error: 'x' was not declared in this scope",
        "/x/a.cpp:1:10: fatal error: vpi.h: No such file or directory",
        "/usr/bin/ld: cannot find -lcocotbvpi_verilator: No such file or directory",
        "collect2: error: ld returned 1 exit status",
        "make: *** [Vtop.mk:63: top] Error 1",
        "top.v:5: error: Unable to bind wire/reg/memory",
        "sh: 1: python3: not found",
    ],
)
def test_messages_quote_the_lines_that_tell(tmp_path, error):
    log = ["g++ -I. -c top.cpp -Werror=none", "framing_error <= 0;  // carries the error", error, "mirror"]
    assert telling_lines(log) == [error]
    script = "\n".join(f"echo {line!r}" if "'" not in line else f'echo "{line}"' for line in log)
    with pytest.raises(TrineError) as raised:
        kept("bad", NOTHING, lambda work: [["sh", "-c", script + "\nexit 1"]], cache=tmp_path)
    assert str(raised.value) == f"sh failed: {error} (log: {tmp_path / 'bad.log'})"
    assert [path.name for path in tmp_path.iterdir()] == ["bad.log"]


def test_without_a_telling_line_the_last_ones_are_shown():
    assert telling_lines(["a", "b", "", "framing_error", "d"]) == ["b", "framing_error", "d"]


def test_plain_paths(tmp_path):
    assert plain_path.plain_path(tmp_path / "a-b_c.d") == tmp_path / "a-b_c.d"
    for name in ("a b", "it's", "é", "$x", "#", "a;b", "a&b", "a(b", "a\\b", "a:b", "a%b", "a=b", "a~b", "*"):
        (tmp_path / name).mkdir()
        link = plain_path.plain_path(tmp_path / name)
        assert link.resolve() == tmp_path / name and plain_path.plain_path(tmp_path / name) == link
        assert not set(str(link)) & set(" '$#;&()\\:%=~*\"é")
