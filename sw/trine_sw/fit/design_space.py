"""The engines that chips are expected to hold for a model: lanes and banks, cost and speed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace

from trine_sw.engine.placement import ANYWHERE, Placement
from trine_sw.fit.cost import Chip, fits_alike
from trine_sw.fit.figures import Figures
from trine_sw.fit.solver import MOST_BANKS, Fit, configure, estimated, shortage
from trine_sw.model import Model
from trine_sw.support.arithmetic import ceil_div
from trine_sw.support.errors import TrineError

__all__ = ["BANKS", "design_space", "lane_counts"]

#: Column ROMs read in each cycle that are tried.
BANKS = (1, 2, 3, 4, 6, MOST_BANKS)

#: Ways that the head's lanes leave room for.
_WAYS = 8
#: At least by which factor a count of lanes is above the next.
_STEP = 1.5


def lane_counts(model: Model, placement: Placement = ANYWHERE) -> list[int]:
    """Counts of lanes worth trying, most first: of each number of groups those that waste none.

    There are fewer of many groups, of which one more makes little difference. Where the head may be on the
    board or on the host, there are counts for both.
    """
    config = model.config
    found: set[int] = set()
    for head in {places[1] for places in placement.of(model)}:
        rows, last = (config.vocab_size if head == "board" else 0), 0
        for units in range(1, config.hidden + 1):
            groups = ceil_div(config.hidden, units)
            if units != ceil_div(config.hidden, groups):
                continue  # fewer units are as fast
            lanes = len(config.spec.lanes) * units + _WAYS * ceil_div(ceil_div(rows, groups), _WAYS)
            if lanes >= _STEP * last or units == config.hidden:
                found.add(lanes)
                last = lanes
    return sorted(found, reverse=True)


def design_space(
    figures: Figures,
    chips: Sequence[Chip],
    placement: Placement = ANYWHERE,
    *,
    banks: Sequence[int] = BANKS,
    progress: Callable[[int, int], object] = lambda done, of: None,
) -> Iterator[tuple[int, Fit]]:
    """Lanes and engine of each design that a chip is expected to hold.

    Each is what ``trine fit MODEL --lanes LANES --banks BANKS`` finds for the chip. Counts of lanes of which
    the same engine comes are given once, as the least of them. Chips that hold the same engines are solved
    once.

    Parameters
    ----------
    figures : of the model
    chips : such as boards
    placement : of embedding and head; by default on the chip where that has the memory
    banks : numbers of them that are tried
    progress : told how many of how many designs have been looked at

    Examples
    --------
    >>> figures = Figures(model, sample_text(model))
    >>> for lanes, found in design_space(figures, [trine.boards["icebreaker"]]):
    ...     print(lanes, found.engine.banks, found.cycles_per_token, found.lut4)
    """
    model = figures.model
    counts = lane_counts(model, placement)
    of_chip = len(banks) * len(counts)
    solved: dict[Hashable, list[tuple[int, Fit]]] = {}
    for number, chip in enumerate(chips):
        key, done = fits_alike(chip), number * of_chip
        if key not in solved:
            solved[key] = []
            for each in banks:
                held: dict[object, tuple[int, Fit]] = {}
                for lanes in counts:
                    found = _held(figures, lanes, each, chip, placement)
                    if found is not None:
                        engine = found.engine
                        built = found.geometry.lanes, engine.sampler_ways, engine.embedding, engine.head
                        held[built] = lanes, found
                    done += 1
                    progress(done, len(chips) * of_chip)
                solved[key] += held.values()
        else:
            progress(done + of_chip, len(chips) * of_chip)
        yield from ((lanes, replace(found, chip=chip)) for lanes, found in solved[key])


def _held(figures: Figures, lanes: int, banks: int, chip: Chip, placement: Placement) -> Fit | None:
    """The engine of these lanes and banks, where the chip holds one."""
    try:
        engine = configure(figures.model, lanes, banks, chip=chip, placement=placement, figures=figures)
        found = estimated(figures, engine, chip)
    except TrineError:  # too few lanes for a cell, too many symbols for a frame
        return None
    return None if shortage(found.cost, found.geometry, chip) else found
