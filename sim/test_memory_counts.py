"""Block RAMs that ``trine_sw.engine.memories`` expects of a memory, against those that Yosys makes of it."""

import json
import random
import re
from collections import Counter

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Elaboratable, Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory as AmaranthMemory
from amaranth.lib.wiring import In, Out

from sim.netlist import resources
from sim.netlist.synthesis import run_tool
from tests.helpers.one_of_each import ONE_OF_EACH
from trine_boards import BOARDS
from trine_boards.build.families import FAMILIES
from trine_hw.primitives.column_rom import ColumnROM
from trine_sw.engine.config import ICE40
from trine_sw.engine.memories import Memory, block_rams, cell_memory, single_port_rams, state_memory
from trine_sw.fit.cost import forms
from trine_sw.link.memories import link_memories
from trine_sw.link.protocol import LinkConfig
from trine_sw.support.toolchain import require


class Written(wiring.Component):
    """A memory that is written and read, with one address if it is to be of one port."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        bits = range(memory.depth)
        super().__init__(
            {
                "to": In(bits),
                "data": In(memory.width),
                "en": In(1),
                "at": In(bits),
                "o": Out(memory.width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        built = self.memory
        m.submodules.held_spram = held = AmaranthMemory(
            shape=built.width, depth=built.depth, init=[], attrs=built.attrs
        )
        write, read = held.write_port(), held.read_port()
        at = self.to if built.style == "huge" else self.at
        m.d.comb += [write.addr.eq(self.to), write.data.eq(self.data), write.en.eq(self.en)]
        m.d.comb += [read.addr.eq(at), read.en.eq(~self.en), self.o.eq(read.data)]
        return m


def sample(kind: str) -> list[tuple[Memory, Elaboratable]]:
    """The link's memories in many sizes, and ROMs and states of random ones."""
    rng = random.Random(kind)
    found: list[tuple[Memory, Elaboratable]] = []
    links = [LinkConfig(1, 256, 512), LinkConfig(1, 1024, 1024)]
    if kind == "ecp5":
        links += [LinkConfig(8, 256, 2048), LinkConfig(8, 1024, 4096), LinkConfig(2, 512, 8192)]
    found += [(memory, Written(memory)) for link in links for memory in link_memories(link)]
    for _ in range(6):
        depth, trits = rng.choice([2, 200, 300, 600, 1100, 2100, 2500]), rng.randint(1, 9)
        contents = np.random.default_rng(depth).integers(-1, 2, (depth, trits), np.int8)
        rom = Memory("rom", 2 * trits, depth, sliced=True)
        found.append((rom, ColumnROM(contents, block_ram=kind)))
    if kind in ICE40:
        for _ in range(3):
            memory = state_memory(rng.randint(1, 9), rng.randint(2, 200), rng.randint(2, 5))
            found.append((memory, Written(memory)))
        for width in (16, 17):
            memory = cell_memory(1, 12, width, kind)
            found.append((memory, Written(memory)))
    return found


@pytest.mark.parametrize(
    "name",
    [
        *sorted(ONE_OF_EACH),
        pytest.param("ice40hx8k-evn", marks=pytest.mark.nightly),
        pytest.param("tang-nano-20k", marks=pytest.mark.nightly),
    ],
)
def test_memories_are_as_large_as_expected(tmp_path, name):
    board = BOARDS[name]
    cases = sample(board.block_ram_kind)
    top = Module()
    ports = []
    for number, (_, component) in enumerate(cases):
        top.submodules[f"m{number}"] = component
        ports += [getattr(component, port) for port in component.signature.members]
    ports = [getattr(port, "as_value", lambda port=port: port)() for port in ports]
    (tmp_path / "top.il").write_text(
        rtlil.convert(top, ports=ports, name="top", emit_src=False), encoding="utf-8"
    )
    family = FAMILIES[board.family]
    for file, contents in family.library_files().items():
        (tmp_path / file).write_bytes(contents)
    script = f"read_rtlil top.il\n{family.memory_synthesis('top')}tee -q -o cells.json stat -json\n"
    (tmp_path / "top.ys").write_text(script, encoding="utf-8")
    run_tool(require("yosys"), ["top.ys"], tmp_path)
    counted: dict[int, Counter[str]] = {}
    for module, facts in json.loads((tmp_path / "cells.json").read_text(encoding="utf-8"))["modules"].items():
        if number := re.match(r"\\?top\.m(\d+)\b", module):
            cells = Counter(facts["num_cells_by_type"])
            counted[int(number[1])] = counted.get(int(number[1]), Counter()) + cells
    for number, (memory, _) in enumerate(cases):
        cells = counted[number]
        blocks = resources.taken(cells).block_ram
        assert blocks == block_rams(memory, forms(board)), memory
        assert cells["SB_SPRAM256KA"] == single_port_rams(memory), memory
