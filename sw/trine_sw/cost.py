"""What an engine is expected to take of a chip: block RAMs, and LUT4 or logic cells.

The estimates were fitted to synthesis results (docs/engine.md shows them, and how far off they are); place
and route has the last word.
"""

from __future__ import annotations

from typing import Protocol

from trine_sw.engine import Geometry
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import Model
from trine_sw.placement import place
from trine_sw.sampler import DRAW_BITS, GUMBEL_BITS

__all__ = ["Chip", "ceil_div", "link_blocks", "link_lut4", "lut4", "other_blocks", "rom_blocks"]

#: LUT4 of a gate's lane for its products, by banks; a bank beyond these costs about the last step again.
_PRODUCTS = {"lstm": (0, 5, 10, 11, 23), "gru": (0, 6, 11, 13, 20)}
_FURTHER = 15


class Chip(Protocol):
    """What the solver needs to know of a chip."""

    @property
    def name(self) -> str: ...
    @property
    def lut4(self) -> int: ...
    @property
    def block_ram(self) -> int: ...
    @property
    def block_ram_bits(self) -> int:
        """Bits of a block RAM's word where it holds ``block_ram_depth`` words."""
        ...

    @property
    def block_ram_depth(self) -> int: ...
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


def ceil_div(a: int, b: int) -> int:
    """a / b, rounded up."""
    return -(-a // b)


def _blocks(chip: Chip, bits: int, depth: int) -> int:
    """Block RAMs of a memory; each may also be half, a quarter or an eighth as wide, and as much deeper."""
    return min(
        ceil_div(bits, chip.block_ram_bits // k) * ceil_div(depth, chip.block_ram_depth * k)
        for k in (1, 2, 4, 8)
    )


def rom_blocks(chip: Chip, geometry: Geometry) -> int:
    """Block RAMs that hold columns."""
    return geometry.engine.banks * _blocks(chip, 2 * geometry.word_trits, geometry.depth)


def other_blocks(chip: Chip, geometry: Geometry) -> int:
    """Block RAMs of embedding, sampler, state and link."""
    config, engine = geometry.model, geometry.engine
    blocks = 0
    if engine.embedding == "board":
        halves = 2 if engine.block_ram == "ice40" else 1
        blocks += _blocks(chip, 2 * ceil_div(config.embedding, halves), halves * config.vocab_size)
    if geometry.head_lanes:
        blocks += ceil_div(engine.sampler_ways, 2) * _blocks(chip, GUMBEL_BITS, 1 << DRAW_BITS)
    if geometry.state_in_memory:
        width = geometry.units * (2 + max(config.head_levels).bit_length())
        blocks += _blocks(chip, width, 2 << (geometry.groups - 1).bit_length())
    return blocks + link_blocks(chip)


def link_blocks(chip: Chip) -> int:
    """Block RAMs of the link: what it receives, the frame at hand, the replies that it keeps."""
    link = chip.link
    memories = (link.receive_bytes, link.slot_bytes, (link.window + 1) * link.slot_bytes)
    return sum(_blocks(chip, 8, depth) for depth in memories)


def lut4(model: Model, geometry: Geometry) -> int:
    """LUT4, or logic cells on iCE40; link included, clocking not."""
    kind = geometry.engine.block_ram
    return _logic_cells(model, geometry) if kind == "ice40" else _luts(model, geometry)


def link_lut4(model: Model, geometry: Geometry) -> int:
    """LUT4 of the link on an ECP5, and of what the core has for its sake."""
    return round(2300 + 2.7 * model.config.cells + (1200 if geometry.head_lanes else 0))


def _logic_cells(model: Model, geometry: Geometry) -> int:
    """iCE40: what nextpnr packs, in which a LUT4, its carry and its flip-flop share a cell."""
    config, engine, groups, units = model.config, geometry.engine, geometry.groups, geometry.units
    width = float(place(model, engine).width.mean())
    c_bits = config.cell_max.bit_length() + 1
    state_bits = 2 + max(config.head_levels).bit_length()
    lanes = geometry.lanes * (4 + 4 * engine.banks + width * (2.2 if groups > 1 else 1.2))
    cells = units * (20 + 12 * c_bits + 4 * state_bits)
    if geometry.state_in_memory:
        cells += 150 + 8 * groups
    else:  # every bit of h twice in flip-flops, and those of c behind a multiplexer
        cells += config.cells * (4 * state_bits + 1.7 * c_bits)
    scanner = 8 * geometry.slot_a
    sampler = 60 + 470 * engine.sampler_ways if geometry.head_lanes else 0
    source = 80 + config.embedding + 20 * engine.banks
    return round(2900 + lanes + cells + scanner + sampler + source)


def _luts(model: Model, geometry: Geometry) -> int:
    config, engine, groups = model.config, geometry.engine, geometry.groups
    width = place(model, engine).width
    gates = 4 * geometry.units
    products, of_head = (
        _PRODUCTS[kind][min(engine.banks, 4)] + _FURTHER * max(0, engine.banks - 4)
        for kind in (config.cell, "lstm")
    )
    folded = 0.7 * float(width.mean()) if groups > 1 else 0
    c_bits = config.cell_max.bit_length() + 1
    levels = 4 * len(config.head_levels) if len(config.head_levels) > 2 else 0
    lanes = gates * (products + float(width[:gates].mean()) + 2 + folded)
    head = geometry.head_lanes * (3 * of_head + 2 * float(width[-1]) + folded) if geometry.head_lanes else 0
    gated = 15 if config.cell == "lstm" else 0  # an LSTM's saturation and output gate
    cells = geometry.units * (gated + 6 * c_bits + levels + (5 * (groups > 1)))
    # In a stack, one more multiplexer in front of each trit of a scanner, an input of it for each layer.
    chosen = (config.layers - 1) * geometry.columns
    scanners = 7 * geometry.columns + config.cells * (2 if groups > 1 else 1) + 2 * chosen
    sampler = 60 + 430 * engine.sampler_ways if geometry.head_lanes else 0
    core = round(lanes + head + cells + scanners + sampler + 400)
    return core + link_lut4(model, geometry)
