"""Information of a board: the reply to INFO and OPEN."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, fields, replace

from trine_sw.engine import EngineConfig
from trine_sw.engine.memory_layout import MemoryLayout, place
from trine_sw.link.protocol import PROTOCOL_VERSION, Feature, LinkConfig
from trine_sw.model import Model, ModelConfig
from trine_sw.support.errors import TrineError

__all__ = [
    "INFO_BYTES",
    "Info",
    "board_info",
    "features",
    "info_offsets",
    "level_values",
    "u_bits",
    "version_remedy",
]

_INFO = struct.Struct("<B32sIBIIHBHB??BBBBBHIIIdB")
INFO_BYTES = _INFO.size


def level_values(model: ModelConfig) -> tuple[int, ...]:
    """The distinct levels of the head that are not 0, rising: u is the sign of h and one of these."""
    return tuple(sorted(set(model.head_levels[1:])))


def u_bits(model: ModelConfig) -> int:
    """Bits of an entry of u on the wire: a signed position in :func:`level_values`; 0 where u is h's trit."""
    count = len(level_values(model))
    return 0 if count == 1 else (2 * count).bit_length()


def version_remedy(board: int) -> str:
    """What to update where the board speaks another version of the protocol."""
    if board < PROTOCOL_VERSION:
        return "the board is the older one; build its bitstream with this version of Trine, and load it"
    return "this computer's Trine is the older one; update it to the version that built the bitstream"


@dataclass(frozen=True)
class Info:
    """What a board says of itself: the reply to INFO and OPEN.

    Members
    -------
    version : of the protocol
    digest : of the model, :meth:`trine_sw.model.Model.board_digest`
    hidden, layers, embedding, vocab_size : the model's sizes
    lanes, banks, groups : the engine's
    ways : logits that leave the head in a cycle
    embedding_on_board, head_on_board : what the engine keeps
    cell_max, output_shift : the model's
    u_bits : of an entry of u on the wire; 0: a trit
    logit_bits : of a logit; 0 without a head
    window, slot_bytes, receive_bytes : of :class:`trine_sw.link.protocol.LinkConfig`
    clock_hz, baud : of the engine and of the line; 0 where there is none
    head_scale : real logits are this times the integer ones; 0 without a head
    features : of :class:`trine_sw.link.protocol.Feature`, what else it can do
    """

    version: int
    digest: bytes
    hidden: int
    layers: int
    embedding: int
    vocab_size: int
    lanes: int
    banks: int
    groups: int
    ways: int
    embedding_on_board: bool
    head_on_board: bool
    cell_max: int
    output_shift: int
    u_bits: int
    logit_bits: int
    window: int
    slot_bytes: int
    receive_bytes: int
    clock_hz: int
    baud: int
    head_scale: float
    features: int

    def has(self, feature: Feature) -> bool:
        """Whether the board can do this."""
        return bool(self.features & feature)

    @property
    def top(self) -> int:
        """Largest logits of a token that the board gives, at most; 0: none."""
        field = self.features & Feature.TOP
        return min(1 << field // (Feature.TOP & -Feature.TOP) >> 1, self.vocab_size)

    def pack(self) -> bytes:
        """The payload of a reply."""
        return _INFO.pack(*(getattr(self, entry.name) for entry in fields(self)))

    @classmethod
    def unpack(cls, payload: bytes) -> Info:
        """From a reply's payload. Raises :exc:`TrineError` for another version or another form."""
        if payload and payload[0] != PROTOCOL_VERSION:
            raise TrineError(
                f"the board speaks version {payload[0]} of the protocol, and this driver version "
                f"{PROTOCOL_VERSION}: {version_remedy(payload[0])}"
            )
        if len(payload) != INFO_BYTES:
            raise TrineError(f"the board's description is {len(payload)} bytes long, not {INFO_BYTES}")
        return cls(*_INFO.unpack(payload))

    def at_most(self, link: LinkConfig) -> Info:
        """With no more frames in flight, no longer frames and no more bytes than ``link`` has."""
        names = ("window", "slot_bytes", "receive_bytes")
        return replace(self, **{name: min(getattr(self, name), getattr(link, name)) for name in names})

    @property
    def cells(self) -> int:
        """Cells of all layers, the first layer's first."""
        return self.layers * self.hidden

    @property
    def link(self) -> LinkConfig:
        """The board's buffers. Raises :exc:`TrineError` where they are none of this version's."""
        try:
            return LinkConfig(self.window, self.slot_bytes, self.receive_bytes)
        except TrineError as error:
            hint = "build its bitstream with this version of Trine"
            raise TrineError(f"the board's buffers are not right ({error}): {hint}") from None


def info_offsets() -> dict[str, int]:
    """Where each member of :class:`Info` begins in the reply's payload.

    >>> info_offsets()["digest"]
    1
    """
    codes = re.findall(r"\d*[A-Za-z?]", _INFO.format)
    return {
        entry.name: struct.calcsize("<" + "".join(codes[:number]))
        for number, entry in enumerate(fields(Info))
    }


def features(model: Model, engine: EngineConfig, link: LinkConfig) -> Feature:
    """What the gateware has: sums of logits, counts of classes and largest logits only for models that have
    a use for them."""
    if not link.fast:
        return Feature(0)
    found = Feature.SEQUENCES
    if engine.head == "board":
        task, summed = model.task, model.reduction == "sum"
        if task == "label" or (task == "classify" and summed):
            found |= Feature.SUMS | Feature.COUNTS
        elif task == "regress" and summed:
            found |= Feature.SUMS
        if task != "regress":
            found |= Feature.of_top(link.top)
    return found


def board_info(
    model: Model,
    engine: EngineConfig,
    link: LinkConfig,
    *,
    clock_hz: float = 0,
    baud: float = 0,
    layout: MemoryLayout | None = None,
) -> Info:
    """What a board with this model, engine and link says of itself.

    ``layout`` is the model's on the engine, where it is there already.
    """
    layout = layout or place(model, engine)
    geometry = layout.geometry
    config = model.config
    return Info(
        version=PROTOCOL_VERSION,
        digest=model.board_digest(embedding=engine.embedding == "board", head=engine.head == "board"),
        hidden=config.hidden,
        layers=config.layers,
        embedding=config.embedding,
        vocab_size=config.vocab_size,
        lanes=geometry.lanes,
        banks=engine.banks,
        groups=geometry.groups,
        ways=engine.sampler_ways,
        embedding_on_board=engine.embedding == "board",
        head_on_board=engine.head == "board",
        cell_max=config.cell_max,
        output_shift=config.output_shift,
        u_bits=u_bits(config),
        logit_bits=layout.logit_width,
        window=link.window,
        slot_bytes=link.slot_bytes,
        receive_bytes=link.receive_bytes,
        clock_hz=round(clock_hz),
        baud=round(baud),
        head_scale=float(model.head_scale or 0) if engine.head == "board" else 0.0,
        features=features(model, engine, link),
    )
