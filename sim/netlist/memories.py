"""Block RAMs of what is elaborated, and those that Yosys makes of it."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Fragment, Instance
from amaranth.hdl._mem import MemoryInstance

from sim.netlist.resources import BLOCK_RAMS
from sim.netlist.synthesis import run_tool
from trine_boards.board_spec import BoardSpec
from trine_boards.build.families import FAMILIES
from trine_hw.core.core import Core
from trine_sw.engine import EngineConfig
from trine_sw.engine.memories import Memory, block_rams, single_port_rams
from trine_sw.fit.cost import forms
from trine_sw.model import Model
from trine_sw.support.toolchain import require

__all__ = ["CoreMemories", "built_memories", "core_memories"]

_INSTANCES = ("DP16KD", "PDPW16KD")


@dataclass(frozen=True)
class CoreMemories:
    """Block RAMs and single-port RAMs of a core.

    Members
    -------
    block_ram, spram : as it is elaborated
    alike : block RAMs that synthesis leaves out, since all their words are alike
    block_ram_synthesised, spram_synthesised : after Yosys has mapped memories
    """

    block_ram: int
    alike: int
    block_ram_synthesised: int
    spram: int
    spram_synthesised: int


def core_memories(model: Model, engine: EngineConfig, board: BoardSpec) -> CoreMemories:
    """The memories of a core, for which Yosys runs until it has mapped them."""
    blocks, single_port, alike = built_memories(Fragment.get(Core(model, engine, loadable=True), None), board)
    text = rtlil.convert(Core(model, engine, loadable=True), name="top", emit_src=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "top.il").write_text(text, encoding="utf-8")
        for file, contents in FAMILIES[board.family].library_files().items():
            (folder / file).write_bytes(contents)
        # In one module, so that ROMs of which nothing is left are seen.
        script = FAMILIES[board.family].memory_synthesis("top").replace(" -noflatten", "")
        (folder / "top.ys").write_text(
            f"read_rtlil top.il\n{script}tee -q -o cells.json stat -json\n", encoding="utf-8"
        )
        run_tool(require("yosys"), ["top.ys"], folder)
        stat = json.loads((folder / "cells.json").read_text(encoding="utf-8"))
    cells = Counter(stat["design"]["num_cells_by_type"])
    return CoreMemories(
        blocks, alike, sum(cells[kind] for kind in BLOCK_RAMS), single_port, cells["SB_SPRAM256KA"]
    )


def built_memories(fragment: Fragment, board: BoardSpec) -> tuple[int, int, int]:
    """Block RAMs and single-port RAMs of an elaborated design, and how many of the former synthesis leaves
    out, since all their words are alike."""
    blocks = single_port = alike = 0
    kind = board.block_ram_kind
    for part in _parts(fragment):
        if isinstance(part, Instance) and part.type in _INSTANCES:
            blocks += 1
        if not isinstance(part, MemoryInstance):
            continue
        style = part._attrs.get("ram_style", "auto")
        data = part._data
        width = len(part._read_ports[0]._data) if part._read_ports else len(part._write_ports[0]._data)
        memory = Memory("", width, data.depth, style)
        here = block_rams(memory, forms(board))
        blocks += here
        single_port += single_port_rams(memory)
        if here and not part._write_ports and len(set(data.init)) == 1:
            alike += here
        assert style != "auto" or "rom_style" in part._attrs, f"{kind}: {part} is left to synthesis"
    return blocks, single_port, alike


def _parts(fragment: Fragment) -> Iterator[Fragment]:
    yield fragment
    for part, *_ in fragment.subfragments:
        yield from _parts(part)
