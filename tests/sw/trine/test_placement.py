"""Places of embedding and head: the same options everywhere, and the same outputs wherever they are."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

import trine as api
from tests.helpers.task_models import TASKS, features, task_model
from trine_boards.build.netlist_digest import elaborated_digest
from trine_sw.engine.default import default_engine
from trine_sw.engine.placement import Placement
from trine_sw.golden import Golden
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

PLACES = [(embedding, head) for embedding in ("board", "host") for head in ("board", "host")]
SYMBOLS = "abcdefg"


def language(**parts):
    config = ModelConfig(hidden=9, embedding=5, vocab_size=7, cell_max=15, head_levels=(0, 1, 3))
    return replace(random_model(config, seed=3, activity=0.6), vocabulary=list(SYMBOLS), **parts)


def with_float_head(model):
    rng = np.random.default_rng(7)
    shape = (model.config.vocab_size, model.config.hidden)
    weight, bias = rng.normal(size=shape), rng.normal(size=shape[0])
    return replace(model, host_head_weight=weight.astype(np.float16), host_head_bias=bias.astype(np.float16))


@pytest.mark.parametrize("places", PLACES, ids="-".join)
def test_a_board_is_made_as_it_is_asked_for(tmp_path, places):
    model = language()
    model.save(tmp_path / "m.trine")
    with api.Board.open(f"golden:{tmp_path / 'm.trine'}", embedding=places[0], head=places[1]) as board:
        assert (board.info.embedding_on_board, board.info.head_on_board) == tuple(
            place == "board" for place in places
        )
        found = board.generate([1, 2], 9, 1.0, 5)
    np.testing.assert_array_equal(found, Golden(model).generate([1, 2], 9, 1.0, 5))


#: Without a ternary head.
NO_HEAD = dict.fromkeys(("head_weight", "head_bias", "head_scale"))
MODELS = {
    "language": language,
    "language, two heads": lambda: with_float_head(language()),
    "language, float head": lambda: replace(with_float_head(language()), **NO_HEAD),
    "language, no head": lambda: language(**NO_HEAD),
    "language, no embedding": lambda: language(embedding_weight=None),
    **{task: lambda task=task: task_model(task) for task in TASKS},
    "classify, two heads": lambda: task_model("classify", head="both", reduction="sum"),
    "label, float head": lambda: task_model("label", head="float"),
    "regress, no head": lambda: task_model("regress", head=None),
    "classify, no encoder": lambda: task_model("classify", encoder=False),
}
COMMANDS = {
    "run": (),
    "eval": (),
    "generate": ("--prompt", "ab", "--count", 5, "--temperature", 1),
    "fit": ("--board", "ulx3s", "--lanes", 60, "--banks", 2),
    "verilog": ("--lanes", 60, "--banks", 2, "-o", "v"),
    "build": ("--board", "ulx3s", "-o", "b"),
    "board": (),
    "bench": ("--seconds", 0.001),
    "draw activity": ("-o", "a.svg"),
    "client": ("-o", "c"),
}
ANY = (None, None)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(SYMBOLS * 9, encoding="utf-8")
    return tmp_path


def data_of(model):
    """A file of inputs of a model, with targets, as options."""
    if model.task == "language":
        return ("--data", "text.txt", "--split", "train")
    lengths, rng = np.array([3, 1, 4]), np.random.default_rng(1)
    x = np.concatenate(features(rng, lengths))
    if model.encoder is None:
        x = rng.integers(-1, 2, (8, model.config.embedding))
    count = 8 if model.task == "label" else 3
    classes = np.array([f"label {n % 3}" for n in range(count)])
    y = rng.normal(size=(3, 3)) if model.task == "regress" else classes
    np.savez("data.npz", x=x, lengths=lengths, y=y)
    return ("--data", "data.npz")


def refusal(command, model, places):
    """What a command must say of a model with embedding and head in these places; None where it works."""
    tokens = command in ("run", "eval", "generate")
    if command == "generate" and model.task != "language":
        return "it writes no text; trine run --data says its outputs"
    if command == "eval" and not model.heads:
        return "the model has no head"
    for place, part, there in zip(
        places,
        ("embedding", "ternary head"),
        (model.embedding_weight is not None, model.head_weight is not None),
        strict=True,
    ):
        if place == "board" and not there:
            return f"the model has no {part}, so the board cannot hold it: place it on the host"
    if command == "client" and model.heads == ("float",) and model.task != "language":
        return "export the model with a ternary head"
    if tokens and model.task == "language" and model.embedding_weight is None:
        return "the model has no embedding: it takes input vectors, and no tokens"
    if command == "generate" and model.head_weight is None:
        return "it cannot generate; give a model with a ternary head"
    return None


def arguments(command, model):
    if command == "run" and model.task == "language":
        return ("--text", "abca")
    return data_of(model) if command in ("run", "eval") else COMMANDS[command]


def told(text):
    """What a command says of outputs: all but the cycles and the backend."""
    facts = json.loads(text)
    return {name: fact for name, fact in facts.items() if "cycles" not in name and name != "backend"}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("command", ["run", "eval", "generate"])
def test_outputs_do_not_depend_on_places(succeeds, fails, folder, command, name):
    """Of every model, wherever embedding and head are, on the golden model and on a board of it."""
    model = MODELS[name]()
    model.save("m.trine")
    found = []
    for places in (ANY, *PLACES):
        options = [
            word for n, at in zip(("--embedding", "--head"), places, strict=True) if at for word in (n, at)
        ]
        for backend in ("golden", "golden:m.trine"):
            words = (command, "m.trine", *arguments(command, model), *options, "--backend", backend, "--json")
            message = refusal(command, model, places)
            if message is not None:
                fails(*words, saying=message)
                continue
            found.append(told(succeeds(*words)))
            found[-1].pop("active_h", None)  # which a board does not show of sequences
    assert all(each == found[0] for each in found)


#: Each command with each model; those that take seconds nightly, with models that differ for them.
CASES = [(command, name) for command in ("fit", "board", "draw activity") for name in MODELS]
CASES += [
    pytest.param(command, name, marks=pytest.mark.nightly)
    for command in ("verilog", "build", "client", "bench")
    for name in ("language", "language, no embedding", "label", "regress, no head", "classify, two heads")
]


@pytest.mark.parametrize(("command", "name"), CASES)
def test_an_engine_is_as_it_is_asked_for(succeeds, fails, folder, monkeypatch, command, name):
    model = MODELS[name]()
    model.save("m.trine")
    engines = []

    def record(*given, **_):
        engines.extend(each for each in given if isinstance(each, api.EngineConfig))
        raise TrineError("recorded")

    def elaborate(top, board, *_, **__):
        elaborated_digest(top, board)
        record(top.design.parts["engine"])

    monkeypatch.setattr("trine_boards.build.bitstream.build_bitstream", elaborate)
    monkeypatch.setattr("trine_hw.simulation.virtual_board.VirtualBoard", record)
    monkeypatch.setattr("trine.reports.engine_figures.draw_activity", record)
    for places in (ANY, *PLACES):
        options = [
            word for n, at in zip(("--embedding", "--head"), places, strict=True) if at for word in (n, at)
        ]
        words = (*command.split(), "m.trine", *COMMANDS[command], *options)
        message = refusal(command, model, places)
        if message is not None or command in ("board", "draw activity", "build"):
            fails(*words, saying=message or "recorded")
        elif command == "verilog":
            text = succeeds(*words)
            for name, place in zip(("embedding", "head"), places, strict=True):
                assert place is None or re.search(rf"{name} +│ {place} ", text)
        else:
            facts = json.loads(succeeds(*words, "--json"))
            if command == "fit" and places != ANY:
                assert (facts["embedding"], facts["head"]) == places
        if message is None and command in ("board", "draw activity", "build"):
            engine = engines.pop()
            assert places in (ANY, (engine.embedding, engine.head))
            if command != "build":
                assert engine == default_engine(model, placement=Placement(*places))
    assert not engines
