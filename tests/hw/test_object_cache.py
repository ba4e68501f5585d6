"""Verilator's library is compiled once, and anew wherever the object could be another."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trine_hw.simulation import object_cache
from trine_hw.simulation.object_cache import compile_once, with_object_cache

#: Notes that it was called, and writes its arguments and the source as the object; fails where told to.
COMPILER = """#!/bin/sh
echo "$@" >> {calls}
[ -e {trouble} ] && exit 3
while [ $# -gt 1 ]; do [ "$1" = -o ] && target=$2; shift; done
{{ cat "$1"; }} > "$target"
"""


@pytest.fixture
def library(tmp_path):
    """A folder with a source of the library, a header beside it, and a compiler that counts its calls."""
    (tmp_path / "verilated.cpp").write_text("one", encoding="utf-8")
    (tmp_path / "verilated.h").write_text("header", encoding="utf-8")
    compiler = tmp_path / "c++"
    compiler.write_text(
        COMPILER.format(calls=tmp_path / "calls", trouble=tmp_path / "trouble"), encoding="utf-8"
    )
    compiler.chmod(0o755)
    (tmp_path / "calls").touch()
    return tmp_path


def calls(library: Path) -> int:
    return len((library / "calls").read_text(encoding="utf-8").splitlines())


def compiled(library: Path, *flags: str, source: str = "verilated.cpp", target: str = "a.o") -> str:
    command = [str(library / "c++"), *flags, "-c", "-o", str(library / target), str(library / source)]
    assert compile_once(command, library / "cache") == 0
    return (library / target).read_text(encoding="utf-8")


def test_the_second_object_is_a_copy(library):
    assert compiled(library) == "one"
    assert compiled(library, target="elsewhere.o") == "one" and calls(library) == 2  # of another name
    (library / "a.o").unlink()
    assert compiled(library) == "one" and calls(library) == 2
    assert compiled(library) == "one" and calls(library) == 2
    assert not list((library / "cache").glob(".*"))


def test_flags_source_headers_and_compiler_each_make_another(library, monkeypatch):
    compiled(library)
    compiled(library, "-O2")
    (library / "verilated.h").write_text("changed", encoding="utf-8")
    compiled(library)
    (library / "verilated.cpp").write_text("two", encoding="utf-8")
    assert compiled(library) == "two"
    os.utime(library / "c++", (0, 0))
    compiled(library)
    monkeypatch.setenv("CPATH", "/elsewhere")
    compiled(library)
    assert calls(library) == 6
    compiled(library)
    assert calls(library) == 6


def test_a_design_is_compiled_each_time(library):
    (library / "Vtop.cpp").write_text("design", encoding="utf-8")
    for _ in range(2):
        assert compiled(library, source="Vtop.cpp") == "design"
    assert calls(library) == 2 and not (library / "cache").exists()


def test_a_failure_is_told_and_not_kept(library):
    (library / "trouble").touch()
    command = [str(library / "c++"), "-c", "-o", str(library / "a.o"), str(library / "verilated.cpp")]
    assert compile_once(command, library / "cache") == 3
    assert not (library / "cache").exists()


def test_without_a_folder_to_write_to_it_compiles(library):
    (library / "cache").touch()
    for _ in range(2):
        assert compiled(library) == "one"
    assert calls(library) == 2


def test_make_calls_it_before_the_compiler(library, monkeypatch):
    """As Verilator's makefiles do, from a path that make and the shell would take apart."""
    place = library / "a $HOME 'b"
    place.mkdir()
    program = place / "object_cache.py"
    program.write_bytes(Path(object_cache.__file__).read_bytes())
    monkeypatch.setattr(object_cache, "__file__", str(program))
    rule = f"a.o:\n\t$(OBJCACHE) {library}/c++ -c -o $@ {library}/verilated.cpp\n"
    (library / "Makefile").write_text(rule, encoding="utf-8")
    environment = with_object_cache(dict(os.environ), library / "cache")
    for _ in range(2):
        (library / "a.o").unlink(missing_ok=True)
        subprocess.run(["make", "-s"], cwd=library, env=environment, check=True)
        assert (library / "a.o").read_text(encoding="utf-8") == "one"
    assert calls(library) == 1 and sys.executable in environment["OBJCACHE"]
