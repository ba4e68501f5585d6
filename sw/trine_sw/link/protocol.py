"""Frames of the protocol between host and board (docs/driver.md lists their bytes).

A frame is COBS-encoded between zero bytes. Inside, numbers with their least significant byte first:

    session (2)  sequence (2)  code (1)  payload  CRC-32 of all before (4)
"""

from __future__ import annotations

import enum
import struct
import zlib
from dataclasses import dataclass
from typing import NamedTuple

from cobs import cobs

from trine_sw.support.checks import integer, shown
from trine_sw.support.errors import TrineError

__all__ = [
    "BAD_FRAME",
    "CODECS",
    "COUNTED",
    "CRC_BYTES",
    "BEGINS",
    "DONE",
    "ENDS",
    "HEADER_BYTES",
    "LEAST_SLOT_BYTES",
    "LONGEST_BLOCK",
    "MORE",
    "MOST_SEGMENT",
    "MOST_SLOT_BYTES",
    "MOST_TOP",
    "MOST_WINDOW",
    "PLAIN",
    "PROTOCOL_VERSION",
    "REFUSED",
    "SEGMENT_BYTES",
    "SEQUENCES",
    "Command",
    "Feature",
    "Form",
    "Frame",
    "LinkConfig",
    "Reason",
    "Splitter",
    "Want",
    "decode",
    "encode",
    "encoded_size",
    "refusal_payload",
]

PROTOCOL_VERSION = 4

#: The gateware keeps them in a memory.
_MOST_RECEIVE_BYTES = 65536
_HEADER = struct.Struct("<HHB")
_CRC = struct.Struct("<I")
HEADER_BYTES = _HEADER.size
CRC_BYTES = _CRC.size
_CRC_RESIDUE = zlib.crc32(_CRC.pack(zlib.crc32(b"")))
#: Of COBS: this code byte is followed by 254 bytes and no zero.
LONGEST_BLOCK = 0xFF
#: Sequence numbers count modulo this.
SEQUENCES = 1 << 16

#: Room for an encoded frame, at least and at most.
LEAST_SLOT_BYTES, MOST_SLOT_BYTES = 64, 8192
#: Frames that may be unanswered, at most.
MOST_WINDOW = 64
#: Largest logits of a token that a board gives with their symbols, at most.
MOST_TOP = 16
#: How the gateware packs and unpacks payloads (:class:`LinkConfig`).
CODECS = ("serial", "fast")

#: A segment of a STEP whose tokens come in sequences begins with so many bytes: the number of its tokens, at
#: most :data:`MOST_SEGMENT`, and whether its first token begins from the zero state, and whether its last one
#: ends a sequence.
SEGMENT_BYTES = 2
MOST_SEGMENT, ENDS, BEGINS = 0x3FFF, 0x4000, 0x8000

#: A reply's code is the command's with this bit set where the command was done...
DONE = 0x80
#: ... and a :class:`Reason` with these bits set where it was refused.
REFUSED = 0xC0


class Command(enum.IntEnum):
    """What a host may ask for. INFO and OPEN take no sequence number, all others do.

    0x10 to 0x17 are kept for the loading of weights; no board has them yet, and each refuses them as unknown.
    """

    INFO = 0x00
    OPEN = 0x01
    RESET = 0x02
    STEP = 0x03
    GENERATE = 0x04
    READ = 0x05
    WRITE = 0x06
    COUNTERS = 0x07
    RESUME = 0x08


class Reason(enum.IntEnum):
    """Why a board refuses. The first three use up no sequence number: the frame never counted."""

    CORRUPT = 1
    SESSION = 2
    SEQUENCE = 3
    COMMAND = 4
    LENGTH = 5
    VALUE = 6
    TOKEN = 7
    ROOM = 8
    STATE = 9
    VERSION = 10
    HALTED = 11
    BUSY = 12  # not a board's: of what stands before one, such as ``trine board``

    @property
    def sentence(self) -> str:
        """The reason, for a message to the user."""
        return _SENTENCES[self]


_SENTENCES = {
    Reason.CORRUPT: "a frame arrived damaged",
    Reason.SESSION: "the frame is of another session",
    Reason.SEQUENCE: "a frame before this one is missing",
    Reason.COMMAND: "the command is unknown to this board",
    Reason.LENGTH: "the payload's length does not suit the command",
    Reason.VALUE: "a value in the payload is out of its range",
    Reason.TOKEN: "a token is not in the model's vocabulary",
    Reason.ROOM: "the reply would not fit a frame",
    Reason.STATE: "a state was written in part: write it whole, or begin anew by reset()",
    Reason.VERSION: "the board speaks another version of the protocol",
    Reason.HALTED: "a command before this one was refused",
    Reason.BUSY: "the board serves another program",
}

#: The code of the refusal of a frame that cannot be trusted.
BAD_FRAME = REFUSED | Reason.CORRUPT


class Want(enum.IntFlag):
    """What a reply to STEP carries for each token, in this order: H and U of the last layer."""

    H = 1
    U = 2
    CYCLES = 4
    LOGITS = 8
    CHOICE = 16


#: H and U exclude each other: both stand for neither, and for a byte that follows. It is the number of
#: largest logits that each record ends with, or :data:`COUNTED`.
MORE = Want.H | Want.U
COUNTED = 128


