"""Memories of the link, and the list of all memories of a board's gateware."""

from __future__ import annotations

from trine_sw.engine.geometry import Geometry
from trine_sw.engine.memories import (
    Memory,
    cell_memory,
    column_memory,
    embedding_memory,
    noise_memory,
    state_memory,
)
from trine_sw.link.protocol import LinkConfig
from trine_sw.link.records import COUNTERS
from trine_sw.model import ModelConfig
from trine_sw.model.trits import TRITS_PER_BYTE
from trine_sw.support.arithmetic import ceil_div

__all__ = [
    "CELLS_AT_ONCE",
    "cobs_memory",
    "counter_memory",
    "datagram_memory",
    "datagram_words",
    "kept_memory",
    "link_memories",
    "memories",
    "stored_datagrams",
    "stored_packets",
    "stored_reply",
]

#: States of so many cells are kept in the LUTs of an ECP5, those of more in a block RAM.
_KEPT_IN_LUTS = 128
#: Cells of the state that the fast codec moves in a cycle: two bytes of trits.
CELLS_AT_ONCE = 2 * TRITS_PER_BYTE
#: So many words of :data:`CELLS_AT_ONCE` cells are kept in LUTs.
_WORDS_IN_LUTS = 64
#: Of the counters, the first are the core's and lie in flip-flops.
_OF_CORE = 3


def kept_memory(model: ModelConfig, kind: str, link: LinkConfig) -> Memory:
    """The state after the last frame, which the link keeps: c and h of a cell a word or, with the fast codec,
    of :data:`CELLS_AT_ONCE` cells of one layer.

    Like the counters it has nothing in it at first; the serial codec's has one port, as an iCE40UP's
    single-port RAM.
    """
    width = model.cell_bits + 2
    if link.fast:
        words = model.layers * ceil_div(model.hidden, CELLS_AT_ONCE)
        style = "distributed" if words <= _WORDS_IN_LUTS else "block"
        styles = {"ecp5": style, "gowin": "block"}
        return Memory("kept state", width * CELLS_AT_ONCE, max(2, words), styles.get(kind, "auto"))
    styles = {"ice40": "huge", "ice40hx": "block", "gowin": "block"}
    styles["ecp5"] = "distributed" if model.cells <= _KEPT_IN_LUTS else "block"
    return Memory("kept state", width, max(2, model.cells), styles.get(kind, "auto"))


def counter_memory(kinds: int, kind: str) -> Memory:
    """The link's counters of ``kinds`` events, two words each."""
    styles = {"ice40": "huge", "ice40hx": "block", "ecp5": "distributed", "gowin": "block"}
    return Memory("counters", 16, 2 * kinds, styles.get(kind, "auto"))


def link_memories(link: LinkConfig) -> tuple[Memory, Memory, Memory]:
    """Bytes received, the frame at hand (with the fast codec, and the next one), and the replies kept."""
    replies = (link.window + 1) * link.slot_bytes
    return (
        Memory("received", 8, link.receive_bytes),
        Memory("frame", 8, link.slot_bytes * (2 if link.fast else 1)),
        Memory("replies", 8, replies),
    )


def stored_reply(link: LinkConfig) -> Memory:
    """A reply that waits until it is complete, where the transport cannot pause within one."""
    return Memory("stored reply", 8, link.slot_bytes)


def datagram_memory(words: int) -> Memory:
    """Datagrams of a transport, by words of four bytes that say whether and where they are the last."""
    return Memory("datagrams", 35, words)


def cobs_memory() -> Memory:
    """Two of COBS' longest blocks."""
    return Memory("blocks", 8, 512)


def datagram_words(link: LinkConfig) -> tuple[int, int]:
    """Words that the transport ``ethernet`` keeps: of datagrams that come, and of two replies."""
    return link.receive_bytes // 4, 2 * link.slot_bytes // 4


def stored_datagrams(link: LinkConfig) -> list[Memory]:
    """All memories of the transport ``ethernet``."""
    return [*map(datagram_memory, datagram_words(link)), cobs_memory()]


def stored_packets() -> list[Memory]:
    """Packets of 512 bytes of the transport ``ulpi``: two that come, whose bytes say whether they are the
    first or the last, and two that go, each in a memory of its own."""
    return [Memory("packets that come", 10, 1024), *[Memory("packet that goes", 8, 512)] * 2]


def memories(geometry: Geometry, link: LinkConfig) -> list[Memory]:
    """All memories of an engine and its link."""
    model, engine = geometry.model, geometry.engine
    kind = engine.block_ram
    found = [column_memory(geometry)]
    if engine.embedding == "board":
        found.append(embedding_memory(model, engine))
    if geometry.head_lanes:
        found.append(noise_memory(engine.sampler_ways, kind))
    if geometry.state_in_memory:
        found.append(state_memory(geometry.units, geometry.groups, 2 + model.level_bits))
        found.append(cell_memory(geometry.units, geometry.groups, model.cell_bits, kind))
    found += link_memories(link)
    return [*found, kept_memory(model, kind, link), counter_memory(len(COUNTERS) - _OF_CORE, kind)]
