"""Placement of embedding and head: on the board, or on the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trine_sw.model import Model
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = ["ANYWHERE", "Place", "Placement", "Places"]

Place = Literal["board", "host"]
"""Where embedding or head is."""

Places = tuple[Place, Place]
"""Where embedding and head are."""


@dataclass(frozen=True)
class Placement:
    """Where embedding and head must be, ``"board"`` or ``"host"``; None leaves it to who chooses the engine.

    Raises
    ------
    TrineError
        For any other place.
    """

    embedding: Place | None = None
    head: Place | None = None

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
"""The placement that leaves all to who chooses the engine."""
