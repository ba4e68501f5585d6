"""Files of a build folder that were damaged: what is read of them is what it was, or one error says which
file it is and what to do."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.sw.trine.test_hostile_values import altered
from trine_boards import BOARDS
from trine_boards.build.bitstream import read_report
from trine_boards.build.cached_step import recorded
from trine_boards.build.families import ICE40
from trine_boards.build.record import RECORD_NAME, BuildRecord
from trine_boards.netlist_file import read_netlist
from trine_boards.report.components import placed_cells, resources_of
from trine_boards.top import BoardTop
from trine_boards.verify.routed_ecp5 import routed_verilog
from trine_boards.verify.synthesised_netlist import netlist_verilog
from trine_boards.verify.verification import verify_build
from trine_sw.engine import EngineConfig
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

PLACED = {"NEXTPNR_BEL": "X3/Y4/SLICEA.K0"}


def cell(kind, parameters, directions, **pins):
    return {
        "hide_name": 0,
        "type": kind,
        "parameters": parameters,
        "attributes": PLACED,
        "port_directions": {pin: directions.get(pin, "input") for pin in pins},
        "connections": {pin: [bit] for pin, bit in pins.items()},
    }


#: A flip-flop that a look-up table inverts, behind a clock buffer, and its pads.
NETLIST = {
    "creator": "a tool",
    "modules": {
        "top": {
            "settings": {},
            "ports": {
                "clk": {"direction": "input", "bits": [2]},
                "q": {"direction": "output", "bits": [3]},
            },
            "cells": {
                "uart.link.core.lanes.q_LUT4": cell(
                    *("TRELLIS_COMB", {"INITVAL": "0101010101010101", "MODE": "LOGIC "}, {"F": "output"}),
                    **{"A": 6, "F": 7},
                ),
                "uart.link.core.lanes.q_FF": cell(
                    *("TRELLIS_FF", {"REGSET": "SET", "SD": "1", "CEMUX": "1"}, {"Q": "output"}),
                    **{"CLK": 5, "DI": 7, "Q": 6},
                ),
                "buffer": cell("DCCA", {}, {"CLKO": "output"}, CLKI=4, CLKO=5),
                "pad_in": cell("TRELLIS_IO", {"DIR": "INPUT"}, {"O": "output"}, B=2, O=4),
                "pad_out": cell("TRELLIS_IO", {"DIR": "OUTPUT"}, {"B": "output"}, B=3, I=6, T=8),
                "off": cell("TRELLIS_COMB", {"INITVAL": "0" * 16}, {"F": "output"}, F=8),
            },
            "netnames": {},
        }
    },
}
REPORT = {
    "fmax": {"$glbnet$engine_clk": {"achieved": 87.06, "constraint": 78.75}},
    "utilization": {"TRELLIS_COMB": {"available": 83640, "used": 50000}},
}
TEXTS = ["", "[", "null", "[]", "{}", "NaN", '"x"', "[" * 100_000, '{"modules":' * 60_000, "1" * 5000, "\0"]


def damaged(value, seed):
    """Texts of a JSON value in which something is another's, missing, of another type, or no JSON at all."""
    rng = np.random.default_rng(seed)
    yield from (text.encode() for text in TEXTS)
    yield b"\xff\xfe"
    for number in range(600):
        made = value
        for _ in range(rng.integers(1, 4)):
            made = altered(made, rng)
        data = bytearray(json.dumps(made, indent=2).encode())
        if number % 3 == 0:
            for _ in range(rng.integers(1, 4)):
                data[rng.integers(len(data))] = rng.integers(256)
        yield bytes(data[: rng.integers(len(data)) if number % 10 == 0 else len(data)])


def read_or_told(path, call):
    """Whether it was read."""
    try:
        call()
    except TrineError as error:
        assert str(path) in str(error) and "\n" not in str(error) and len(str(error)) < 1000, error
        return False
    return True


READERS = {
    "routed": routed_verilog,
    "synthesised": netlist_verilog,
    "resources": resources_of,
    "of an iCE40": lambda path: ICE40.resources({"ICESTORM_LC": 1}, path),
    "places": lambda path: list(placed_cells(path)),
}


