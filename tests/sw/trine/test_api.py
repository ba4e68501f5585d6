"""The public interface: what ``trine`` has, what it needs, and every example of its documentation."""

import asyncio
import doctest
import hashlib
import importlib
import inspect
import json
import pkgutil
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import trine
from tests.helpers.paths import ROOT
from trine_sw.data import DataSet, Part, TextFile
from trine_sw.data import text as data
from trine_sw.support.errors import MissingPackage

NAMES = sorted(set(trine.__all__) - {"__version__"})
NEEDING_TORCH = ("Recipe", "export", "nn", "train")
#: Seconds that ``import trine`` may take.
FAST = 0.3


def in_fresh_process(program: str, **options) -> str:
    """What a program prints that runs in a Python of its own, with the packages of this tree."""
    paths = [str(ROOT / folder) for folder in ("sw", "hw", "boards")]
    first = f"import sys; sys.path[:0] = {paths!r}\n"
    command = [sys.executable, "-c", first + program]
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


@pytest.fixture
def folder(tmp_path, monkeypatch, tools):
    """The folder that examples run in: with a model, a text, and tools that are fast."""
    shutil.copy(ROOT / "models" / "shakespeare-small.trine", tmp_path / "m.trine")
    symbols = trine.Model.load(tmp_path / "m.trine").vocabulary
    assert symbols is not None
    text = "".join(symbols) * 160
    (tmp_path / "data" / "shakespeare").mkdir(parents=True)
    (tmp_path / "data" / "shakespeare" / "input.txt").write_text(text, encoding="utf-8")
    digest = hashlib.sha256(text.encode()).hexdigest()
    file = TextFile("shakespeare/input.txt", "https://example.org", digest)
    parts = {"train": Part(file, 0, 90), "valid": Part(file, 90)}
    monkeypatch.setitem(data.DATA_SETS, "shakespeare", DataSet(parts))
    monkeypatch.setenv("TRINE_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    data._read.cache_clear()
    data._symbols.cache_clear()
    yield tmp_path
    data._read.cache_clear()
    data._symbols.cache_clear()


def run_examples(name: str, thing: object) -> None:
    """Run the examples of a docstring, of which there must be some."""
    text = inspect.getdoc(thing)
    assert text, f"{name} has no docstring"
    variables = {"trine": trine, "np": np, "asyncio": asyncio}
    if "torch" in text:
        variables["torch"] = pytest.importorskip("torch")
        variables |= {each: getattr(trine.nn, each) for each in trine.nn.__all__}
    test = doctest.DocTestParser().get_doctest(text, variables, name, None, None)
    assert test.examples, f"{name} has no example"
    shown: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=shown.append)
    assert not runner.failures, "".join(shown)


#: trine.build places and routes; test_build does that for every change, by the command.
EXAMPLES = [
    pytest.param(name, marks=pytest.mark.nightly) if name == "build" else name
    for name in NAMES
    if name != "nn"
]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_public_names(name, folder, monkeypatch):
    if name in NEEDING_TORCH:
        recurrence = pytest.importorskip("trine_sw.training.nn.recurrence")
        monkeypatch.setattr(recurrence, "can_compile", lambda: False)  # which takes longer than to train
    run_examples(f"trine.{name}", getattr(trine, name))


def test_examples_of_nn(folder):
    pytest.importorskip("torch")
    for name in trine.nn.__all__:
        run_examples(f"trine.nn.{name}", getattr(trine.nn, name))


def test_every_name_is_there():
    assert set(trine.__all__) <= set(dir(trine))
    namespace: dict[str, object] = {}
    exec("from trine import *", namespace)
    assert set(trine.__all__) - {"__version__"} <= set(namespace)
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        _ = trine.fitt  # pyright: ignore[reportAttributeAccessIssue]
    assert (ROOT / "sw" / "trine" / "py.typed").is_file()


def test_no_module_takes_the_place_of_a_name():
    """A module that is imported becomes an attribute of its package."""
    modules = {module.name for module in pkgutil.iter_modules(trine.__path__)}
    assert modules & set(trine.__all__) == {"nn"}
    pytest.importorskip("torch")
    for module in sorted(modules - {"__main__"}):
        importlib.import_module(f"trine.{module}")
    assert all(callable(getattr(trine, name)) for name in set(NAMES) - {"boards", "nn"})


