"""The memories of a board's gateware: their words, and the block RAMs that each of them takes.

The gateware takes widths, depths, forms and slices from here, and so does the estimate of what a chip holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trine_sw.engine import EngineConfig, Geometry
from trine_sw.link.protocol import LinkConfig
from trine_sw.link.records import COUNTERS
from trine_sw.model import ModelConfig
from trine_sw.sampler import DRAW_BITS, GUMBEL_BITS

__all__ = [
    "FORMS",
    "Form",
    "Memory",
    "block_rams",
    "cell_memory",
    "column_memory",
    "counter_memory",
    "deepest",
    "embedding_memory",
    "form_bits",
    "kept_memory",
    "link_memories",
    "memories",
    "noise_memory",
    "single_port_rams",
    "slices",
    "state_memory",
]

#: Words of a block RAM, and the bits of each.
Form = tuple[int, int]
#: Words and their bits that a block RAM can hold, by ``EngineConfig.block_ram``: DP16KD and PDPW16KD
#: (Lattice FPGA-TN-02204), SB_RAM40_4K (Lattice FPGA-TN-02002).
FORMS: dict[str, tuple[Form, ...]] = {
    "ecp5": ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
    "ice40": ((256, 16), (512, 8), (1024, 4), (2048, 2)),
}
#: Words and bits of an iCE40UP's single-port RAM, SB_SPRAM256KA.
_SINGLE_PORT = (16384, 16)
#: States of so many cells are kept in the LUTs of an ECP5, those of more in a block RAM.
_KEPT_IN_LUTS = 128
#: Of the counters, the first are the core's and lie in flip-flops.
_OF_CORE = 3


@dataclass(frozen=True)
class Memory:
    """A memory, and how it is made.

    Members
    -------
    name : what it holds
    width : bits of a word
    depth : words
    style : Yosys' ``ram_style``: ``"block"``, ``"huge"`` (single-port RAM), ``"distributed"`` (LUTs) or
        ``"auto"``
    count : how many there are, all alike
    sliced : a ROM is built of block RAMs side by side, whose form is the one that holds all words
    """

    name: str
    width: int
    depth: int
    style: str = "block"
    count: int = 1
    sliced: bool = False

    @property
    def attrs(self) -> dict[str, str]:
        """The memory's attributes for synthesis."""
        return {} if self.style == "auto" else {"ram_style": self.style}


def deepest(kind: str) -> int:
    """Words of a block RAM's deepest form."""
    return FORMS[kind][-1][0]


def _form(forms: Sequence[Form], depth: int) -> Form:
    """The widest form of a block RAM that has ``depth`` words, or else the deepest."""
    return next((form for form in forms if form[0] >= depth), forms[-1])


def form_bits(kind: str, depth: int) -> int:
    """Bits of a word of a block RAM in the widest form that has ``depth`` words, or else in its deepest.

    >>> form_bits("ecp5", 512), form_bits("ecp5", 513), form_bits("ice40", 5000)
    (36, 18, 2)
    """
    return _form(FORMS[kind], depth)[1]


def slices(kind: str, width: int, depth: int) -> list[range]:
    """Bits of a ROM's word that each of the block RAMs side by side holds; all where synthesis decides.

    >>> slices("ecp5", 40, 600)
    [range(0, 18), range(18, 36), range(36, 40)]
    """
    size = form_bits(kind, depth) if kind in FORMS else width
    return [range(at, min(at + size, width)) for at in range(0, width, size)]


def column_memory(geometry: Geometry) -> Memory:
    """The column ROMs, one a bank."""
    banks = geometry.engine.banks
    return Memory("columns", 2 * geometry.word_trits, geometry.depth, count=banks, sliced=True)


def embedding_memory(model: ModelConfig, engine: EngineConfig) -> Memory:
    """The embedding: a word a token, or on an iCE40 two words of half of it, read one after the other."""
    halves = 2 if engine.block_ram == "ice40" else 1
    return Memory("embedding", 2 * -(-model.embedding // halves), halves * model.vocab_size, sliced=True)


def noise_memory(ways: int, kind: str) -> Memory:
    """The sampler's tables. Two ways share one where a block RAM has two read ports: an iCE40's has one."""
    count = ways if kind == "ice40" else -(-ways // 2)
    return Memory("noise", GUMBEL_BITS, 1 << DRAW_BITS, count=count, sliced=True)


def state_memory(units: int, groups: int, trit_bits: int) -> Memory:
    """h of a folded engine on an iCE40, group by group, in two halves."""
    return Memory("state", units * trit_bits, 2 << max(1, (groups - 1).bit_length()))


def cell_memory(units: int, groups: int, cell_bits: int) -> Memory:
    """c of the same engine."""
    return Memory("cells", units * cell_bits, max(2, groups), "huge")


def kept_memory(model: ModelConfig, kind: str) -> Memory:
    """The state after the last frame, a cell's c and h a word, which the link keeps.

    Like the counters it has one port and nothing in it at first, as an iCE40UP's single-port RAM.
    """
    styles = {"ice40": "huge", "ecp5": "distributed" if model.cells <= _KEPT_IN_LUTS else "block"}
    return Memory("kept state", model.cell_bits + 2, max(2, model.cells), styles.get(kind, "auto"))


def counter_memory(kinds: int, kind: str) -> Memory:
    """The link's counters of ``kinds`` events, two words each."""
    styles = {"ice40": "huge", "ecp5": "distributed"}
    return Memory("counters", 16, 2 * kinds, styles.get(kind, "auto"))


def link_memories(link: LinkConfig) -> tuple[Memory, Memory, Memory]:
    """Bytes received, the frame at hand, and the replies kept."""
    replies = (link.window + 1) * link.slot_bytes
    return (
        Memory("received", 8, link.receive_bytes),
        Memory("frame", 8, link.slot_bytes),
        Memory("replies", 8, replies),
    )


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
        found.append(cell_memory(geometry.units, geometry.groups, model.cell_bits))
    found += link_memories(link)
    return [*found, kept_memory(model, kind), counter_memory(len(COUNTERS) - _OF_CORE, kind)]


def block_rams(memory: Memory, forms: Sequence[Form]) -> int:
    """Block RAMs of these forms that a memory takes; 0 if it lies elsewhere.

    Slices that are deeper than a block RAM are several rows of them.
    """
    if memory.style != "block":
        return 0

    def rows_and_columns(words: int, bits: int) -> int:
        return -(-memory.width // bits) * -(-memory.depth // words)

    if memory.sliced:
        return memory.count * rows_and_columns(*_form(forms, memory.depth))
    return memory.count * min(rows_and_columns(*form) for form in forms)


def single_port_rams(memory: Memory) -> int:
    """Single-port RAMs of an iCE40UP that a memory takes; 0 if it lies elsewhere."""
    words, bits = _SINGLE_PORT
    return -(-memory.width // bits) * -(-memory.depth // words) if memory.style == "huge" else 0
