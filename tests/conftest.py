"""The command line as tests use it: in this process, or in one of its own."""

import hashlib
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from tests.helpers.paths import ROOT
from tests.helpers.stand_in_tools import write_tools
from trine.cli.commands import cli
from trine_sw.data import DataSet, Part, TextFile
from trine_sw.data import text as data
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support import toolchain

SEA = "what is it that you would say to me of the sea, and what of the trees? " * 60


@pytest.fixture
def model():
    """A model of eight printable symbols, of 6 units."""
    return random_model(ModelConfig(hidden=6, embedding=4, vocab_size=8), seed=1)


@pytest.fixture
def model_path(model, tmp_path):
    path = tmp_path / "small.trine"
    model.save(path)
    return path


@pytest.fixture
def trine():
    """Runs a command in this process; its result has ``stdout``, ``stderr`` and ``exit_code``."""

    def run(*arguments):
        return CliRunner().invoke(cli, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def succeeds(trine):
    """Runs a command that must succeed, and gives what it wrote on standard output."""

    def check(*arguments):
        result = trine(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    return check


@pytest.fixture
def fails(trine):
    """Runs a command that must end with status 1 and one message, of one line, with these words in it."""

    def check(*arguments, saying):
        result = trine(*arguments)
        assert result.exit_code == 1 and isinstance(result.exception, SystemExit), result.output
        assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1, result.output
        assert not result.stdout
        for words in (saying,) if isinstance(saying, str) else saying:
            assert words in result.stderr
        return result.stderr

    return check


@pytest.fixture
def process():
    """Starts a command in a process of its own, after a line of Python that prepares it."""
    started = []

    def start(*arguments, first="", **options):
        program = f"{first}\nfrom trine.cli import main\nmain()"
        root = ROOT
        paths = [str(root / name) for name in ("sw", "hw", "boards")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **options.pop("env", {})}
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
        command = [sys.executable, "-c", program, *map(str, arguments)]
        started.append(subprocess.Popen(command, env=environment, **options))
        return started[-1]

    yield start
    for each in started:
        if each.poll() is None:
            each.kill()
        each.communicate()


@pytest.fixture
def sea(monkeypatch, tmp_path):
    """A data set "sea" of a short text that repeats itself, and the empty folder ``tmp_path`` to work in."""
    folder = tmp_path / "data"
    (folder / "sea").mkdir(parents=True)
    (folder / "sea/input.txt").write_text(SEA, encoding="utf-8")
    digest = hashlib.sha256(SEA.encode()).hexdigest()
    file = TextFile("sea/input.txt", "https://example.org/sea", digest)
    monkeypatch.setitem(data.DATA_SETS, "sea", DataSet({"train": Part(file, 0, 90), "valid": Part(file, 90)}))
    monkeypatch.setenv("TRINE_DATA", str(folder))
    monkeypatch.chdir(tmp_path)
    data._read.cache_clear()
    data._symbols.cache_clear()
    yield SEA
    data._read.cache_clear()
    data._symbols.cache_clear()


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A folder of stand-ins for the tools of a build, first on PATH."""
    folder = tmp_path / "tools"
    write_tools(folder)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setenv("TEST_MHZ", "75")
    toolchain.find.cache_clear()
    yield folder
    toolchain.find.cache_clear()
