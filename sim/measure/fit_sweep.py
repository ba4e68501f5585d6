"""What ``trine fit`` expects of random designs, and what synthesis makes of them.

    python -m sim.measure.fit_sweep                  # memories of the cores of 104 shapes: a few seconds each
    python -m sim.measure.fit_sweep --count 8        # the same of the first 8 that fit
    python -m sim.measure.fit_sweep --whole 106      # whole designs of 106 that fit: half a minute each
    python -m sim.measure.fit_sweep --processes 2    # two at a time; --cluster URL: on a scheduler's workers

Each prints a row a design, and writes all of them to ``docs/results/fit-sweep-*.json`` with ``--results``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import Fragment

from sim.measure.fit_shapes import Shape, board_gateware, built_memories, shapes
from sim.netlist.synthesis import run_tool
from trine.fitting import fit
from trine_boards import BOARDS
from trine_boards.board_spec import BoardSpec
from trine_boards.build.families import FAMILIES
from trine_hw.core.core import Core
from trine_sw.cluster.job import Cluster, Job, Outcome, Tick
from trine_sw.cluster.jobs import run_jobs
from trine_sw.fit import Fit
from trine_sw.support.errors import TrineError
from trine_sw.support.toolchain import require

__all__ = ["COUNT", "core_memories", "whole_design"]

COUNT = 104
RESULTS = Path(__file__).resolve().parents[2] / "docs/results"
_BLOCK_RAMS = ("DP16KD", "PDPW16KD", "SB_RAM40_4K")


def core_memories(shape: Shape, found: Fit, board: BoardSpec) -> dict[str, int]:
    """Memories of a shape's core: expected, and after Yosys has mapped memories, where it stops.

    ``alike`` counts the block RAMs that are not there since all their words are the same.
    """
    core = Core(shape.model(), found.engine, loadable=True)
    blocks, single_port, alike = built_memories(Fragment.get(core, None), board)
    again = Core(shape.model(), found.engine, loadable=True)
    mapped = _yosys(rtlil.convert(again, name="top", emit_src=False), board, memories_only=True)
    return {
        "block_ram": blocks,
        "alike": alike,
        "synthesised": sum(mapped[cell] for cell in _BLOCK_RAMS),
        "spram": single_port,
        "spram_synthesised": mapped["SB_SPRAM256KA"],
    }


def whole_design(shape: Shape, found: Fit, board: BoardSpec) -> dict[str, int]:
    """All of a board's gateware but clock and pins: expected, and as synthesised and packed by nextpnr."""
    model = shape.model()
    _, _, alike = built_memories(Fragment.get(board_gateware(model, found.engine, board), None), board)
    text = rtlil.convert(board_gateware(model, found.engine, board), name="top", emit_src=False)
    made = _yosys(text, board, memories_only=False)
    return {
        "block_ram": found.cost.block_ram,
        "alike": alike,
        "synthesised": sum(made[cell] for cell in _BLOCK_RAMS),
        "spram": found.cost.spram,
        "spram_synthesised": made["SB_SPRAM256KA"],
        "lut4": found.cost.lut4,
        "lut4_packed": made["packed"],
        "ff": found.cost.ff,
        "ff_synthesised": sum(n for cell, n in made.items() if cell == "TRELLIS_FF" or "SB_DFF" in cell),
    }


def _yosys(text: str, board: BoardSpec, *, memories_only: bool) -> Counter[str]:
    """Cells by type, and what nextpnr packs them into."""
    family = FAMILIES[board.family]
    script = family.synthesis.format(name="top")
    if memories_only:
        first = script[: script.index(" -run begin:map_luts")]
        script = f"{first} -run begin:map_ffram\n"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "top.il").write_text(text, encoding="utf-8")
        script = f"read_rtlil top.il\n{script}tee -q -o cells.json stat -json\n"
        (folder / "top.ys").write_text(
            script + ("" if memories_only else "write_json top.json\n"), encoding="utf-8"
        )
        run_tool(require("yosys"), ["-q", "top.ys"], folder)
        cells = Counter(
            json.loads((folder / "cells.json").read_text(encoding="utf-8"))["design"]["num_cells_by_type"]
        )
        if not memories_only:
            options = ("--json", "top.json", "--pack-only", "--log", "pack.text")
            run_tool(require(family.router), [*family.chip_options(board.platform()), *options], folder)
            packed = re.search(
                r"(?:ICESTORM_LC|TRELLIS_COMB): +(\d+)/",
                (folder / "pack.text").read_text(errors="replace", encoding="utf-8"),
            )
            assert packed
            cells["packed"] = int(packed[1])
        return cells


def whole_shapes() -> Iterator[Shape]:
    """Shapes for whole designs, without end: of up to 12 units, and every eighth of up to 64."""
    small, large = shapes(10**9), shapes(10**9, seed=2, largest=64)
    while True:
        yield from itertools.islice(small, 7)
        yield from itertools.islice(large, 1)


def _fitted(shape: Shape) -> Fit:
    """The engine of a shape. Raises :class:`TrineError` where it does not fit."""
    engine = {"lanes": shape.lanes, "banks": shape.banks, "balance": shape.balance}
    return fit(shape.model(), BOARDS[shape.board], **engine)


def chosen(count: int, *, whole: bool) -> Iterator[tuple[Shape, str]]:
    """Shapes, of which `count` fit, and why each does not, or nothing; of whole designs only what fits."""
    for shape in whole_shapes() if whole else shapes(COUNT):
        refused = ""
        try:
            _fitted(shape)
        except TrineError as error:
            refused = str(error)
            if whole:
                continue
        yield shape, refused
        count -= not refused
        if not count:
            return


def row(whole: bool, argument: tuple[Shape, str], tick: Tick) -> dict[str, Any]:
    """A shape's row: what it is and, if it fits, the figures; else why it does not."""
    shape, refused = argument
    made = {"number": shape.number, "board": shape.board, "model": asdict(shape.config)}
    if refused:
        return made | {"refused": refused}
    found = _fitted(shape)
    engine = {name: value for name, value in asdict(found.engine).items() if name != "assignment"}
    figures = (whole_design if whole else core_memories)(shape, found, BOARDS[shape.board])
    return made | {"engine": engine} | figures


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--whole", type=int, default=0, metavar="N", help="synthesise N whole designs")
    parser.add_argument("--count", type=int, default=COUNT, metavar="N", help="cores, at most")
    parser.add_argument("--results", action="store_true", help="write docs/results/fit-sweep-*.json")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="designs at a time")
    parser.add_argument("--cluster", metavar="URL", help="Dask scheduler whose workers do it")
    options = parser.parse_args()
    from sim.measure import fit_sweep  # this module, by a name that workers know

    whole = bool(options.whole)
    jobs = [
        Job(f"design {shape.number}", fit_sweep.row, (shape, refused))
        for shape, refused in chosen(options.whole or options.count, whole=whole)
    ]
    found: dict[int, dict[str, Any]] = {}

    def done(number: int, outcome: Outcome) -> None:
        found[number] = outcome.result()
        print(json.dumps(found[number]), flush=True)
        if options.results:
            name = "fit-sweep-whole.json" if whole else "fit-sweep-memories.json"
            text = ",\n".join(json.dumps(found[each]) for each in sorted(found))
            (RESULTS / name).write_text(f"[\n{text}\n]\n", encoding="utf-8")

    run_jobs(jobs, Cluster(options.processes, options.cluster), common=whole, tools=["yosys"], done=done)


if __name__ == "__main__":
    main()
