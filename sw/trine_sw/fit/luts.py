"""LUT4 of an engine and its link, as nextpnr packs them for an ECP5 or a Gowin chip.

What a part takes by itself was synthesised part by part. The weights, which say how much of that is left in a
whole design, are the least squares of relative errors over packed designs (docs/engine.md shows how far off
they are). An adder of more than four bits lies in a carry chain, which takes two LUT4 for two bits, and four
more since nextpnr feeds both its ends.
"""

from __future__ import annotations

from trine_sw.engine.memory_layout import MemoryLayout
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import Model

__all__ = ["FAST_FF", "luts"]

#: The fast codec beyond the serial one, and for each cell; flip-flops.
_FAST, _FAST_CELL, FAST_FF = 1230, 5.2, 755
#: The clock, the link, and what of the core is always there; what it has for a head on the board.
_ALWAYS, _WITH_HEAD = 2856, 151
#: Weights of what lanes and cells take by themselves.
_LANES, _CELLS = 0.92, 1.01
#: For each bank, column of x, unit that is computed at once, way of the sampler, bit of a logit that waits to
#: leave, cell that is kept beside those of other groups, and bit of its level that the head reads.
_BANK, _COLUMN, _UNIT, _WAY, _LOGIT_BIT, _KEPT_CELL, _KEPT_LEVEL = 25, 9.7, 6.3, 484, 1.15, 14.6, 1.9
#: A Gowin chip's LUT4 and adder bits for one LUT4 of the above; and more for a kept cell.
_GOWIN, _GOWIN_KEPT_CELL = 1.255, 5
#: LUT4 of a lane's products by banks beyond four, and of each further one beyond the last of these.
_FURTHER, _EACH_FURTHER = (0, 16, 20, 24, 63), 10


def luts(model: Model, layout: MemoryLayout, link: LinkConfig) -> int:
    """LUT4, or what takes a LUT4's place, of an engine and its link with a UART, clock included: of an ECP5,
    or of a Gowin chip if the engine's block RAM is that."""
    geometry = layout.geometry
    config, engine = geometry.model, geometry.engine
    kept = config.cells if geometry.groups > 1 else 0
    total = _ALWAYS + _BANK * engine.banks + _COLUMN * config.embedding
    total += _LANES * _lanes(layout) + _CELLS * _cells(layout) + _UNIT * geometry.units + _KEPT_CELL * kept
    if geometry.head_lanes:
        total += _WITH_HEAD + _WAY * engine.sampler_ways + _KEPT_LEVEL * config.level_bits * kept
        total += _LOGIT_BIT * geometry.head_lanes * layout.logit_width
    if link.fast:
        total += _FAST + _FAST_CELL * config.cells
    if engine.block_ram == "gowin":
        total = _GOWIN * total + _GOWIN_KEPT_CELL * kept
    return round(total)


def _adder(bits: int) -> int:
    """An adder, or a comparison, of two numbers."""
    return bits + bits % 2 + 4 if bits > 4 else bits + 1


def _products(figures: tuple[int, ...], banks: int) -> int:
    """A lane's products with a trit of each bank, and their sum."""
    beyond = max(0, banks - 4)
    more = _FURTHER[min(beyond, len(_FURTHER) - 1)] + _EACH_FURTHER * max(0, beyond - len(_FURTHER) + 1)
    return figures[min(banks, 4)] + more


def _magnitudes(banks: int, bits: int) -> float:
    """A head lane's products with magnitudes, of so many bits with their sign, and their sum."""
    if banks == 0:
        return 0
    if banks == 1:
        return bits + 1 if bits <= 4 else bits + _adder(bits) + 1
    return 10 * bits + 2 + 2.7 * bits * (banks - 2)


def _lanes(layout: MemoryLayout) -> float:
    """All lanes: products, sums and comparisons."""
    geometry = layout.geometry
    config, banks = geometry.model, geometry.engine.banks
    figures, gates = config.spec.product_lut4, geometry.gate_lanes
    widths = [int(width) for width in layout.width]
    total = gates * (2.6 + _products(figures, banks))
    for lane, width in enumerate(widths[:gates]):
        two_thresholds = config.spec.lanes[lane % geometry.cell_lanes].kind != "switch"
        total += _adder(width) * (1 + two_thresholds) - (2 if two_thresholds and width > 4 else 0)
    if geometry.head_lanes:
        products: float = _products(figures, banks)
        if config.level_bits:  # x has no magnitudes: only banks with columns of h count
            with_h = sum(bool(geometry.bank_h(bank)) for bank in range(banks))
            products = _magnitudes(with_h, config.level_bits + 1)
        total += geometry.head_lanes * (_adder(layout.logit_width) + products)
    return total


def _cells(layout: MemoryLayout) -> float:
    """All cells, and h where the scanners find it."""
    geometry = layout.geometry
    config = geometry.model
    bits = config.cell_bits
    each = 9 * bits + (config.spec.cell_lut4 if bits >= 4 else 0)
    each += 4 * config.level_bits if len(config.head_levels) > 2 else 0
    return geometry.units * each + config.cells * (2 + config.level_bits)
