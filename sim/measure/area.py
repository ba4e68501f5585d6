"""What synthesis makes of each component, and of whole engines, for the ECP5: ``python
sim/measure/area.py``; of each part of the small model's board for the iCE40: ``python -m sim.measure.area
icebreaker``.

It prints the tables of docs/engine.md. A LUT4 is counted for each LUT4 cell, and two for each carry cell
(CCU2C), which takes the place of two. What place and route adds, transport and clock are not in it.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from amaranth.back import rtlil

from sim.netlist.synthesis import run_tool, synthesise
from trine_boards import BOARDS
from trine_boards.build.families import ICE40
from trine_hw.core.cells.base import level_bits
from trine_hw.core.cells.blocks import KINDS
from trine_hw.core.column_issue import ColumnIssue
from trine_hw.core.core import Core
from trine_hw.core.lanes import Lanes
from trine_hw.core.logit_stream import LogitStream
from trine_hw.core.sampler import Sampler
from trine_hw.core.scanner import Scanner
from trine_hw.core.sequencer import Sequencer
from trine_hw.link.link import Link
from trine_hw.link.uart import UARTLink
from trine_hw.primitives.column_rom import ColumnROM
from trine_sw.engine import EngineConfig
from trine_sw.engine.memories import block_rams
from trine_sw.engine.memory_layout import MemoryLayout, place
from trine_sw.fit import estimate, fit
from trine_sw.fit.cost import forms
from trine_sw.fit.sample import sample_text
from trine_sw.link.board_design import BoardDesign
from trine_sw.link.memories import kept_memory, link_memories
from trine_sw.model import CELLS, Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.toolchain import require

__all__ = ["components", "cost", "engines", "small_board"]

SMALL = ModelConfig(hidden=64, embedding=200, vocab_size=64, cell_max=15, head_levels=(0, 1, 2, 3))
LARGE = ModelConfig(hidden=256, embedding=128, vocab_size=65, cell_max=15, head_levels=(0, 1, 2, 3))
SMALL_GATES = len(SMALL.spec.lanes) * SMALL.hidden

#: LUT4, flip-flops and block RAMs.
Cost = tuple[int, int, int]


def cost(component: Any) -> Cost:
    """What synthesis makes of a component."""
    with tempfile.TemporaryDirectory() as folder:
        netlist = synthesise(component, Path(folder))
    cells = netlist.cells
    return cells["LUT4"] + 2 * cells["CCU2C"], cells["TRELLIS_FF"], len(netlist.block_rams)


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}{'s' if count > 1 else ''}"


def _placed(lanes: int, banks: int, *, head: str = "host", cell: str = "lstm") -> MemoryLayout:
    model = random_model(replace(SMALL, cell=cell), seed=1)
    return place(model, EngineConfig(lanes, banks, head=head, sampler_ways=4))


def components() -> Iterator[tuple[str, Cost, int]]:
    """Name of a part, the cost of some of them, and how many these are."""
    bits = level_bits(SMALL)
    for banks in (1, 2, 3, 4):
        gates = cost(Lanes(_placed(SMALL_GATES, banks)))
        yield f"gate lane, {_many(banks, 'bank')}", gates, SMALL_GATES
        placed = _placed(SMALL_GATES + SMALL.vocab_size, banks, head="board")
        lut4, ff, blocks = (a - b for a, b in zip(cost(Lanes(placed, bits)), gates, strict=True))
        yield (
            f"head lane, {_many(banks, 'bank')}, {len(SMALL.head_levels)} levels",
            (lut4, ff, blocks),
            SMALL.vocab_size,
        )
    for cell, counts in (("gru", (3, 4)), ("mgu", (1, 2, 3, 4))):
        spec = CELLS[cell]
        gates = len(spec.lanes) * SMALL.hidden
        for banks in counts:
            name = f"gate lane of {spec.article} {spec.title}, {_many(banks, 'bank')}"
            yield name, cost(Lanes(_placed(gates, banks, cell=cell))), gates
    yield "gate lane, 3 banks, 4 groups", cost(Lanes(_placed(SMALL_GATES // 4, 3))), SMALL_GATES // 4
    placed = _placed(SMALL_GATES + SMALL.vocab_size, 3, head="board")
    geometry = placed.geometry
    for kind in KINDS.values():
        for cell_max, levels in ((7, 2), (15, 4), (127, 8)):
            for groups in (1, 4):
                config = replace(SMALL, cell=kind.kind, cell_max=cell_max, head_levels=tuple(range(levels)))
                name = (
                    f"{kind.kind.upper()} cell, range {cell_max}, {levels} levels, {_many(groups, 'group')}"
                )
                yield name, cost(kind(config, units=16, groups=groups)), 16
    yield "scanner, a trit of x", cost(Scanner(86)), 86
    yield "scanner, a trit of h, 4 levels", cost(Scanner(86, bits)), 86
    yield "column issue, a bank", cost(ColumnIssue(geometry, bits)), 3
    yield "column ROM, a lane", cost(ColumnROM(placed.banks[0][:, :180], block_ram="ecp5")), 180
    yield "sequencer", cost(Sequencer(geometry)), 1
    logit_bits = geometry.head_lanes * placed.logit_width
    yield "logit stream, a bit", cost(LogitStream(geometry, placed.logit_width)), logit_bits
    for ways in (1, 2, 4, 8):
        yield f"sampler, 65 symbols, {_many(ways, 'way')}", cost(Sampler(65, 12, ways, block_ram="ecp5")), 1


def engines() -> Iterator[tuple[str, int, Cost, int]]:
    """Model and banks of a whole engine, lanes, cost, and block RAMs that ``fit`` expects."""
    small = replace(SMALL, embedding=32)
    for config, lanes, banks in (
        (small, 40, 2),
        (small, 164, 3),
        (small, 320, 1),
        (small, 320, 3),
        (LARGE, 368, 3),
        (LARGE, 1092, 3),
    ):
        model: Model = random_model(config, seed=1)
        engine = EngineConfig(lanes, banks, block_ram="ecp5", sampler_ways=4)
        board = BOARDS["ulx3s"]
        expected = estimate(model, engine, board, sample_text(model, 2))
        shape = f"H {config.hidden}, E {config.embedding}, V {config.vocab_size}, {_many(banks, 'bank')}"
        of_link = (*link_memories(board.link), kept_memory(config, engine.block_ram, board.link))
        blocks = expected.block_ram - sum(block_rams(memory, forms(board)) for memory in of_link)
        yield shape, expected.geometry.lanes, cost(Core(model, engine)), blocks


def small_board() -> Iterator[tuple[str, Cost]]:
    """Name and cost of each part of what an iCEBreaker runs, clock and reset left out."""
    board = BOARDS["icebreaker"]
    model = Model.load(Path(__file__).resolve().parents[2] / "models/shakespeare-small.trine")
    design = BoardDesign(
        model, fit(model, board).engine, board.link, clock_hz=1e6 * board.clock_mhz, baud=board.baud
    )
    link = Link(**design.parts)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "top.il").write_text(
            rtlil.convert(UARTLink(link, 16), name="top", emit_src=False), encoding="utf-8"
        )
        # Every part by itself: none is optimised into its surroundings.
        synthesis = ICE40.synthesis.format(name="top").replace("synth_ice40", "synth_ice40 -noflatten")
        (folder / "top.ys").write_text(
            f"read_rtlil top.il\n{synthesis}write_json top.json\n", encoding="utf-8"
        )
        run_tool(require("yosys"), ["top.ys"], folder)
        modules = json.loads((folder / "top.json").read_text(encoding="utf-8"))["modules"]
    for part, module in modules.items():
        kinds = Counter(cell["type"] for cell in module["cells"].values())
        ff = sum(count for kind, count in kinds.items() if kind.startswith("SB_DFF"))
        total = kinds["SB_LUT4"], ff, kinds["SB_RAM40_4K"]
        if any(total):
            yield re.sub(r"\$\d+", "", part.removeprefix("top.")), total  # Amaranth numbers equal names


def _figure(value: float) -> str:
    return (
        f"{value:,.0f}"
        if value >= 100 or value == int(value)
        else f"{value:.1f}"
        if value > 1
        else f"{value:.3f}"
    )


def main() -> None:
    """Print the tables, in Markdown, row by row."""
    if sys.argv[1:] == ["icebreaker"]:
        print("| part | LUT4 | flip-flops | block RAM |\n|---|---:|---:|---:|")
        for name, total in sorted(small_board(), key=lambda part: part[1], reverse=True):
            print(f"| `{name}` | {total[0]} | {total[1]} | {total[2]} |")
        return
    print("| part | LUT4 | flip-flops | block RAM |\n|---|---:|---:|---:|")
    for name, total, count in components():
        print("|".join(["", f" {name} ", *(f" {_figure(each / count)} " for each in total), ""]), flush=True)
    print("\n| engine | lanes | LUT4, Yosys | block RAM, Yosys | expected |\n|---|" + 4 * "---:|")
    for name, lanes, (lut4, _, blocks), expected_blocks in engines():
        print(f"| {name} | {lanes} | {lut4:,} | {blocks} | {expected_blocks} |", flush=True)


if __name__ == "__main__":
    main()
