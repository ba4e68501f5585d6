"""Waveforms: every signal that the view names is in the file."""

import re
import shutil
import zlib
from pathlib import Path

import pytest

from trine.backends import open_backend
from trine_hw.simulation.waves import view_signals
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError


def signals_of_vcd(path: Path) -> set[str]:
    """Hierarchical names in a value change dump, with ``[msb:lsb]`` where it has them."""
    scopes, names = [], set()
    for line in path.read_text(encoding="utf-8").split("$enddefinitions")[0].splitlines():
        words = line.split()
        if words[:1] == ["$scope"]:
            scopes.append(words[2])
        elif words[:1] == ["$upscope"]:
            scopes.pop()
        elif words[:1] == ["$var"]:
            names.add(".".join(scopes) + "." + "".join(words[4:-1]))
    return names


def signals_of_fst(path: Path) -> set[str]:
    """The same of an FST: its hierarchy is a block of kind 4, gzipped."""
    data, at = path.read_bytes(), 0
    while data[at] != 4:
        at += 1 + int.from_bytes(data[at + 1 : at + 9], "big")
    end = at + 1 + int.from_bytes(data[at + 1 : at + 9], "big")
    tree = zlib.decompress(data[at + 17 : end], wbits=31)
    scopes, names, at = [], set(), 0

    def text() -> str:
        nonlocal at
        end = tree.index(0, at)
        found, at = tree[at:end].decode(), end + 1
        return found

    def varint() -> None:
        nonlocal at
        while tree[at] & 0x80:
            at += 1
        at += 1

    while at < len(tree):
        kind, at = tree[at], at + 1
        if kind == 254:
            at += 1
            scopes.append(text())
            text()
        elif kind == 255:
            scopes.pop()
        elif kind == 252:  # an attribute
            at += 2
            text()
            varint()
        elif kind == 253:
            pass
        else:
            assert kind < 30, "no variable"
            at += 1
            names.add(".".join(scopes) + "." + text().replace(" ", ""))
            varint()
            varint()
    return names


@pytest.mark.parametrize(
    ("simulator", "suffix", "read"),
    [
        pytest.param("verilator", ".vcd", signals_of_vcd, marks=pytest.mark.nightly),
        pytest.param(
            "icarus",
            ".fst",
            signals_of_fst,
            marks=pytest.mark.skipif(not shutil.which("iverilog"), reason="Icarus is not installed"),
        ),
    ],
)
def test_the_view_names_signals_of_the_file(tmp_path, simulator, suffix, read) -> None:
    model = random_model(ModelConfig(hidden=2, embedding=2, vocab_size=3), seed=1)
    waves = tmp_path / f"run{suffix}"
    open_backend(simulator, model, waves=waves).run([1, 2, 0, 1])
    view = waves.with_suffix(".gtkw").read_text(encoding="utf-8")
    named = re.findall(r"^top\..*$", view, re.MULTILINE)
    for part in ("i__valid", "source.x", "issue.addr", "issue.trits", "lanes.sum_0", "block_0.c_0_0"):
        assert any(part in name for name in named), part
    assert not set(named) - read(waves)
    assert f'"{waves.resolve()}"' in view


def test_refusals(tmp_path) -> None:
    model = random_model(ModelConfig(hidden=2, embedding=2, vocab_size=3), seed=1)
    for name, file, words in (
        ("golden", "a.vcd", "only a simulator"),
        ("verilator", "a.fst", "writes .vcd"),
        ("verilator", "none/a/b.vcd", "cannot"),
    ):
        (tmp_path / "none").touch()
        with pytest.raises(TrineError, match=words):
            open_backend(name, model, waves=tmp_path / file).run([1])
    assert not list(tmp_path.glob("*.gtkw"))


def test_a_view_of_other_verilog_is_empty() -> None:
    assert all(not signals for _, signals in view_signals("module top(a);\n  wire a;\nendmodule\n"))
