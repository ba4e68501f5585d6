"""Memories of an engine: their words, their forms, and the block RAMs that each of them takes.

The gateware takes widths, depths, forms and slices from here, and so does the estimate of what a chip holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trine_sw.engine import EngineConfig, Geometry
from trine_sw.engine.config import ICE40
from trine_sw.golden.sampler import DRAW_BITS, GUMBEL_BITS
from trine_sw.model import ModelConfig
from trine_sw.support.arithmetic import ceil_div

__all__ = [
    "FORMS",
    "Form",
    "Memory",
    "alike_slices",
    "block_rams",
    "cell_memory",
    "column_memory",
    "deepest",
    "embedding_memory",
    "form_bits",
    "noise_memory",
    "single_port_rams",
    "slices",
    "state_memory",
]

#: Words of a block RAM, and the bits of each.
Form = tuple[int, int]
#: Words and their bits that a block RAM can hold, by ``EngineConfig.block_ram``: DP16KD and PDPW16KD
#: (Lattice FPGA-TN-02204), SB_RAM40_4K (Lattice FPGA-TN-02002), SDPX9B and SDPB (Gowin UG285).
FORMS: dict[str, tuple[Form, ...]] = {
    "ecp5": ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
    **dict.fromkeys(ICE40, ((256, 16), (512, 8), (1024, 4), (2048, 2))),
    "gowin": ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
}
#: Words and bits of an iCE40UP's single-port RAM, SB_SPRAM256KA.
_SINGLE_PORT = (16384, 16)


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


def alike_slices(kind: str, contents: npt.NDArray[np.int8]) -> int:
    """Slices of a ROM of these trits (depth, trits) whose words are all alike, so that synthesis makes
    constants of them.

    >>> alike_slices("ice40", np.repeat([[1] * 8 + [0] * 8, [1] * 8 + [-1] * 8], 2, axis=0))
    1
    """
    bits = np.stack([contents != 0, contents < 0], axis=2).reshape(len(contents), -1)
    varies = (bits != bits[0]).any(axis=0)
    if len(contents) == 1:  # it is built with a word of zeros behind it
        varies = bits[0]
    return sum(not varies[part.start : part.stop].any() for part in slices(kind, len(varies), len(contents)))


def column_memory(geometry: Geometry) -> Memory:
    """The column ROMs, one a bank."""
    banks = geometry.engine.banks
    return Memory("columns", 2 * geometry.word_trits, geometry.depth, count=banks, sliced=True)


def embedding_memory(model: ModelConfig, engine: EngineConfig) -> Memory:
    """The embedding: a word a token, or on an iCE40 two words of half of it, read one after the other."""
    halves = 2 if engine.block_ram in ICE40 else 1
    return Memory("embedding", 2 * ceil_div(model.embedding, halves), halves * model.vocab_size, sliced=True)


def noise_memory(ways: int, kind: str) -> Memory:
    """The sampler's tables. Two ways share one where a block RAM has two read ports: an iCE40's has one, and
    of a Gowin chip's only one is used."""
    count = ways if kind in (*ICE40, "gowin") else ceil_div(ways, 2)
    return Memory("noise", GUMBEL_BITS, 1 << DRAW_BITS, count=count, sliced=True)


def state_memory(units: int, groups: int, trit_bits: int) -> Memory:
    """h of a folded engine on an iCE40, group by group, in two halves."""
    return Memory("state", units * trit_bits, 2 << max(1, (groups - 1).bit_length()))


def cell_memory(units: int, groups: int, cell_bits: int, kind: str) -> Memory:
    """c of the same engine."""
    style = "huge" if kind == "ice40" else "block"
    return Memory("cells", units * cell_bits, max(2, groups), style)


def block_rams(memory: Memory, forms: Sequence[Form]) -> int:
    """Block RAMs of these forms that a memory takes; 0 if it lies elsewhere.

    Slices that are deeper than a block RAM are several rows of them.
    """
    if memory.style != "block":
        return 0

    def rows_and_columns(words: int, bits: int) -> int:
        return ceil_div(memory.width, bits) * ceil_div(memory.depth, words)

    if memory.sliced:
        return memory.count * rows_and_columns(*_form(forms, memory.depth))
    return memory.count * min(rows_and_columns(*form) for form in forms)


def single_port_rams(memory: Memory) -> int:
    """Single-port RAMs of an iCE40UP that a memory takes; 0 if it lies elsewhere."""
    words, bits = _SINGLE_PORT
    return ceil_div(memory.width, bits) * ceil_div(memory.depth, words) if memory.style == "huge" else 0
