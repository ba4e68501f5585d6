"""Cost of an engine on a chip: memories, LUT4 or logic cells, and flip-flops.

Memories are counted as they are built (:mod:`trine_sw.engine.memories`). The rest was fitted to synthesis
results (docs/engine.md shows them, and how far off they are); place and route has the last word.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from trine_sw.engine import EngineConfig, Geometry
from trine_sw.engine.config import ICE40
from trine_sw.engine.memories import (
    FORMS,
    Form,
    Memory,
    alike_slices,
    block_rams,
    column_memory,
    deepest,
    single_port_rams,
    slices,
)
from trine_sw.engine.memory_layout import MemoryLayout, place
from trine_sw.fit.luts import FAST_FF, luts
from trine_sw.link.memories import memories, stored_datagrams, stored_packets, stored_reply
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import Model
from trine_sw.support.arithmetic import ceil_div

__all__ = [
    "Chip",
    "Cost",
    "cost",
    "costs_alike",
    "fits_alike",
    "forms",
    "logic",
    "memory_cost",
    "too_deep",
    "unread_blocks",
]

#: Logic cells of an iCE40 that the link and the clock take, and what of the core is always there. This and
#: the weights of :func:`_logic_cells` are the least squares of relative errors over packed designs.
_SMALL_LINK = 2502


class Chip(Protocol):
    """What the solver needs to know of a chip."""

    @property
    def name(self) -> str: ...
    @property
    def lut4(self) -> int: ...
    @property
    def ff(self) -> int: ...
    @property
    def block_ram(self) -> int: ...
    @property
    def spram(self) -> int: ...
    @property
    def block_ram_bits(self) -> int:
        """Bits of a block RAM's word where it holds ``block_ram_depth`` words."""
        ...

    @property
    def block_ram_depth(self) -> int: ...
    @property
    def stores_replies(self) -> bool:
        """Whether what carries the link's bytes has a memory of a reply."""
        ...

    @property
    def stores_datagrams(self) -> bool:
        """Whether it has memories of whole datagrams."""
        ...

    @property
    def stores_packets(self) -> bool:
        """Whether it has memories of packets of USB at high speed."""
        ...

    @property
    def transport_lut4(self) -> int:
        """LUT4 of what carries the link's bytes, beyond those of a UART."""
        ...

    @property
    def transport_ff(self) -> int:
        """Its flip-flops."""
        ...

    @property
    def block_ram_kind(self) -> str:
        """``EngineConfig.block_ram`` for this chip."""
        ...

    @property
    def lut_share(self) -> float:
        """Share of the LUTs that a design may be expected to take and still route at speed."""
        ...

    @property
    def link(self) -> LinkConfig:
        """Its link's buffers, before they are made to fit the model."""
        ...


def costs_alike(chip: Chip) -> Hashable:
    """Equal for chips of which each engine, with a link of the same buffers, takes as much."""
    memory = chip.block_ram_kind, chip.block_ram_bits, chip.block_ram_depth
    stored = chip.stores_replies, chip.stores_datagrams, chip.stores_packets
    return *memory, *stored, chip.transport_lut4, chip.transport_ff


def fits_alike(chip: Chip) -> Hashable:
    """Equal for chips that hold the same engines."""
    there = chip.lut4, chip.ff, chip.block_ram, chip.spram
    return *there, chip.lut_share, chip.link, costs_alike(chip)


@dataclass(frozen=True)
class Cost:
    """What an engine and its link take of a chip.

    Members
    -------
    lut4 : LUT4, or logic cells where a LUT4 shares one with a flip-flop
    ff : flip-flops
    block_ram : block RAMs
    rom_blocks : of them, those that hold columns
    spram : single-port RAMs
    """

    lut4: int
    ff: int
    block_ram: int
    rom_blocks: int
    spram: int