class Form(enum.IntFlag):
    """How the tokens of a STEP come and what is said of them, in the bits above those of :class:`Want`.

    Members
    -------
    SEQUENCES : in segments, each behind its :data:`SEGMENT_BYTES`
    LAST : with SEQUENCES: a record of each token that ends a sequence, and of no other
    SUM : with LAST and LOGITS or CHOICE: the record has the sums of the logits over the tokens since the last
        one that began from the zero state, of those in frames with SUM, and their likeliest
    COUNT : with SUM, by :data:`COUNTED`: in place of each logit counts whether its symbol is the choice
    """

    SEQUENCES = 32
    LAST = 64
    SUM = 128
    COUNT = 256


#: Of a STEP whose tokens follow each other and each have a record.
PLAIN = Form(0)


class Feature(enum.IntFlag):
    """What a board can do beyond what each of its protocol version does.

    Members
    -------
    SEQUENCES : :attr:`Form.SEQUENCES` and :attr:`Form.LAST`
    SUMS : :attr:`Form.SUM`
    COUNTS : :attr:`Form.COUNT`
    TOP : largest logits; the field of these bits is 0 or the bit length of a power of two, how many at most
    """

    SEQUENCES = 1
    SUMS = 2
    COUNTS = 4
    TOP = 56

    @classmethod
    def of_top(cls, top: int) -> Feature:
        """That a board gives so many largest logits, a power of two or 0.

        >>> [int(Feature.of_top(top)) for top in (0, 1, 2, 16)]
        [0, 8, 16, 40]
        """
        return cls(top.bit_length() * (Feature.TOP & -Feature.TOP))


@dataclass(frozen=True)
class LinkConfig:
    """Sizes of a board's buffers.

    Parameters
    ----------
    window : frames that may be unanswered, and last replies that the board keeps; a power of two.
    slot_bytes : room for one encoded frame; a power of two from 64 to 8192.
    receive_bytes : bytes that the board buffers before it reads them; a power of two from a slot's to 65536.
    codec : one of :data:`CODECS`. ``"serial"`` unpacks and packs a digit or a cell at a time, and gives the
        engine a token when the one before has been answered: the smallest gateware. ``"fast"`` moves a byte
        in every cycle, and keeps the engine busy. The bytes on the wire are the same.
    top : with the fast codec, how many of a token's largest logits the board gives with their symbols, at
        most; a power of two up to :data:`MOST_TOP`, or 0 for a board that does not.

    Raises
    ------
    TrineError
        If a size is out of range, or there is no such codec.
    """

    window: int = 8
    slot_bytes: int = 256
    receive_bytes: int = 2048
    codec: str = "serial"
    top: int = MOST_TOP

    def __post_init__(self) -> None:
        if not isinstance(self.codec, str) or self.codec not in CODECS:
            raise TrineError(f"codec must be one of {', '.join(CODECS)}, not {shown(self.codec)}")
        self._check("window", 1, MOST_WINDOW)
        self._check("slot_bytes", LEAST_SLOT_BYTES, MOST_SLOT_BYTES)
        self._check("receive_bytes", self.slot_bytes, _MOST_RECEIVE_BYTES)
        self._check("top", 0, MOST_TOP)

    def _check(self, name: str, low: int, high: int) -> None:
        value = integer(getattr(self, name), name, low, high)
        if value & (value - 1):
            raise TrineError(f"{name} must be a power of two from {low} to {high}, not {value}")
        object.__setattr__(self, name, value)

    @property
    def fast(self) -> bool:
        """Whether the codec is the fast one."""
        return self.codec == "fast"

    @property
    def max_frame(self) -> int:
        """Bytes of a frame before its encoding: with COBS' overhead and the zero they fill a slot."""
        return self.slot_bytes - 2 - self.slot_bytes // 254

    @property
    def max_payload(self) -> int:
        """Bytes of a payload."""
        return self.max_frame - HEADER_BYTES - CRC_BYTES


class Frame(NamedTuple):
    """A frame's contents; ``code`` is a :class:`Command`, or a reply's."""

    session: int
    sequence: int
    code: int
    payload: bytes = b""

    @property
    def reason(self) -> Reason | None:
        """Why this reply refuses, or None where it does not."""
        if self.code & REFUSED != REFUSED:
            return None
        try:
            return Reason(self.code & ~REFUSED)
        except ValueError:
            return None


def encoded_size(payload_bytes: int) -> int:
    """Bytes on the wire of a frame with so long a payload, at most."""
    size = HEADER_BYTES + payload_bytes + CRC_BYTES
    return size + 1 + (size - 1) // 254 + 1


def encode(frame: Frame) -> bytes:
    """The bytes of a frame on the wire, the closing zero included."""
    body = _HEADER.pack(frame.session, frame.sequence, frame.code) + frame.payload
    return cobs.encode(body + _CRC.pack(zlib.crc32(body))) + b"\0"


def decode(encoded: bytes) -> Frame | None:
    """The frame between two zeros, or None where it is damaged."""
    try:
        body = cobs.decode(encoded)
    except cobs.DecodeError:
        return None
    # The CRC over a body and its own CRC is the same for all.
    if len(body) < HEADER_BYTES + CRC_BYTES or zlib.crc32(body) != _CRC_RESIDUE:
        return None
    session, sequence, code = _HEADER.unpack_from(body)
    return Frame(session, sequence, code, body[HEADER_BYTES:-CRC_BYTES])


def refusal_payload(expected: int, session: int) -> bytes:
    """Of a refusal: the sequence number that the board waits for, the session that was addressed."""
    return struct.pack("<HH", expected, session)


class Splitter:
    """Cuts a stream of bytes at its zeros; what exceeds ``limit`` without one comes out cut short."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Whole encoded frames, without their zeros and without empty ones."""
        *whole, self._rest = (self._rest + data).split(b"\0")
        self._rest = self._rest[: self._limit + 1]
        return [part[: self._limit + 1] for part in whole if part]
