"""Pictures: what is in them, what they need, and that the same data give the same file."""

import json
import sys

import pytest

from trine_boards.report.components import COMPONENTS, component_of, placed_cells, resources_of
from trine_sw.support.errors import TrineError

matplotlib = pytest.importorskip("matplotlib")

NAMES = {
    "uart.link.core.rom_2_7.block_3": "column ROM",
    "uart.link.core.addr_1_4_3": "column ROM",
    "uart.link.core.lanes.products_7_LUT4_Z": "lanes",
    "uart.link.core.cells.block_2.c_1_0_TRELLIS_FF_Q": "cells",
    "uart.link.core.scan_h1.held_LUT4_A": "scanners",
    "uart.link.core.queue.payload_TRELLIS_FF_Q": "state queue",
    "uart.link.executor.fsm_state_LUT4_B": "link",
    "clock.pll": "clock, pins",
}


def netlist(path, cells):
    path.write_text(
        json.dumps({"modules": {"top": {"cells": {n: {"type": t} for n, t in cells.items()}}}}),
        encoding="utf-8",
    )
    return path


def placement(path):
    """As nextpnr writes it, of a cell of each component, and one that has no place."""
    lines = ["{", '  "modules": {', '    "top": {', '      "cells": {']
    for n, name in enumerate(NAMES):
        lines += [
            f'        "{name}": {{',
            f'          "attributes": {{ "NEXTPNR_BEL": "X{n}/Y{2 * n}/A" }}',
            "},",
        ]
    path.write_text("\n".join([*lines, '        "$PACKER_VCC": {', "}"]), encoding="utf-8")
    return path


def test_components() -> None:
    assert {name: component_of(name) for name in NAMES} == NAMES
    assert set(NAMES.values()) <= set(COMPONENTS)


def test_resources_are_counted(tmp_path) -> None:
    cells = {"uart.link.core.lanes.a": "LUT4", "uart.link.core.lanes.b": "CCU2C", "uart.x": "TRELLIS_FF"}
    counts = resources_of(netlist(tmp_path / "top.json", cells | {"uart.link.core.rom_0.b": "PDPW16KD"}))
    assert counts["lanes"] == {"LUT4": 3} and counts["link"] == {"flip-flops": 1}
    assert counts["column ROM"] == {"block RAM": 1}


def test_cells_are_placed(tmp_path) -> None:
    found = list(placed_cells(placement(tmp_path / "p.json")))
    assert found == [(component, n, 2 * n) for n, component in enumerate(NAMES.values())]
    (tmp_path / "empty.json").write_text("{}", encoding="utf-8")
    for path, words in (("empty.json", "no placed cells"), ("none.json", "--floorplan")):
        with pytest.raises(TrineError, match=words):
            list(placed_cells(tmp_path / path))


def test_draw(succeeds, fails, tmp_path, monkeypatch) -> None:
    build = tmp_path / "build"
    build.mkdir()
    fails("draw", "floorplan", build, "-o", tmp_path / "f.svg", saying="--floorplan")
    fails("draw", "resources", build, "-o", tmp_path / "f.svg", saying="trine build")
    fails("draw", "roofline", build, "-o", tmp_path / "f.svg", saying="no report")
    netlist(build / "top.json", {name: "LUT4" for name in NAMES})
    placement(build / "route-1.placed.json")
    report = {"board": "ulx3s", "rom_ports": 208, "rom_ports_used": 201, "clock_mhz": 100.0}
    report |= {"dense_gops": 2000.0, "effective_gops": 500.0, "tokens_per_s": 2_000_000}
    report["host_rates"] = {"choice": {"tokens_per_s": 250_000, "limit": "wire to the host"}}
    (build / "r.json").write_text(json.dumps(report), encoding="utf-8")
    for what, words in (
        (("floorplan", build), "column ROM"),
        (("resources", build), "LUT4: 8"),
        (("roofline", build), "r: 500 (2,000); 250,000 of 2,000,000 tokens/s, wire to the host"),
    ):
        first, second = tmp_path / "first.svg", tmp_path / "second.svg"
        succeeds("draw", *what, "-o", first)
        succeeds("draw", *what, "-o", second)
        assert words in first.read_text(encoding="utf-8") and first.read_bytes() == second.read_bytes()
    assert not list(tmp_path.glob("f.svg"))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    fails("draw", "resources", build, "-o", tmp_path / "f.svg", saying="[figures]")
