"""What ``trine fit`` expects of random models on boards, and what synthesis and packing make of them.

    python -m sim.measure.whole_designs 72     # some 30 s of processor time a design
    python -m sim.measure.whole_designs 0      # what is recorded, against what is expected now

Each design is all that a board is built with: engine, link, transport, clock and pins, synthesised as
``trine build`` does and packed by nextpnr. Each is written to ``docs/results/fit-boards.json`` as it comes;
what is there already is not done again. The figure ``fit-boards.svg`` has how far off each is.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sim.measure.fit_shapes import Shape
from sim.measure.random_designs import Design, designs
from sim.netlist.resources import LUT4, is_flip_flop, taken
from sim.netlist.synthesis import run_tool
from trine_boards import BOARDS
from trine_boards.build.elaboration import synthesis_files
from trine_boards.build.families import FAMILIES
from trine_boards.netlist_file import read_netlist
from trine_boards.top import BoardTop
from trine_sw.cluster.job import Cluster, Job, Outcome, Tick
from trine_sw.cluster.jobs import run_jobs
from trine_sw.engine import EngineConfig
from trine_sw.fit import Fit, estimate
from trine_sw.fit.cost import Cost
from trine_sw.model import ModelConfig
from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.plotting import panels, save_svg
from trine_sw.support.toolchain import require

__all__ = ["RESULT", "expected", "measured", "packed_lut4", "part_of", "report", "row"]

RESULT = Path(__file__).resolve().parents[2] / "docs/results/fit-boards.json"


def part_of(name: str, transport: str) -> str:
    """The part of a design that a cell of its netlist is in, by the name of what it drives.

    >>> part_of("uart.link.core.scan_h0.one_left_LUT4_Z", "uart"), part_of("uart.link.slots.at[1]", "uart")
    ('core.scan_h', 'link.slots')
    """
    kinds = r"_(LUT4|LUT\d|CCU2C|TRELLIS|PFUMX|L6MUX|SB|DFF|ALU).*"
    path = re.sub(rf"\$\d+|\[.*?\]|{kinds}", "", name).split(".")
    path = [re.sub(r"\d+(_\d+)*$", "", step) for step in path]
    if path[:3] == [transport, "link", "core"]:
        return ".".join(path[2:4])
    if path[:2] == [transport, "link"]:
        return ".".join(path[1:3])
    return "transport" if path[0] == transport else "clock, pins"


def measured(design: Design, found: Fit, folder: Path) -> dict[str, Any]:
    """What a design with an engine takes, as synthesised and packed: what it is, and the cells."""
    shape, board = design.shape, design.board
    top = BoardTop(shape.model(), found.engine, board, board.clock_mhz)
    family, platform = FAMILIES[board.family], board.platform()
    for name, contents in synthesis_files(top, platform, family).items():
        (folder / name).write_bytes(contents)
    run_tool(require("yosys"), ["top.ys"], folder)
    options = ["--json", "top.json", "--pack-only", "--log", "pack.text"]
    constraints = {
        "ecp5": ("--lpf", "top.lpf"),
        "ice40": ("--pcf", "top.pcf"),
        "gowin": ("--vopt", "cst=top.cst"),
    }
    options += constraints[board.family]
    run_tool(require(family.router), [*family.chip_options(platform), *options], folder)
    used = dict(
        re.findall(r"(\w+): +(\d+)/", (folder / "pack.text").read_text(encoding="utf-8", errors="replace"))
    )
    cells = read_netlist(folder / "top.json").cells
    parts: dict[str, Counter[str]] = {}
    kinds: Counter[str] = Counter()
    for name, cell in cells.items():
        kind = cell["type"]
        kinds[kind] += 1
        part = parts.setdefault(part_of(name, board.transport.name), Counter())
        part["lut4"] += LUT4.get(kind, 0)
        part["ff"] += is_flip_flop(kind)
        part["carry"] += kind in ("CCU2C", "SB_CARRY", "ALU")
    engine = {name: value for name, value in asdict(found.engine).items() if name != "assignment"}
    return {
        "number": shape.number,
        "board": shape.board,
        "link": design.link,
        "model": asdict(shape.config),
        "embedding": shape.embedding,
        "head": shape.head,
        "extreme": shape.extreme,
        "engine": engine,
        "cells": dict(kinds),
        "packed": {name: int(number) for name, number in used.items() if int(number)},
        "block_ram_synthesised": taken(kinds).block_ram,
        "parts": {name: [each["lut4"], each["ff"], each["carry"]] for name, each in sorted(parts.items())},
    }


def expected(row: dict[str, Any]) -> Cost:
    """What a row's design is expected to take now."""
    config = ModelConfig(**row["model"] | {"head_levels": tuple(row["model"]["head_levels"])})
    given = {name: row[name] for name in ("number", "embedding", "head", "extreme", "board")}
    model = Shape(config=config, lanes=None, banks=None, balance=False, **given).model()
    return estimate(model, EngineConfig(**row["engine"]), BOARDS[row["board"]].over(row["link"])).cost


