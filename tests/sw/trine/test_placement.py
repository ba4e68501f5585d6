"""Places of embedding and head: the same options everywhere, and the same outputs wherever they are."""

import contextlib
import json
import re
import threading

import numpy as np
import pytest

import trine as api
from tests.helpers.placed_models import (
    ANY,
    COMMANDS,
    MODELS,
    PLACES,
    arguments,
    data_of,
    language,
    place_options,
    refusal,
    told,
)
from trine_boards.build.netlist_digest import elaborated_digest
from trine_hw.simulation.board_server import BoardServer
from trine_sw.driver.transports import ModelTransport
from trine_sw.engine.default import default_engine
from trine_sw.engine.placement import Placement
from trine_sw.golden import Golden
from trine_sw.link.board_design import BoardDesign
from trine_sw.link.board_model import BoardModel
from trine_sw.support.errors import TrineError


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


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("command", ["run", "eval", "generate"])
def test_outputs_do_not_depend_on_places(succeeds, fails, folder, command, name):
    """Of every model, wherever embedding and head are, on the golden model and on a board of it."""
    model = MODELS[name]()
    model.save("m.trine")
    found = []
    for places in (ANY, *PLACES):
        options = place_options(places)
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
        options = place_options(places)
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


@pytest.fixture
def served():
    """Serves a board of a model at a socket, with embedding and head in places, and gives its URL."""
    servers = []

    def serve(model, places):
        engine = default_engine(model, placement=Placement(*places))
        transport = ModelTransport(BoardModel(**BoardDesign(model, engine).parts))
        transport.idle = True
        servers.append(BoardServer(transport, 0))
        threading.Thread(target=quietly, args=(servers[-1].serve,), daemon=True).start()
        return f"socket://127.0.0.1:{servers[-1].port}"

    def quietly(run):
        with contextlib.suppress(OSError, ValueError):  # the listener is closed
            run()

    yield serve
    for server in servers:
        server.close()


@pytest.mark.parametrize("name", ["language", "classify"])
def test_a_board_that_is_there_must_be_built_as_asked(succeeds, fails, folder, served, name):
    """Its places are taken as they are where nothing is asked; another place is one clear error."""
    model = MODELS[name]()
    model.save("m.trine")
    words = ("eval", "m.trine", *data_of(model), "--json")
    expected = told(succeeds(*words))
    built = [places for places in PLACES if refusal("eval", model, places) is None]
    for places in built:
        url = served(model, places)
        for asked in (ANY, *built):
            options = (*words, "--backend", url, *place_options(asked))
            wrong = [
                f"has its {part} on the {there}, not on the {place}"
                for part, there, place in zip(("embedding", "head"), places, asked, strict=True)
                if place not in (None, there)
            ]
            if wrong:
                fails(*options, saying=(wrong[0], f"load a bitstream of trine build --{wrong[0].split()[2]}"))
            else:
                assert told(succeeds(*options)) == expected
