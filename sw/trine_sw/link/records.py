"""Contents of payloads: tokens, trit vectors, head inputs, logits, cells and counters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from trine_sw.engine import EngineConfig
from trine_sw.engine.memory_layout import MemoryLayout
from trine_sw.link.board_info import INFO_BYTES, Info, board_info
from trine_sw.link.protocol import MOST_SLOT_BYTES, PLAIN, SEGMENT_BYTES, Feature, Form, LinkConfig, Want
from trine_sw.model import Model
from trine_sw.model.trits import pack, packed_size, unpack
from trine_sw.support.arithmetic import ceil_div
from trine_sw.support.errors import TrineError

__all__ = [
    "CELL_BYTES",
    "COUNTERS",
    "GENERATE_BYTES",
    "SUM_BYTES",
    "Codec",
    "Counters",
    "impossible_cells",
    "link_for",
    "most_summed",
]

#: Of GENERATE, before the token: count (2), tau (2), flags (1), seed (4).
GENERATE_BYTES = 9
#: A cell in READ and WRITE: c and h, a signed byte each.
CELL_BYTES = 2
#: A logit that is a sum over a sequence, signed, of no more steps than :func:`most_summed`.
SUM_BYTES = 4
#: The counters in the order of their reply, 4 bytes each. The last seven are the link's own.
COUNTERS = (
    "tokens",
    "cycles",
    "columns",
    "frames",
    "damaged",
    "gaps",
    "repeats",
    "overflows",
    "framing_errors",
    "lock_losses",
)


@dataclass(frozen=True)
class Counters:
    """What a board has counted since its reset, each modulo 2**32.

    Members
    -------
    tokens, cycles, columns : the engine's: steps, cycles with a token in the engine, columns issued
    frames : whole frames received
    damaged : frames refused as CORRUPT
    gaps : frames refused because one before them was missing
    repeats : frames that came again and were answered from the replies kept
    overflows : bytes lost because the buffer was full
    framing_errors : bytes without a stop bit
    lock_losses : times that the clock stopped because its PLL had lost its lock, after which a state may be
        wrong; where such a loss resets the board, as on an iCE40, it stays 0
    """

    tokens: int
    cycles: int
    columns: int
    frames: int
    damaged: int
    gaps: int
    repeats: int
    overflows: int
    framing_errors: int
    lock_losses: int


def most_summed(logit_bits: int) -> int:
    """Steps whose logits of so many bits add up to no more than :data:`SUM_BYTES` hold."""
    return (1 << 8 * SUM_BYTES - logit_bits) - 1


def impossible_cells(
    c: NDArray[np.integer], h: NDArray[np.integer], cell_max: int, output_shift: int, *, gated: bool
) -> NDArray[np.bool_]:
    """Where c is out of range, or h is not what c gives or, if an output gate may be shut (``gated``), 0."""
    magnitude = np.abs(np.asarray(c, np.int64))
    wrong = h != np.sign(c) * (magnitude >> output_shift >= 1)
    return (magnitude > cell_max) | (wrong & (h != 0) if gated else wrong)


def link_for(
    model: Model, engine: EngineConfig, least: LinkConfig, layout: MemoryLayout | None = None
) -> LinkConfig:
    """Buffers like ``least``, with frames as long as one token needs for all that it can be asked for.

    ``layout`` is the model's on the engine, where it is there already.

    Raises
    ------
    TrineError
        If no frame is so long.
    """
    link = least
    codec = Codec(board_info(model, engine, link, layout=layout))
    parts = Want.U | Want.CYCLES | Want.LOGITS | Want.CHOICE
    form = Form.SUM if codec.info.has(Feature.SUMS) else PLAIN
    records = [codec.record_bytes(want, form) for want in (parts, parts ^ Want.U | Want.H)]
    before = SEGMENT_BYTES if codec.info.has(Feature.SEQUENCES) else 0
    needed = max(*records, 1 + before + codec.item_bytes)
    while link.max_payload < max(needed, INFO_BYTES):
        size = 2 * link.slot_bytes
        if size > MOST_SLOT_BYTES:
            raise TrineError(
                f"what a token may be asked for has {needed} bytes, and a frame at most {link.max_payload}: "
                f"with {model.config.vocab_size} symbols keep the head on the host"
            )
        link = replace(link, slot_bytes=size, receive_bytes=max(link.receive_bytes, size))
    return link


@dataclass(frozen=True)
class Codec:
    """Sizes and codes of what payloads carry, for a board."""

    info: Info

    @cached_property
    def token_bytes(self) -> int:
        """Of a token's number."""
        return max(1, ((self.info.vocab_size - 1).bit_length() + 7) // 8)

    @cached_property
    def item_bytes(self) -> int:
        """Of one token in a request: its number, or its packed trits."""
        return self.token_bytes if self.info.embedding_on_board else packed_size(self.info.embedding)

    @cached_property
    def logit_bytes(self) -> int:
        """Of one logit."""
        return (self.info.logit_bits + 7) // 8

    @cached_property
    def sizes(self) -> dict[Want, int]:
        """Bytes of each part of a token's record."""
        info = self.info
        h = packed_size(info.hidden)
        return {
            Want.H: h,
            Want.U: ceil_div(info.hidden * info.u_bits, 8) if info.u_bits else h,
            Want.CYCLES: 4,
            Want.LOGITS: self.logit_bytes * info.vocab_size,
            Want.CHOICE: self.token_bytes,
        }

    @cached_property
    def top_bytes(self) -> int:
        """Of one of the largest logits: its symbol's number, and the logit."""
        return self.token_bytes + self.logit_bytes

    def record_bytes(self, want: Want, form: Form = PLAIN, top: int = 0) -> int:
        """Of a token's record in a reply, which ends with the ``top`` largest logits."""
        return self._records[Form.SUM in form][want] + top * self.top_bytes

    @cached_property
    def _records(self) -> list[list[int]]:
        return [
            [sum(size for part, size in sizes.items() if part & want) for want in range(~Want(0) + 1)]
            for sizes in (self.sizes, self._sum_sizes)
        ]

    @cached_property
    def _sum_sizes(self) -> dict[Want, int]:
        return self.sizes | {Want.LOGITS: SUM_BYTES * self.info.vocab_size}

    def layout(self, want: Want, form: Form = PLAIN) -> dict[str, slice]:
        """Where each part is in a token's record, by its name in small letters; largest logits follow."""
        return self._layouts[Form.SUM in form][want]

    @cached_property
    def _layouts(self) -> list[list[dict[str, slice]]]:
        return [
            [_layout(sizes, want) for want in range(~Want(0) + 1)] for sizes in (self.sizes, self._sum_sizes)
        ]

    def pack_tokens(self, tokens: NDArray[np.integer]) -> bytes:
        """Token numbers (n,)."""
        if self.token_bytes < 3:
            return tokens.astype(f"<u{self.token_bytes}").tobytes()
        wide = np.ascontiguousarray(tokens, "<u4")
        return wide.view(np.uint8).reshape(-1, 4)[:, : self.token_bytes].tobytes()

    def unpack_tokens(self, data: bytes) -> NDArray[np.int64]:
        """Token numbers (n,)."""
        if self.token_bytes < 3:
            return np.frombuffer(data, f"<u{self.token_bytes}").astype(np.int64)
        wide = np.zeros((len(data) // self.token_bytes, 4), np.uint8)
        wide[:, : self.token_bytes] = np.frombuffer(data, np.uint8).reshape(-1, self.token_bytes)
        return wide.view("<u4")[:, 0].astype(np.int64)

    def pack_u(self, u: NDArray[np.integer], levels: tuple[int, ...]) -> NDArray[np.uint8]:
        """Head inputs (n, H) of these :func:`level_values`, packed (n, bytes)."""
        if not self.info.u_bits:
            return pack(np.sign(u))
        codes = np.sign(u) * (np.searchsorted(levels, np.abs(u)) + 1)
        bits = codes.astype(np.int64)[..., None] >> np.arange(self.info.u_bits) & 1
        return np.packbits(bits.reshape(len(u), -1).astype(np.uint8), axis=1, bitorder="little")

    def unpack_u(self, data: NDArray[np.uint8], levels: tuple[int, ...]) -> NDArray[np.int8]:
        """Head inputs (n, H), from their packed form (n, bytes)."""
        bits, size = self.info.u_bits, self.info.hidden
        if not bits:
            return unpack(data, size, name="u") * np.int8(levels[0])
        planes = np.unpackbits(data, axis=1, bitorder="little", count=bits * size).reshape(-1, size, bits)
        codes = planes[..., 0].copy()
        for bit in range(1, bits):
            codes |= planes[..., bit] << bit
        table, coded = _u_table(bits, levels)
        if not coded.take(codes).all():
            raise TrineError("the board sent a level that the model's head does not have")
        return table.take(codes)

    def pack_logits(self, logits: NDArray[np.integer], form: Form = PLAIN) -> NDArray[np.uint8]:
        """Logits (n, V), packed (n, bytes)."""
        wide = np.ascontiguousarray(logits, "<i4").view(np.uint8).reshape(*logits.shape, 4)
        return wide[..., : self._bytes_of_logit(form)].reshape(len(logits), -1)

    def unpack_logits(self, data: NDArray[np.uint8], form: Form = PLAIN) -> NDArray[np.int32]:
        """Logits (n, V), from their packed form (n, bytes)."""
        size = self._bytes_of_logit(form)
        parts = data.reshape(len(data), -1, size)
        wide = np.zeros((*parts.shape[:2], 4), np.uint8)
        wide[..., :size] = parts
        shift = 32 - 8 * size
        return (wide.view("<i4")[..., 0] << shift) >> shift

    def pack_top(self, symbols: NDArray[np.integer], logits: NDArray[np.integer]) -> NDArray[np.uint8]:
        """The largest logits (n, k) and their symbols, packed (n, bytes)."""
        of_symbols = np.frombuffer(self.pack_tokens(symbols.reshape(-1)), np.uint8)
        pairs = of_symbols.reshape(-1, self.token_bytes), self.pack_logits(logits.reshape(-1, 1))
        return np.concatenate(pairs, axis=1).reshape(len(symbols), -1)

    def unpack_top(self, data: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Symbols and logits (n, k), from their packed form (n, bytes)."""
        pairs = data.reshape(-1, self.top_bytes)
        symbols = self.unpack_tokens(pairs[:, : self.token_bytes].tobytes())
        logits = self.unpack_logits(pairs[:, self.token_bytes :])[:, 0]
        return symbols.reshape(len(data), -1), logits.reshape(len(data), -1)

    def _bytes_of_logit(self, form: Form) -> int:
        return SUM_BYTES if Form.SUM in form else self.logit_bytes


def _layout(sizes: dict[Want, int], want: int) -> dict[str, slice]:
    layout, end = {}, 0
    for part, size in sizes.items():
        if part & want and part.name:
            layout[part.name.lower()] = slice(end, end + size)
            end += size
    return layout


@lru_cache
def _u_table(bits: int, levels: tuple[int, ...]) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """The head input of each code of so many bits, a signed index of the levels, and which codes are used."""
    codes = np.arange(1 << bits)
    codes -= codes >> (bits - 1) << bits
    coded = np.abs(codes) <= len(levels)
    values = np.array((0, *levels))[np.where(coded, np.abs(codes), 0)]
    return (np.sign(codes) * values).astype(np.int8), coded
