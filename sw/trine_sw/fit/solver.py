"""Choice of an engine for a model on a chip: lanes, banks and ways, and their expected rate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from trine_sw.engine import EngineConfig, Geometry
from trine_sw.engine.bank_balance import active_columns, balanced
from trine_sw.engine.config import ICE40
from trine_sw.engine.placement import ANYWHERE, Placement, Places
from trine_sw.fit.cost import Chip, Cost, cost, memory_cost, too_deep
from trine_sw.fit.figures import Figures
from trine_sw.fit.placement import DoesNotFit, linked
from trine_sw.fit.sample import ACTIVITY, Sample, sample_text, sample_tokens
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import Model
from trine_sw.support.arithmetic import ceil_div
from trine_sw.support.errors import TrineError

__all__ = [
    "MOST_BANKS",
    "DoesNotFit",
    "Fit",
    "balance_banks",
    "configure",
    "estimate",
    "estimated",
    "fit",
    "fits",
    "sample_text",
    "sample_tokens",
    "shortage",
]

#: Column ROMs that :func:`fit` has an engine read in each cycle.
MOST_BANKS = 8
_WAYS = (1, 2, 4, 8)
#: Ways are added while they gain more than this factor in cycles; a way costs some 400 LUT4.
_ABOUT = 1.02
_BALANCE_SAMPLE = 4000
#: Relays are for ROMs of at least this share of a chip's block RAMs, where they cost at most this factor: a
#: GRU of 300 units without them lost a fifth of its clock (docs/engine.md).
_WIDE = 0.5
_RELAYS = 1.02


@dataclass(frozen=True)
class Fit:
    """An engine, and what it is expected to cost and to do.

    Members
    -------
    engine, geometry : the engine
    cost : expected on the chip, link included
    cycles_per_token : mean over a sample of inputs, from the timing model
    chip : what it is for, such as a board
    sample : what the sample is, in words
    """

    engine: EngineConfig
    geometry: Geometry
    cost: Cost
    cycles_per_token: float
    chip: Chip
    sample: str = ""

    @property
    def lut4(self) -> int:
        """LUT4, or logic cells where a LUT4 shares one with a flip-flop."""
        return self.cost.lut4

    @property
    def block_ram(self) -> int:
        """Block RAMs."""
        return self.cost.block_ram


def estimate(model: Model, engine: EngineConfig, chip: Chip, text: Sample | None = None) -> Fit:
    """What ``engine`` is expected to take of ``chip`` and how fast it runs ``text`` (default: a sample).

    Raises
    ------
    TrineError
        If the link's frames cannot hold all that a token may be asked for.
    """
    return estimated(Figures(model, text), engine, chip)


def estimated(figures: Figures, engine: EngineConfig, chip: Chip) -> Fit:
    """:func:`estimate` of what ``figures`` may know already."""
    geometry = Geometry(figures.model.config, engine)
    taken = figures.cost(engine, chip)
    return Fit(engine, geometry, taken, figures.cycles(engine), chip, figures.sample.source)


def shortage(taken: Cost, geometry: Geometry, chip: Chip, *, share: float = 1.0) -> str | None:
    """What ``chip`` has too little of for an engine, and by how much; None where it holds it.

    Parameters
    ----------
    share : the part of LUTs and flip-flops that may be taken
    """
    deep = too_deep(chip, geometry)
    if deep is not None:
        return f"{deep.name} has {deep.depth} words, more than a block RAM"
    usable = " usable" if share < 1 else ""
    for what, needed, there in (
        ("block RAMs", taken.block_ram, f"{chip.block_ram}"),
        ("single-port RAMs", taken.spram, f"{chip.spram}"),
        ("LUT4", taken.lut4, f"{math.floor(share * chip.lut4)}{usable}"),
        ("flip-flops", taken.ff, f"{math.floor(share * chip.ff)}{usable}"),
    ):
        missing = needed - int(there.split()[0])
        if missing > 0:
            return f"{missing} {what} short ({needed} of {there})"
    return None


def configure(
    model: Model,
    lanes: int,
    banks: int,
    *,
    chip: Chip | None = None,
    relays: int | None = None,
    placement: Placement = ANYWHERE,
    activity: float = ACTIVITY,
    figures: Figures | None = None,
) -> EngineConfig:
    """The engine of at most ``lanes`` lanes with the fewest ways that keep up with its columns.

    On the board is what the model file holds or, for a ``chip``, as much of it as that has memory for,
    unless ``placement`` says where. ``activity`` is that of :func:`sample_text`; ``relays`` are as
    :func:`fit` chooses them where they are not given. ``figures`` are the model's, where there are any
    already; they have a sample.

    Raises
    ------
    TrineError
        If there are too few lanes or banks for any engine.
    """
    block_ram = chip.block_ram_kind if chip else "inferred"
    engine = EngineConfig(lanes, banks, *placement.of(model)[0], block_ram=block_ram, relays=relays or 0)
    figures = figures or Figures(model, activity=activity)
    link: LinkConfig | None = None
    if chip is not None:
        for places, link in linked(model, chip, placement, figures.link):
            engine = replace(engine, embedding=places[0], head=places[1])
            if _has_memory(Geometry(model.config, engine), chip, link):
                break
    groups = Geometry(model.config, engine).layer_groups
    engines = [engine]
    if engine.head == "board":
        least = len(model.config.spec.lanes)
        engines = [replace(engine, sampler_ways=ways) for ways in _WAYS if lanes >= least + ways]
    # The head's lanes are a multiple of the ways, which must not cost another group.
    engines = [each for each in engines if Geometry(model.config, each).layer_groups == groups]
    if chip is not None and link is not None:

        def held(each: EngineConfig) -> bool:
            geometry = Geometry(model.config, each)
            return (
                _has_memory(geometry, chip, link)
                and shortage(figures.cost(each, chip, link), geometry, chip) is None
            )

        engines = list(takewhile(held, engines)) or engines[:1]
    chosen = _fewest_ways(figures, engines)[0] if engines[1:] else engines[0]
    return _relayed(figures, chosen, chip) if chip and relays is None else chosen


def _has_memory(geometry: Geometry, chip: Chip, link: LinkConfig) -> bool:
    """Whether a chip has the memories of an engine and its link."""
    if too_deep(chip, geometry) is not None:
        return False
    blocks, _, single_port = memory_cost(geometry, chip, link)
    return blocks <= chip.block_ram and single_port <= chip.spram


def balance_banks(model: Model, engine: EngineConfig) -> EngineConfig:
    """``engine`` with its columns assigned to banks by what a sample of inputs activates.

    Raises :class:`TrineError` for a model without an embedding and without a sample of its inputs.
    """
    if model.embedding_weight is None and model.sample is None:
        raise TrineError(
            "the model has no embedding, and its file no sample of its inputs: nothing says which columns "
            "are active together"
        )
    text = sample_text(model, _BALANCE_SAMPLE)
    return replace(
        engine, assignment=balanced(active_columns(model, text.x, text.h, text.starts), engine.banks)
    )


def _relayed(figures: Figures, engine: EngineConfig, chip: Chip) -> EngineConfig:
    """With relays where the ROM covers much of the chip and they cost little."""
    _, columns, _ = memory_cost(Geometry(figures.model.config, engine), chip, chip.link)
    if engine.block_ram in ICE40 or not _WIDE * chip.block_ram <= columns <= chip.block_ram:
        return engine
    relayed = replace(engine, relays=1)
    faster = figures.cycles(relayed) <= _RELAYS * figures.cycles(engine)
    return relayed if faster else engine


def _fewest_ways(figures: Figures, engines: Sequence[EngineConfig]) -> tuple[EngineConfig, float]:
    """Of engines that differ in their ways, fewest first, the first about as fast as the last; its cycles."""
    most = _ABOUT * figures.cycles(engines[-1])
    first = next(engine for engine in engines if figures.cycles(engine) <= most)
    return first, figures.cycles(first)


def _candidates(
    model: Model, chip: Chip, banks: int, places: Places, *, ways: Sequence[int] = _WAYS
) -> Iterator[list[EngineConfig]]:
    """Engines for each number of groups, most lanes first; of each, those with fewer ways first."""
    head = model.config.vocab_size if places[1] == "board" else 0
    for groups in range(1, model.config.hidden + 1):
        engines = []
        for way in ways if head else ways[:1]:
            lanes = len(model.config.spec.lanes) * ceil_div(model.config.hidden, groups)
            lanes += way * ceil_div(ceil_div(head, groups), way)
            engine = EngineConfig(lanes, banks, *places, block_ram=chip.block_ram_kind, sampler_ways=way)
            if Geometry(model.config, engine).layer_groups == groups:
                engines.append(engine)
        if engines:
            yield engines


def fits(model: Model, chip: Chip, placement: Placement = ANYWHERE) -> bool:
    """Whether ``chip`` is expected to hold any engine for ``model``."""
    try:
        for places, link in linked(model, chip, placement):
            for banks in range(1, MOST_BANKS + 1):
                for smallest, *_ in _candidates(model, chip, banks, places, ways=_WAYS[:1]):
                    geometry = Geometry(model.config, smallest)
                    if not _has_memory(geometry, chip, link):
                        continue
                    taken = cost(model, smallest, chip, link)
                    if shortage(taken, geometry, chip, share=chip.lut_share) is None:
                        return True
    except DoesNotFit:
        pass
    return False


def fit(
    model: Model,
    chip: Chip,
    placement: Placement = ANYWHERE,
    *,
    activity: float = ACTIVITY,
    figures: Figures | None = None,
) -> Fit:
    """The engine with the fewest cycles a token that ``chip`` is expected to hold; of equals the smallest.

    Embedding and head are where ``placement`` says or, where it says nothing, on the board if it holds them
    beside the layer, and on the host otherwise. ``activity`` and ``figures`` are as for :func:`configure`.

    Raises
    ------
    DoesNotFit
        If none fits: says what is short, and by how much.
    """
    figures = figures or Figures(model, activity=activity)
    fitting: list[tuple[float, int, EngineConfig]] = []
    # Of the engines that do not fit, the one that lacks least: of those with the memories, in LUTs.
    nearest = (math.inf, math.inf, "")
    for places, link in linked(model, chip, placement, figures.link):
        for banks in range(1, MOST_BANKS + 1):
            for engines in _candidates(model, chip, banks, places):
                held: list[tuple[EngineConfig, int]] = []
                for engine in engines:
                    geometry = Geometry(model.config, engine)
                    if not _has_memory(geometry, chip, link):
                        blocks, _, single_port = memory_cost(geometry, chip, link)
                        taken = Cost(0, 0, blocks, 0, single_port)
                        lacks = (blocks, 0.0)
                    else:
                        taken = figures.cost(engine, chip, link)
                        lacks = (0.0, taken.lut4)
                    short = shortage(taken, geometry, chip, share=chip.lut_share)
                    if short is not None:
                        nearest = min(nearest, (*lacks, short))
                        break  # more ways only take more room
                    held.append((engine, taken.lut4))
                if held:
                    engine, cycles = _fewest_ways(figures, [each for each, _ in held])
                    fitting.append((cycles, dict(held)[engine], engine))
                    break  # more groups only take more cycles
        if fitting:
            break
    if not fitting:
        raise DoesNotFit(f"the model does not fit {chip.name}: {nearest[-1]}")
    _, _, engine = min(fitting, key=lambda found: found[:2])
    return estimated(figures, _relayed(figures, engine, chip), chip)
