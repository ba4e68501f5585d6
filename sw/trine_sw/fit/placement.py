"""Places of embedding and head that a board's link suffices for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from trine_sw.engine import EngineConfig
from trine_sw.engine.placement import Placement, Places
from trine_sw.fit.cost import Chip
from trine_sw.link.protocol import LinkConfig
from trine_sw.link.records import link_for
from trine_sw.model import Model
from trine_sw.support.errors import TrineError

__all__ = ["DoesNotFit", "linked"]


class DoesNotFit(TrineError):
    """A chip holds no engine for a model."""


def linked(
    model: Model,
    chip: Chip,
    placement: Placement,
    links: Callable[[Model, EngineConfig, LinkConfig], LinkConfig] = link_for,
) -> Iterator[tuple[Places, LinkConfig]]:
    """Each of a placement's places that the link's frames suffice for, and its buffers.

    Nothing else of an engine decides them: a logit is as wide however the rows are folded.

    Raises :exc:`DoesNotFit` if there is none.
    """
    refused: TrineError | None = None
    for places in placement.of(model):
        lanes = len(model.config.spec.lanes) * model.config.hidden + model.config.vocab_size
        engine = EngineConfig(lanes, 1, *places, block_ram=chip.block_ram_kind)
        try:
            link = links(model, engine, chip.link)
        except TrineError as error:
            refused = error
        else:
            refused = None
            yield places, link
    if refused is not None:  # not even with as much on the host as there may be
        raise DoesNotFit(f"the model does not fit {chip.name}: {refused}")
