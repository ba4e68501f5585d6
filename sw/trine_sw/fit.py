"""Which engine a model gets on a chip: lanes, banks and ways, and what they are expected to cost.

The estimates were fitted to synthesis results (docs/engine.md shows them, and how far off they are); place
and route has the last word.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from trine_sw.balance import active_columns, balanced
from trine_sw.engine import EngineConfig, Geometry
from trine_sw.errors import TrineError
from trine_sw.golden import Golden
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import Model
from trine_sw.placement import place
from trine_sw.sampler import DRAW_BITS, GUMBEL_BITS
from trine_sw.timing import token_cycles

__all__ = [
    "Chip",
    "DoesNotFit",
    "Fit",
    "balance_banks",
    "configure",
    "estimate",
    "fit",
    "fits",
    "link_blocks",
    "sample_tokens",
]

#: LUT4 of a lane for its products, by banks; a bank beyond these costs the last step again.
_PRODUCTS = (0, 5, 10, 11, 23)
_MAX_BANKS = 8
_WAYS = (1, 2, 4, 8)
#: Ways are added while they gain more than this factor in cycles; a way costs some 400 LUT4.
_ABOUT = 1.02
_SAMPLE = 400
_BALANCE_SAMPLE = 4000
#: Relays are for ROMs of at least this share of a chip's block RAMs, where they cost at most this factor.
_WIDE = 0.5
_RELAYS = 1.05


class DoesNotFit(TrineError):
    """A chip holds no engine for a model."""


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


@dataclass(frozen=True)
class Fit:
    """An engine, and what it is expected to cost and to do.

    Members
    -------
    engine, geometry : the engine
    lut4, block_ram : expected on the chip, link included, clocking not; logic cells where a LUT4 shares one
        with a flip-flop
    rom_blocks : of the block RAMs, those that hold columns
    cycles_per_token : mean over a sample of text, from the timing model
    """

    engine: EngineConfig
    geometry: Geometry
    lut4: int
    block_ram: int
    rom_blocks: int
    cycles_per_token: float


def sample_tokens(model: Model, count: int = _SAMPLE, seed: int = 1) -> np.ndarray:
    """Text of the model's own, int64 (count,); evenly random tokens if it has no head to write with."""
    if model.head_scale is None or model.head_weight is None:
        return np.random.default_rng(seed).integers(0, model.config.vocab_size, count)
    return Golden(model).generate([0], count, 1.0, seed)


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