def test_import_is_fast_and_imports_little():
    program = (
        "import json, sys, time; start = time.perf_counter(); import trine\n"
        "seconds = time.perf_counter() - start\n"
        "print(json.dumps([seconds, [n for n in ('torch', 'amaranth', 'numpy') if n in sys.modules]]))"
    )
    tries = [json.loads(in_fresh_process(program)) for _ in range(3)]
    assert min(seconds for seconds, _ in tries) < FAST
    assert tries[0][1] == []


def test_without_torch_and_amaranth(tmp_path):
    shutil.copy(ROOT / "models" / "shakespeare-small.trine", tmp_path / "m.trine")
    program = """
for name in ("torch", "amaranth", "amaranth_boards"):
    sys.modules[name] = None
import trine
with trine.Board.open("golden:m.trine") as board:
    print(board.model.decode(board.generate(board.model.encode("ROMEO:"), 20)))
print(trine.evaluate("m.trine", "To be")["tokens"], trine.EngineConfig(5, 1).lanes)
for name in ("Recipe", "export", "nn", "train"):
    try:
        getattr(trine, name)
    except trine.TrineError as error:
        print(error)
try:
    from trine.nn import TernaryGRU
except ImportError as error:
    print(error)
"""
    shown = in_fresh_process(program, cwd=tmp_path).splitlines()
    assert shown[-6] == "4 5"
    for line, name in zip(shown[-5:], [*NEEDING_TORCH, "nn"], strict=True):
        assert line.startswith(f"trine.{name} needs torch, which is missing: pip install -e ")
        assert line.endswith("[train]") or line.endswith("[train]'")


def test_every_form_of_url_is_known_where_a_url_is_taken(tmp_path):
    shutil.copy(ROOT / "models" / "shakespeare-small.trine", tmp_path / "m.trine")
    program = """
import trine
try:
    trine.evaluate("m.trine", "To be", backend="nowhere")
except trine.TrineError as error:
    print(error)
"""
    shown = in_fresh_process(program, cwd=tmp_path)
    assert "'nowhere' is no board" in shown and "verilator:M.trine" in shown and "golden:M.trine" in shown


def test_missing_package_is_an_error_of_trine():
    assert issubclass(MissingPackage, trine.TrineError)


def test_python_m_trine():
    shown = in_fresh_process("import runpy; sys.argv[1:] = ['--version']; runpy.run_module('trine')")
    assert trine.__version__ in shown


def test_values_that_are_refused(folder):
    model = trine.Model.load("m.trine")
    fit = trine.fit(model, "ulx3s")
    assert fit.chip is trine.boards["ulx3s"] and trine.fit("m.trine", fit.chip) == fit
    for call, saying in (
        (lambda: trine.fit(model, "nexys"), "no board 'nexys'; there are: butterstick, "),
        (lambda: trine.fit(3, "ulx3s"), "a Model, or the path of its file, not 3"),  # pyright: ignore
        (lambda: trine.fit(model, "ulx3s", lanes=9), "lanes and banks together"),
        (lambda: trine.build(model, fit.engine), "must come from trine.fit"),  # pyright: ignore
        (lambda: trine.build(model, fit, margin=1), "margin must be 0 or more, and less than 1, not 1"),
        (lambda: trine.build(model, fit, seeds=0), "seeds must be from 1 to 1000, not 0"),
        (lambda: trine.evaluate(model, "T"), "at least two symbols"),
        (lambda: trine.evaluate(model, [3, 65]), "tokens must be from 0 to 64"),
        (lambda: trine.evaluate(model, "To", head_kind="float"), "no float head"),
    ):
        with pytest.raises(trine.TrineError, match=saying):
            call()


def test_a_board_too_small_names_one_that_is_not():
    model = ROOT / "models" / "shakespeare.trine"
    with pytest.raises(trine.TrineError, match="the smallest board that holds it is") as caught:
        trine.fit(model, "icebreaker")
    (named,) = re.findall(r"holds it is ([\w-]+);", str(caught.value))
    assert trine.fit(model, named).chip.lut4 < trine.boards["ulx3s"].lut4


def test_tokens_and_text_are_measured_alike():
    model = trine.Model.load(ROOT / "models" / "shakespeare-small.trine")
    text = "To be, or not to be, that is the question"
    of_text = trine.evaluate(model, text)
    assert of_text == trine.evaluate(model, model.encode(text)) == trine.evaluate(model, text, limit=99)
    assert of_text["tokens"] == len(text) - 1 and trine.evaluate(model, text, limit=3)["tokens"] == 3
    path = ROOT / "models" / "shakespeare-small.trine"
    assert of_text == trine.evaluate(model, text, backend=f"golden:{path}")
