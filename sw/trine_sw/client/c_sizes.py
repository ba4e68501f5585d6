"""Sizes of the payloads of a C client."""

from __future__ import annotations

from dataclasses import dataclass

from trine_sw.engine import EngineConfig
from trine_sw.link.board_design import BoardDesign
from trine_sw.link.board_info import INFO_BYTES
from trine_sw.link.protocol import MOST_SLOT_BYTES, Want
from trine_sw.link.records import COUNTERS, GENERATE_BYTES, Codec
from trine_sw.model import Model

__all__ = ["ClientSizes"]

#: Of requests, where a step does not need more: several steps, and few of them lost with a frame.
_REQUEST = 128


@dataclass(frozen=True)
class ClientSizes:
    """Bytes of what a client sends and receives.

    Members
    -------
    token : of a token's number
    item : of a step in a request
    u : of a step's head inputs
    least_request, request : of a request's payload, at least and by default
    least_reply, reply : of a reply's, at least and by default
    """

    token: int
    item: int
    u: int
    least_request: int
    request: int
    least_reply: int
    reply: int

    @classmethod
    def of(cls, model: Model, engine: EngineConfig) -> ClientSizes:
        """The sizes for a board of a model on an engine."""
        codec, head = Codec(BoardDesign(model, engine).info), engine.head
        everything = Want.U | Want.CYCLES
        outputs = Want.U  # what a class or a choice is made of
        if head == "board":
            everything |= Want.LOGITS | Want.CHOICE
            outputs = Want.LOGITS
        least_request = max(
            1 + codec.item_bytes,
            GENERATE_BYTES + codec.token_bytes,
        )
        least_reply = max(INFO_BYTES, 4 * len(COUNTERS), codec.record_bytes(outputs))
        return cls(
            token=codec.token_bytes,
            item=codec.item_bytes,
            u=codec.sizes[Want.U],
            least_request=least_request,
            request=min(max(least_request, _REQUEST), MOST_SLOT_BYTES),
            least_reply=least_reply,
            reply=min(max(least_reply, codec.record_bytes(everything)), MOST_SLOT_BYTES),
        )