def forms(chip: Chip) -> Sequence[Form]:
    """Words and bits that the chip's block RAMs can have."""
    halved = ((chip.block_ram_depth * k, chip.block_ram_bits // k) for k in (1, 2, 4, 8))
    return FORMS.get(chip.block_ram_kind) or tuple(halved)


def too_deep(chip: Chip, geometry: Geometry) -> Memory | None:
    """The memory whose words no form of the chip's block RAM holds, where it must be a single one."""
    if geometry.engine.block_ram != "ecp5":
        return None
    most = max(words for words, _ in forms(chip))
    found = (memory for memory in memories(geometry, chip.link) if memory.sliced and memory.depth > most)
    return next(found, None)


def cost(
    model: Model, engine: EngineConfig, chip: Chip, link: LinkConfig, layout: MemoryLayout | None = None
) -> Cost:
    """What ``engine`` is expected to take, with a link of these buffers
    (:func:`trine_sw.link.records.link_for`); clocking included."""
    layout = layout or place(model, engine)
    blocks, columns, single_port = memory_cost(layout.geometry, chip, link)
    of_columns, of_embedding = _alike(model, layout)
    blocks -= of_columns + of_embedding
    lut4, ff = logic(model, layout, link)
    lut4, ff = lut4 + chip.transport_lut4, ff + chip.transport_ff
    return Cost(lut4, ff, blocks, columns - of_columns, single_port)


def _alike(model: Model, layout: MemoryLayout) -> tuple[int, int]:
    """Block RAMs of columns and of the embedding that synthesis leaves out, since their words are all alike.
    It does not see the words of an ECP5's, which are instantiated."""
    engine = layout.geometry.engine
    if engine.block_ram == "ecp5" or engine.block_ram not in FORMS:
        return 0, 0

    def alike(contents: npt.NDArray[np.int8]) -> int:
        return alike_slices(engine.block_ram, contents) * ceil_div(len(contents), deepest(engine.block_ram))

    of_embedding = 0
    if engine.embedding == "board" and model.embedding_weight is not None:
        table = model.embedding_weight
        if engine.block_ram in ICE40:  # a token's word in two halves
            table = np.pad(table, ((0, 0), (0, table.shape[1] % 2))).reshape(2 * len(table), -1)
        of_embedding = alike(table)
    return sum(map(alike, layout.banks)), of_embedding


def memory_cost(geometry: Geometry, chip: Chip, link: LinkConfig) -> tuple[int, int, int]:
    """Block RAMs, those of them that hold columns, and single-port RAMs, whatever their words."""
    built, there = memories(geometry, link), forms(chip)
    if chip.stores_replies:
        built.append(stored_reply(link))
    if chip.stores_datagrams:
        built += stored_datagrams(link)
    if chip.stores_packets:
        built += stored_packets()
    blocks = sum(block_rams(memory, there) for memory in built)
    unread = unread_blocks(geometry)
    columns = block_rams(column_memory(geometry), there) - unread
    return blocks - unread, columns, sum(single_port_rams(memory) for memory in built)


def unread_blocks(geometry: Geometry) -> int:
    """Block RAMs of columns that nothing reads: in a bank without columns of h, those of the head's rows
    alone, where these add magnitudes, which x does not have."""
    if geometry.engine.block_ram != "ecp5" or not geometry.head_lanes or not geometry.model.level_bits:
        return 0
    first = 2 * geometry.word_trit(geometry.gate_lanes)
    parts = slices("ecp5", 2 * geometry.word_trits, geometry.depth)
    banks = sum(not geometry.bank_h(bank) for bank in range(geometry.engine.banks))
    return banks * sum(part.start >= first for part in parts)


def logic(model: Model, layout: MemoryLayout, link: LinkConfig) -> tuple[int, int]:
    """LUT4, or logic cells on iCE40, which have the flip-flops in them, and flip-flops; link and clock
    included, but not what a transport takes beyond a UART."""
    ff = _flip_flops(model, layout) + (FAST_FF if link.fast else 0)
    if layout.geometry.engine.block_ram in ICE40:
        cells = _logic_cells(layout)
        return cells, min(ff, cells)
    return luts(model, layout, link), ff


def _flip_flops(model: Model, layout: MemoryLayout) -> int:
    """Of ROM words, sums, cells, the states that wait, scanners and what has come of the next token."""
    geometry = layout.geometry
    config, engine = geometry.model, geometry.engine
    state, units = 2 + config.level_bits, geometry.units
    rom = 2 * engine.banks * geometry.word_trits
    lanes = float(layout.width.sum()) + 5 * geometry.lanes
    cells = units * (8 + (4 + geometry.state_buffer) * config.cell_bits + (1 + geometry.state_buffer) * state)
    held = config.cells * (state + (config.cell_bits if geometry.groups > 1 else 0))
    scanners = (3 + config.level_bits / 2) * geometry.columns
    source = config.embedding * (2 if engine.embedding == "board" else 6)
    head = geometry.head_lanes * float(layout.logit_width) + 390 * engine.sampler_ways
    return round(1500 + rom + lanes + cells + held + scanners + source + (head if geometry.head_lanes else 0))


def _logic_cells(layout: MemoryLayout) -> int:
    """iCE40: what nextpnr packs, in which a LUT4, its carry and its flip-flop share a cell."""
    geometry = layout.geometry
    config, engine = geometry.model, geometry.engine
    folded, c_bits, state_bits = geometry.groups > 1, config.cell_bits, 2 + config.level_bits
    lanes = float(layout.width.sum()) * (3.7 if folded else 1.2)
    cells = geometry.units * (4.9 + 17.7 * c_bits + 3.4 * state_bits)
    if geometry.state_in_memory:
        cells += 28.8 * geometry.groups
    else:  # h in flip-flops and in front of a scanner, c in flip-flops behind a multiplexer
        read_bits = 2 + (config.level_bits if geometry.head_lanes else 0)
        cells += config.cells * (5.4 * read_bits + (2.01 * c_bits if folded else 0)) + 9.01 * config.hidden
    scanners = 5.6 * geometry.slot_a + 5.8 * (config.layers - 1) * geometry.columns + 123 * engine.banks
    source = 4.7 * config.embedding if engine.embedding == "host" else 0
    head = 0.0
    if geometry.head_lanes:
        head = 316 + 462 * engine.sampler_ways + 4.8 * geometry.head_lanes * config.level_bits
    return round(_SMALL_LINK + lanes + cells + scanners + source + head)