def packed_lut4(row: dict[str, Any]) -> int:
    """LUT4 or logic cells of a row, as a board's report counts them."""
    logic = FAMILIES[BOARDS[row["board"]].family].logic
    return row["packed"][logic] + row["packed"].get("ALU", 0)  # a bit of an adder takes a LUT4's place


def report(rows: list[dict[str, Any]]) -> None:
    """Print how far what is expected now is off each board's designs, and draw it."""
    off: dict[str, list[tuple[int, float]]] = {}
    exact = 0
    for row in rows:
        cost = expected(row)
        packed = packed_lut4(row)
        family = BOARDS[row["board"]].block_ram_kind
        off.setdefault(family, []).append((packed, cost.lut4 / packed - 1))
        exact += cost.block_ram == row["block_ram_synthesised"]
        print(
            f"{row['number']:3} {row['board']:16} {row['link']:8} {packed:6} {cost.lut4 / packed - 1:+7.1%}"
        )
    figure, axes = panels(len(off), width=9.0)
    for axis, (family, pairs) in zip(axes, off.items(), strict=True):
        errors = [error for _, error in pairs]
        within = sum(abs(error) <= 0.1 for error in errors)
        mean = sum(map(abs, errors)) / len(errors)
        said = f"{family}: {within} of {len(errors)} within 10 %"
        print(f"{said}, from {min(errors):+.1%} to {max(errors):+.1%}, mean {mean:.1%}")
        axis.axhspan(-10, 10, color="tab:green", alpha=0.15, linewidth=0)
        axis.plot([packed for packed, _ in pairs], [100 * error for error in errors], "o", markersize=4)
        axis.set(xscale="log", ylim=(-45, 45), xlabel="LUT4 or cells, packed", ylabel="expected, % more")
        axis.set_title(said, fontsize=9)
    print(f"block RAMs: {exact} of {len(rows)} as synthesised")
    save_svg(figure, RESULT.with_suffix(".svg"))


def row(common: None, design: Design, tick: Tick) -> dict[str, Any]:
    """A job of :func:`main`: a design's row."""
    with tempfile.TemporaryDirectory() as folder:
        return measured(design, design.fitted(), Path(folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("count", type=int, help="designs in all, with those that are recorded")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="designs at a time")
    parser.add_argument("--cluster", metavar="URL", help="Dask scheduler whose workers do it")
    options = parser.parse_args()
    from sim.measure import whole_designs  # this module, by a name that workers know

    rows = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else []
    recorded = {row["number"] for row in rows}
    missing = [design for design in designs(options.count) if design.shape.number not in recorded]
    tools = ["yosys", *sorted({FAMILIES[design.board.family].router for design in missing})]

    def done(number: int, outcome: Outcome) -> None:
        rows.append(outcome.result())
        rows.sort(key=lambda row: row["number"])
        with atomic_write(RESULT) as file:
            file.write(("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n").encode())
        print(
            f"{len(rows)} of {options.count}: {missing[number].shape.board} {missing[number].link}",
            flush=True,
        )

    jobs = [Job(f"design {design.shape.number}", whole_designs.row, design) for design in missing]
    run_jobs(jobs, Cluster(options.processes, options.cluster), tools=tools, done=done)
    if rows:
        report(rows)


if __name__ == "__main__":
    main()
