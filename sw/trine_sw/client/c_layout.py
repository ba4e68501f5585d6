"""State of a C client: the members of its structures, and how many bytes they take on a microcontroller."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

__all__ = ["Member", "client_members", "slot_members", "state_bytes"]

_TYPES = {
    "uint8_t": ctypes.c_uint8,
    "int8_t": ctypes.c_int8,
    "int16_t": ctypes.c_int16,
    "uint16_t": ctypes.c_uint16,
    "int32_t": ctypes.c_int32,
    "uint32_t": ctypes.c_uint32,
    "int64_t": ctypes.c_int64,
}


@dataclass(frozen=True)
class Member:
    """A member of a structure: its type and name in C, its elements (0: no array), the words that say how
    many there are in C, and its comment."""

    type: str
    name: str
    comment: str
    count: int = 0
    length: str = ""

    @property
    def declaration(self) -> str:
        return f"{self.type} {self.name}{f'[{self.length}]' if self.count else ''};"


def slot_members(frame_bytes: int) -> list[Member]:
    """Of a request that is not answered."""
    return [
        Member("uint32_t", "stamp", "order of its latest transmission"),
        Member("uint32_t", "sent_at", "milliseconds"),
        Member("uint16_t", "size", "bytes of the frame"),
        Member("uint16_t", "steps", "steps in it"),
        Member("uint8_t", "command", ""),
        Member("uint8_t", "want", "what its steps are asked for"),
        Member("uint8_t", "repeated", "whether it was sent more than once"),
        Member("uint8_t", "bytes", "the encoded frame", frame_bytes, "TRINE_FRAME_BYTES"),
    ]


def client_members(
    *, window: int, reply_bytes: int, features: int, hidden: int, outputs: int, counters: list[str]
) -> list[Member]:
    """Of a client; members of arrays without elements are left out."""
    members = [
        Member("trine_io", "io", "the wire"),
        *(Member("uint32_t", name, "counter of this side, see the driver's page") for name in counters),
        Member("uint32_t", "heard", "milliseconds when the board was last heard"),
        Member("uint32_t", "stamp", "of the latest transmission"),
        Member("uint32_t", "timeout", "milliseconds until a request is repeated, as it is now"),
        Member("uint32_t", "measured", "the same, before it was lengthened"),
        Member("uint32_t", "round_trip", "smoothed, in eighths of a millisecond; 0: not measured"),
        Member("uint32_t", "variation", "of round trips, in quarters of a millisecond"),
        Member("uint32_t", "generator", "state of the sampler, where the client chooses"),
        Member("uint32_t", "random", "for session numbers"),
        Member("uint32_t", "credit", "bytes that the board buffers"),
        Member("int64_t", "total", "logits of a sequence", outputs, "TRINE_OUTPUTS"),
        Member("int32_t", "sum", "of a sequence's head inputs", hidden, "TRINE_HIDDEN"),
        Member("uint16_t", "nonce", "the session's number"),
        Member("uint16_t", "tag", "of OPEN"),
        Member("uint16_t", "oldest", "sequence number of the oldest request"),
        Member("uint16_t", "most_payload", "bytes that the board takes"),
        Member("uint16_t", "payload", "bytes of a payload that suit the wire as it is now"),
        Member("uint16_t", "size", "bytes of the frame that is being received"),
        Member("int16_t", "previous", "samples of the step before", features, "TRINE_FEATURES"),
        Member("uint8_t", "has_previous", "whether there are some"),
        Member("uint8_t", "open", "whether there is a session"),
        Member("uint8_t", "halted", "the board has refused a request, and takes none until RESUME"),
        Member("uint8_t", "reason", "why the board refused the last request that it refused"),
        Member("uint8_t", "window", "requests that may be unanswered"),
        Member("uint8_t", "first", "slot of the oldest request"),
        Member("uint8_t", "count", "requests that are not answered"),
        Member("uint8_t", "answered", "requests since the payload was last judged"),
        Member("uint8_t", "repeats", "and those among them that were sent again"),
        Member("uint8_t", "gaps", "strange refusals since the last reply"),
        Member("uint8_t", "logit_bytes", "of a logit on the wire"),
        Member("uint8_t", "seeded", "whether the board's sampler is this session's"),
        Member("uint8_t", "noise", "whether bytes have come that are no frame"),
        Member("uint8_t", "left", "bytes left in a block of the frame that is being received"),
        Member("uint8_t", "state", "of the receiver: what has begun, what is wrong"),
        Member("uint8_t", "in_at", "next of the bytes that were read"),
        Member("uint8_t", "in_size", "and how many there are"),
        Member("uint8_t", "in", "bytes that were read", 32, "TRINE_READ_BYTES"),
        Member("uint8_t", "frame", "the frame that is received", reply_bytes, "TRINE_REPLY_FRAME_BYTES"),
        Member("trine_slot", "slots", "requests that are not answered", window, "TRINE_WINDOW"),
    ]
    return [member for member in members if not member.length or member.count]


def state_bytes(members: list[Member], slots: list[Member], *, pointer_bytes: int = 4) -> int:
    """Bytes of a client, by the usual rules of alignment."""
    pointer = ctypes.c_uint32 if pointer_bytes == 4 else ctypes.c_uint64
    types = dict(_TYPES, trine_io=pointer * 4, trine_slot=_structure(slots, _TYPES))
    return ctypes.sizeof(_structure(members, types))


def _structure(members: list[Member], types: dict[str, Any]) -> type[ctypes.Structure]:
    fields = [
        (member.name, types[member.type] * member.count if member.count else types[member.type])
        for member in members
    ]
    return type("Structure", (ctypes.Structure,), {"_fields_": fields})