def _blocks(chip: Chip, bits: int, depth: int) -> int:
    """Block RAMs of a memory; each may also be half, a quarter or an eighth as wide, and as much deeper."""
    return min(
        _ceil(bits, chip.block_ram_bits // k) * _ceil(depth, chip.block_ram_depth * k) for k in (1, 2, 4, 8)
    )


def _rom_blocks(chip: Chip, geometry: Geometry) -> int:
    return geometry.engine.banks * _blocks(chip, 2 * geometry.lanes, geometry.depth)


def _other_blocks(chip: Chip, geometry: Geometry) -> int:
    config, engine = geometry.model, geometry.engine
    blocks = 0
    if engine.embedding == "board":
        halves = 2 if engine.block_ram == "ice40" else 1
        blocks += _blocks(chip, 2 * _ceil(config.embedding, halves), halves * config.vocab_size)
    if geometry.head_lanes:
        blocks += _ceil(engine.sampler_ways, 2) * _blocks(chip, GUMBEL_BITS, 1 << DRAW_BITS)
    if geometry.state_in_memory:
        width = geometry.units * (2 + max(config.head_levels).bit_length())
        blocks += _blocks(chip, width, 2 << (geometry.groups - 1).bit_length())
    return blocks + link_blocks(chip)


def link_blocks(chip: Chip) -> int:
    """Block RAMs of the link: what it receives, the frame at hand, the replies that it keeps."""
    link = chip.link
    memories = (link.receive_bytes, link.slot_bytes, (link.window + 1) * link.slot_bytes)
    return sum(_blocks(chip, 8, depth) for depth in memories)


def _lut4(model: Model, geometry: Geometry) -> int:
    kind = geometry.engine.block_ram
    return _logic_cells(model, geometry) if kind == "ice40" else _luts(model, geometry)


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
        cells += config.hidden * (4 * state_bits + 1.7 * c_bits)
    scanner = 8 * config.embedding
    sampler = 60 + 470 * engine.sampler_ways if geometry.head_lanes else 0
    source = 80 + config.embedding + 20 * engine.banks
    return round(2900 + lanes + cells + scanner + sampler + source)


def _luts(model: Model, geometry: Geometry) -> int:
    config, engine, groups = model.config, geometry.engine, geometry.groups
    width = place(model, engine).width
    gates = 4 * geometry.units
    products = _PRODUCTS[min(engine.banks, 4)] + 15 * max(0, engine.banks - 4)
    folded = 0.7 * float(width.mean()) if groups > 1 else 0
    c_bits = config.cell_max.bit_length() + 1
    levels = 4 * len(config.head_levels) if len(config.head_levels) > 2 else 0
    lanes = gates * (products + float(width[:gates].mean()) + 2 + folded)
    head = geometry.head_lanes * (3 * products + 2 * float(width[-1]) + folded) if geometry.head_lanes else 0
    gated = 15 if config.cell == "lstm" else 0  # an LSTM's saturation and output gate
    cells = geometry.units * (gated + 6 * c_bits + levels + (5 * (groups > 1)))
    scanners = 7 * geometry.columns + config.hidden * (2 if groups > 1 else 1)
    sampler = 60 + 430 * engine.sampler_ways if geometry.head_lanes else 0
    return round(lanes + head + cells + scanners + sampler + 400)


def estimate(model: Model, engine: EngineConfig, chip: Chip, tokens: np.ndarray | None = None) -> Fit:
    """What ``engine`` is expected to take of ``chip`` and how fast it runs ``tokens`` (default: a sample)."""
    geometry = Geometry(model.config, engine)
    sample = sample_tokens(model) if tokens is None else tokens
    cycles = _mean_cycles(model, engine, sample)
    rom = _rom_blocks(chip, geometry)
    return Fit(engine, geometry, _lut4(model, geometry), rom + _other_blocks(chip, geometry), rom, cycles)


def _mean_cycles(model: Model, engine: EngineConfig, tokens: np.ndarray) -> float:
    if model.embedding_weight is None:
        return math.nan
    return float(token_cycles(model, engine, tokens, head=engine.head == "board").cycles[1:].mean())


def _placements(model: Model) -> list[tuple[str, str]]:
    """Places of embedding and head, most on the board first; what the model file lacks is the host's."""
    embedding = ("board", "host") if model.embedding_weight is not None else ("host",)
    head = ("board", "host") if model.head_weight is not None else ("host",)
    return sorted(((e, h) for e in embedding for h in head), key=lambda places: places.count("host"))


def configure(
    model: Model, lanes: int, banks: int, *, chip: Chip | None = None, relays: int | None = None
) -> EngineConfig:
    """The engine of at most ``lanes`` lanes with the fewest ways that keep up with its columns.

    On the board is what the model file holds or, for a ``chip``, as much of it as that has block RAM for.
    ``relays`` are as :func:`fit` chooses them where they are not given.

    Raises
    ------
    TrineError
        If there are too few lanes or banks for any engine.
    """
    tokens = sample_tokens(model)
    block_ram = chip.block_ram_kind if chip else "inferred"
    for places in _placements(model):
        engine = EngineConfig(lanes, banks, *places, block_ram=block_ram, relays=relays or 0)
        if chip is None or _holds(chip, Geometry(model.config, engine)):
            break
    groups = Geometry(model.config, engine).groups
    engines = [replace(engine, sampler_ways=ways) for ways in _WAYS if lanes >= 4 + ways]
    # The head's lanes are a multiple of the ways, which must not cost another group.
    engines = [each for each in engines if Geometry(model.config, each).groups == groups]
    chosen = _fewest_ways(model, engines if engine.head == "board" else [engine], tokens)[0]
    return _relayed(model, chosen, chip, tokens) if chip and relays is None else chosen


def _holds(chip: Chip, geometry: Geometry) -> bool:
    """Whether a chip has the block RAM."""
    deep = geometry.engine.block_ram == "ecp5" and geometry.depth > chip.block_ram_depth
    return not deep and _rom_blocks(chip, geometry) + _other_blocks(chip, geometry) <= chip.block_ram


def balance_banks(model: Model, engine: EngineConfig) -> EngineConfig:
    """``engine`` with its columns assigned to banks by what a sample of text activates."""
    if model.embedding_weight is None:
        raise TrineError("the model has no embedding: nothing says which columns are active together")
    sample = active_columns(model, sample_tokens(model, _BALANCE_SAMPLE))
    return replace(engine, assignment=balanced(sample, engine.banks))


def _relayed(model: Model, engine: EngineConfig, chip: Chip, tokens: np.ndarray) -> EngineConfig:
    """With relays where the ROM covers much of the chip and x's columns hide what they cost."""
    covers = _rom_blocks(chip, Geometry(model.config, engine)) >= _WIDE * chip.block_ram
    if engine.block_ram == "ice40" or not covers:
        return engine
    relayed = replace(engine, relays=1)
    faster = _mean_cycles(model, relayed, tokens) <= _RELAYS * _mean_cycles(model, engine, tokens)
    return relayed if faster else engine


def _fewest_ways(
    model: Model, engines: Sequence[EngineConfig], tokens: np.ndarray
) -> tuple[EngineConfig, float]:
    """Of engines that differ in their ways, fewest first, the first about as fast as the last; its cycles."""
    cycles = [_mean_cycles(model, engine, tokens) for engine in engines]
    first = next(n for n, mean in enumerate(cycles) if not mean > _ABOUT * cycles[-1])
    return engines[first], cycles[first]


def _candidates(
    model: Model, chip: Chip, banks: int, places: tuple[str, str], *, ways: Sequence[int] = _WAYS
) -> Iterator[list[EngineConfig]]:
    """Engines for each number of groups, most lanes first; of each, those with fewer ways first."""
    head = model.config.vocab_size if places[1] == "board" else 0
    for groups in range(1, model.config.hidden + 1):
        engines = []
        for way in ways if head else ways[:1]:
            lanes = 4 * _ceil(model.config.hidden, groups) + way * _ceil(_ceil(head, groups), way)
            engine = EngineConfig(lanes, banks, *places, block_ram=chip.block_ram_kind, sampler_ways=way)
            if Geometry(model.config, engine).groups == groups:
                engines.append(engine)
        if engines:
            yield engines


def fits(model: Model, chip: Chip) -> bool:
    """Whether ``chip`` is expected to hold any engine for ``model``."""
    room = math.floor(chip.lut_share * chip.lut4)
    for places in _placements(model):
        for banks in range(1, _MAX_BANKS + 1):
            for smallest, *_ in _candidates(model, chip, banks, places, ways=_WAYS[:1]):
                geometry = Geometry(model.config, smallest)
                if _holds(chip, geometry) and _lut4(model, geometry) <= room:
                    return True
    return False


def fit(model: Model, chip: Chip) -> Fit:
    """The engine with the fewest cycles a token that ``chip`` is expected to hold; of equals the smallest.

    Embedding and head are on the board if it holds them beside the layer, and on the host otherwise.

    Raises
    ------
    DoesNotFit
        If none fits: says what is short, and by how much.
    """
    tokens = sample_tokens(model)
    room = math.floor(chip.lut_share * chip.lut4)
    fitting: list[tuple[float, int, EngineConfig]] = []
    least_lut4 = least_blocks = math.inf
    for places in _placements(model):
        for banks in range(1, _MAX_BANKS + 1):
            for engines in _candidates(model, chip, banks, places):
                held: list[EngineConfig] = []
                for engine in engines:
                    geometry = Geometry(model.config, engine)
                    blocks = _rom_blocks(chip, geometry) + _other_blocks(chip, geometry)
                    least_blocks = min(least_blocks, blocks)
                    if not _holds(chip, geometry):
                        break  # more ways only take more room
                    lut4 = _lut4(model, geometry)
                    least_lut4 = min(least_lut4, lut4)
                    if lut4 > room:
                        break
                    held.append(engine)
                if held:
                    engine, cycles = _fewest_ways(model, held, tokens)
                    fitting.append((cycles, _lut4(model, Geometry(model.config, engine)), engine))
                    break  # more groups only take more cycles
        if fitting:
            break
    if not fitting:
        if least_blocks > chip.block_ram:
            short = f"{least_blocks - chip.block_ram} block RAMs short ({least_blocks} of {chip.block_ram})"
        elif room < least_lut4 < math.inf:
            short = f"{least_lut4 - room} LUT4 short ({least_lut4} of {room} usable)"
        else:
            short = f"no split fits both its {chip.block_ram} block RAMs and its {room} usable LUT4"
        raise DoesNotFit(f"the model does not fit {chip.name}: {short}")
    _, _, engine = min(fitting, key=lambda found: found[:2])
    return estimate(model, _relayed(model, engine, chip, tokens), chip, tokens)
