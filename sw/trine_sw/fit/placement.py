"""Placement of embedding and head: on the board, or on the host."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from trine_sw.engine import EngineConfig
from trine_sw.fit.cost import Chip
from trine_sw.link.protocol import LinkConfig
from trine_sw.link.records import link_for
from trine_sw.model import Model
from trine_sw.support.arithmetic import ceil_div
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = ["ANYWHERE", "DoesNotFit", "Placement", "Places", "linked", "placed"]

Places = tuple[str, str]
"""Where embedding and head are."""


class DoesNotFit(TrineError):
    """A chip holds no engine for a model."""


@dataclass(frozen=True)
class Placement:
    """Where embedding and head must be, ``"board"`` or ``"host"``; None leaves it to the search.

    Raises
    ------
    TrineError
        For any other place.
    """

    embedding: str | None = None
    head: str | None = None

    def __post_init__(self) -> None:
        for name, value in (("embedding", self.embedding), ("head", self.head)):
            if value is not None and (not isinstance(value, str) or value not in ("board", "host")):
                raise TrineError(f"{name} must be placed on 'board' or 'host', not {shown(value)}")

    def of(self, model: Model) -> list[Places]:
        """Places of embedding and head, most on the board first; what the model file lacks is the host's.

        Raises :class:`TrineError` where the board must hold what the file lacks.
        """
        allowed = []
        for name, wanted, there in (
            ("embedding", self.embedding, model.embedding_weight is not None),
            ("head", self.head, model.head_weight is not None),
        ):
            if wanted == "board" and not there:
                kind = "ternary head" if name == "head" else name
                raise TrineError(
                    f"the model has no {kind}, so the board cannot hold it: place it on the host"
                )
            allowed.append((wanted,) if wanted else ("board", "host") if there else ("host",))
        both = [(embedding, head) for embedding in allowed[0] for head in allowed[1]]
        return sorted(both, key=lambda places: places.count("host"))


ANYWHERE = Placement()
"""The placement that leaves all to the search."""


def placed(engine: EngineConfig, model: Model, placement: Placement) -> EngineConfig:
    """``engine``, which has a lane for every row, with embedding and head where ``placement`` wants them."""
    embedding, head = placement.of(model)[0]
    head = engine.head if placement.head is None else head
    lanes, ways = len(model.config.spec.lanes) * model.config.hidden, engine.sampler_ways
    return replace(
        engine,
        lanes=lanes + (ceil_div(model.config.vocab_size, ways) * ways if head == "board" else 0),
        embedding=engine.embedding if placement.embedding is None else embedding,
        head=head,
    )


def linked(model: Model, chip: Chip, placement: Placement) -> Iterator[tuple[Places, LinkConfig]]:
    """Each of a placement's places that the link's frames suffice for, and its buffers.

    Nothing else of an engine decides them: a logit is as wide however the rows are folded.

    Raises :exc:`DoesNotFit` if there is none.
    """
    refused: TrineError | None = None
    for places in placement.of(model):
        lanes = len(model.config.spec.lanes) * model.config.hidden + model.config.vocab_size
        engine = EngineConfig(lanes, 1, *places, block_ram=chip.block_ram_kind)
        try:
            link = link_for(model, engine, chip.link)
        except TrineError as error:
            refused = error
        else:
            refused = None
            yield places, link
    if refused is not None:  # not even with as much on the host as there may be
        raise DoesNotFit(f"the model does not fit {chip.name}: {refused}")
