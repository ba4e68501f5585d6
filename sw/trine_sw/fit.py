"""Which engine a model gets on a chip: lanes, banks and ways, and what they are expected to reach."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from trine_sw.balance import active_columns, balanced
from trine_sw.cost import Chip, ceil_div, lut4, other_blocks, rom_blocks
from trine_sw.engine import EngineConfig, Geometry
from trine_sw.errors import TrineError
from trine_sw.golden import Golden
from trine_sw.model import Model
from trine_sw.timing import token_cycles

__all__ = [
    "DoesNotFit",
    "Fit",
    "balance_banks",
    "configure",
    "estimate",
    "fit",
    "fits",
    "sample_tokens",
]

_MAX_BANKS = 8
_WAYS = (1, 2, 4, 8)
#: Ways are added while they gain more than this factor in cycles; a way costs some 400 LUT4.
_ABOUT = 1.02
_SAMPLE = 400
_BALANCE_SAMPLE = 4000
#: Relays are for ROMs of at least this share of a chip's block RAMs, where they cost at most this factor: a
#: GRU of 300 units without them lost a fifth of its clock (docs/engine.md).
_WIDE = 0.5
_RELAYS = 1.02


class DoesNotFit(TrineError):
    """A chip holds no engine for a model."""


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


def estimate(model: Model, engine: EngineConfig, chip: Chip, tokens: np.ndarray | None = None) -> Fit:
    """What ``engine`` is expected to take of ``chip`` and how fast it runs ``tokens`` (default: a sample)."""
    geometry = Geometry(model.config, engine)
    sample = sample_tokens(model) if tokens is None else tokens
    cycles = _mean_cycles(model, engine, sample)
    rom = rom_blocks(chip, geometry)
    return Fit(engine, geometry, lut4(model, geometry), rom + other_blocks(chip, geometry), rom, cycles)


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
    groups = Geometry(model.config, engine).layer_groups
    engines = [replace(engine, sampler_ways=ways) for ways in _WAYS if lanes >= 4 + ways]
    # The head's lanes are a multiple of the ways, which must not cost another group.
    engines = [each for each in engines if Geometry(model.config, each).layer_groups == groups]
    chosen = _fewest_ways(model, engines if engine.head == "board" else [engine], tokens)[0]
    return _relayed(model, chosen, chip, tokens) if chip and relays is None else chosen


def _holds(chip: Chip, geometry: Geometry) -> bool:
    """Whether a chip has the block RAM."""
    deep = geometry.engine.block_ram == "ecp5" and geometry.depth > chip.block_ram_depth
    return not deep and rom_blocks(chip, geometry) + other_blocks(chip, geometry) <= chip.block_ram


def balance_banks(model: Model, engine: EngineConfig) -> EngineConfig:
    """``engine`` with its columns assigned to banks by what a sample of text activates."""
    if model.embedding_weight is None:
        raise TrineError("the model has no embedding: nothing says which columns are active together")
    sample = active_columns(model, sample_tokens(model, _BALANCE_SAMPLE))
    return replace(engine, assignment=balanced(sample, engine.banks))


def _relayed(model: Model, engine: EngineConfig, chip: Chip, tokens: np.ndarray) -> EngineConfig:
    """With relays where the ROM covers much of the chip and they cost little."""
    covers = rom_blocks(chip, Geometry(model.config, engine)) >= _WIDE * chip.block_ram
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
            lanes = 4 * ceil_div(model.config.hidden, groups) + way * ceil_div(ceil_div(head, groups), way)
            engine = EngineConfig(lanes, banks, *places, block_ram=chip.block_ram_kind, sampler_ways=way)
            if Geometry(model.config, engine).layer_groups == groups:
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
                if _holds(chip, geometry) and lut4(model, geometry) <= room:
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
                    blocks = rom_blocks(chip, geometry) + other_blocks(chip, geometry)
                    least_blocks = min(least_blocks, blocks)
                    if not _holds(chip, geometry):
                        break  # more ways only take more room
                    needed = lut4(model, geometry)
                    least_lut4 = min(least_lut4, needed)
                    if needed > room:
                        break
                    held.append(engine)
                if held:
                    engine, cycles = _fewest_ways(model, held, tokens)
                    fitting.append((cycles, lut4(model, Geometry(model.config, engine)), engine))
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