@pytest.mark.parametrize("reader", READERS)
def test_damaged_netlists(tmp_path, reader):
    path = tmp_path / "route-1.placed.json"
    path.write_text(json.dumps(NETLIST, indent=2), encoding="utf-8")
    assert READERS[reader](path)
    counts = {True: 0, False: 0}
    for data in damaged(NETLIST, len(reader)):
        path.write_bytes(data)
        counts[read_or_told(path, lambda: READERS[reader](path))] += 1
    assert counts[False] > 100 or reader == "places"
    path.unlink()
    assert not read_or_told(path, lambda: READERS[reader](path))
    path.mkdir()
    assert not read_or_told(path, lambda: READERS[reader](path))


@pytest.mark.parametrize("wrong", [[], None, 1, "x", {}, {"a": 1}, {"a": {"type": 1}}, {"a": {"type": "T"}}])
def test_what_is_wrong_with_a_netlist_is_said(tmp_path, wrong):
    path = tmp_path / "route-1.placed.json"
    top = {**NETLIST["modules"]["top"], "cells": wrong}
    path.write_text(json.dumps({"modules": {"top": top}}), encoding="utf-8")
    with pytest.raises(TrineError, match="run trine build again") as caught:
        routed_verilog(path)
    assert str(path) in str(caught.value)
    top = {**NETLIST["modules"]["top"], "ports": wrong}
    path.write_text(json.dumps({"modules": {"top": top}}), encoding="utf-8")
    if wrong != {}:
        with pytest.raises(TrineError, match=r"is no netlist of top: .*; run trine build again"):
            read_netlist(path)


def test_nets_that_drive_each_other_in_a_circle(tmp_path):
    """Which switches a pad off: the search for a constant comes to an end, and finds none."""
    cells = dict(NETLIST["modules"]["top"]["cells"])
    cells["off"] = cell("TRELLIS_COMB", {"INITVAL": "1010101010101010"}, {"F": "output"}, A=9, F=8)
    cells["on"] = cell("TRELLIS_COMB", {"INITVAL": "1010101010101010"}, {"F": "output"}, A=8, F=9)
    path = tmp_path / "placed.json"
    path.write_text(
        json.dumps({"modules": {"top": {**NETLIST["modules"]["top"], "cells": cells}}}), encoding="utf-8"
    )
    assert re.search(r"assign \S+ = n[89] \? 1'bz : ", routed_verilog(path))


def test_damaged_reports_and_step_records(tmp_path):
    report, log, record = tmp_path / "report.json", tmp_path / "log", tmp_path / "a.step.json"
    log.write_text("Routing complete.\n", encoding="utf-8")
    report.write_text(json.dumps(REPORT), encoding="utf-8")
    assert read_report(report, log) == (87.06, {"TRELLIS_COMB": 50000})
    for data in damaged(REPORT, 1):
        report.write_bytes(data)
        read_or_told(report, lambda: read_report(report, log))
    for data in damaged({"digest": "0123", "tool": "a tool"}, 2):
        record.write_bytes(data)
        assert recorded(record) is None or isinstance(recorded(record), str)


def test_damaged_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is loaded goes on to the netlist; nothing is simulated before it is known to fit the model."""
    model = random_model(ModelConfig(hidden=4, embedding=4, vocab_size=8), seed=1)
    board, engine = BOARDS["ulx3s"], EngineConfig(lanes=40, banks=2, block_ram="ecp5", assignment=(0, 1) * 4)
    bitstream, path = tmp_path / "top.bit", tmp_path / RECORD_NAME
    bitstream.write_bytes(b"LFE5U-85F")
    BuildRecord.of(BoardTop(model, engine, board, board.clock_mhz), bitstream, 1).save(tmp_path, model)

    def reached(*_, **__):
        raise TrineError(f"{tmp_path}: the netlist is read")

    monkeypatch.setattr("trine_boards.verify.verification.loaded_netlist", reached)
    values, whole = json.loads(path.read_text(encoding="utf-8")), path.read_bytes()
    again = 0
    for data in damaged(values, 3):
        path.write_bytes(data)
        with pytest.raises(TrineError) as caught:
            verify_build(tmp_path, tokens=30, seed=1, command="test")
        said = str(caught.value)
        assert "\n" not in said and len(said) < 1000
        again += "run trine build again" in said
        if "the netlist is read" in said:
            assert BuildRecord.load(tmp_path).info.hex() == values["info"]
    assert again > 400
    path.write_bytes(whole)
    random_model(ModelConfig(hidden=4, embedding=4, vocab_size=8), seed=2).save(tmp_path / "model.trine")
    with pytest.raises(TrineError, match="is not of the model in it; run trine build again"):
        verify_build(tmp_path, tokens=30, seed=1, command="test")
