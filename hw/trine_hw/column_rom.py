"""The columns of a weight matrix, side by side in read-only block RAM.

One word of a :class:`ColumnROM` is one column: its trits, each added by a lane or, of a GRU, by two. It is
stored in the two-bit code (two's complement: 0b00 is 0, 0b01 is +1, 0b11 is -1), trit 0 in the lowest bits.
"""

import numpy as np
from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from trine_hw.ecp5_block_ram import rom_512x36

__all__ = ["BLOCK_RAMS", "ECP5_DEPTH", "ECP5_TRITS", "ColumnROM", "rom_words"]

ECP5_DEPTH = 512
"""Words of an ECP5 block RAM in its widest, 36-bit, form."""

ECP5_TRITS = 18
"""Trits in a 36-bit word of an ECP5 block RAM."""

BLOCK_RAMS = ("inferred", "ecp5", "ice40")
"""How a memory is made: described; from ECP5 primitives with their output registers; described for block RAM
that has none."""


def rom_words(contents: NDArray[np.int8]) -> list[int]:
    """The words of a :class:`ColumnROM`, as unsigned integers of ``2 * trits`` bits.

    ``contents`` are trits, int8 ``(depth, trits)``; the result has ``depth`` words, trit ``n`` in bits
    ``2n`` and ``2n + 1``. Raises :exc:`ValueError` where a value is not a trit.
    """
    contents = np.asarray(contents)
    if contents.ndim != 2 or 0 in contents.shape:
        raise ValueError(f"contents must be (depth, trits), neither of them 0, not {contents.shape}")
    if not np.isin(contents, (-1, 0, 1)).all():
        raise ValueError("contents must be trits: -1, 0 or +1")
    bits = np.stack([contents != 0, contents < 0], axis=2).reshape(len(contents), -1)
    return [int.from_bytes(row.tobytes(), "little") for row in np.packbits(bits, axis=1, bitorder="little")]


class ColumnROM(wiring.Component):
    """Read-only memory of trits, one word a cycle.

    Contract: ``o`` is the word that ``addr`` selected three cycles before; a new address is accepted every
    cycle. ``addr`` must be less than the depth: what other addresses read is undefined. Before the first
    three words ``o`` is 0; with ``"ice40"`` it is the last word.

    Latency 3: the clock of the block RAM, its output register, and a flip-flop that keeps the wires to the
    lanes out of the block RAM's timing. The logic of ``o`` starts at that flip-flop.

    Area: on ECP5 one block RAM for 18 trits, 2 flip-flops a trit, no LUT (``"inferred"`` there: 4 flip-flops
    a trit, and a clock-to-output time of 5.7 ns instead of 1 ns, since Yosys infers no output register). On
    iCE40 one block RAM for 8 trits and 256 words; 4 flip-flops a trit if ``"inferred"``, none with
    ``"ice40"``.

    Parameters
    ----------
    contents : int8 array (depth, trits)
        The trits.
    block_ram : :class:`str`
        ``"inferred"``: described as a memory, for any device and the simulator. ``"ecp5"``: ``PDPW16KD``
        primitives with their output registers; at most 512 words. ``"ice40"``: described, with the address
        delayed in place of the word, and the block RAM's own register as the last: a flip-flop is a whole
        logic cell there, and the clock slow enough for the wires.

    Members
    -------
    addr : :py:`In(range(depth))`
        Address of a word.
    o : :py:`Out(data.ArrayLayout(signed(2), trits))`
        The word.
    """

    latency = 3

    def __init__(self, contents: NDArray[np.int8], *, block_ram: str = "inferred") -> None:
        self._words = rom_words(contents)
        self.depth, self.trits = np.asarray(contents).shape
        if block_ram not in BLOCK_RAMS:
            raise ValueError(f"block_ram must be one of {', '.join(BLOCK_RAMS)}, not {block_ram!r}")
        if block_ram == "ecp5" and self.depth > ECP5_DEPTH:
            raise ValueError(f"an ECP5 block RAM has {ECP5_DEPTH} words, not {self.depth}: use more banks")
        self.block_ram = block_ram
        super().__init__({"addr": In(range(self.depth)), "o": Out(data.ArrayLayout(signed(2), self.trits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.block_ram == "ice40":
            self._late(m)
            return m
        word = Signal(2 * self.trits)  # behind the block RAM's output register
        flop = Signal(2 * self.trits, reset_less=True)
        m.d.sync += flop.eq(word)
        m.d.comb += self.o.as_value().eq(flop)
        if self.block_ram == "ecp5":
            self._instantiate(m, word)
        else:
            self._infer(m, word)
        return m

    def _infer(self, m: Module, word: Signal) -> None:
        """``word`` from a memory and a flip-flop in the place of its output register."""
        port = self._memory(m, 0, self.trits).read_port()
        register = Signal(2 * self.trits, reset_less=True)
        m.d.comb += [port.addr.eq(self.addr), word.eq(register)]
        m.d.sync += register.eq(port.data)

    def _late(self, m: Module) -> None:
        """``o`` from memories whose address comes two cycles late, each of them a single block RAM."""
        address: Value = self.addr
        for stage in range(self.latency - 1):
            later = Signal(len(self.addr), init=self.depth - 1, name=f"addr_{stage}")
            m.d.sync += later.eq(address)
            address = later
        # 256 to 2048 words of 8 to 1 trits; left to itself, Yosys saves a block by multiplexers.
        trits = max(1, 2048 >> max(8, (self.depth - 1).bit_length()))
        for start in range(0, self.trits, trits):
            port = self._memory(m, start, min(start + trits, self.trits)).read_port()
            m.d.comb += [
                port.addr.eq(address),
                self.o.as_value()[2 * start :][: len(port.data)].eq(port.data),
            ]

    def _memory(self, m: Module, first: int, end: int) -> Memory:
        """The words of trits ``first`` to ``end - 1``."""
        memory = Memory(
            shape=2 * (end - first),
            depth=max(self.depth, 2),  # a memory of one word would have an address of no bits
            init=[word >> 2 * first & (1 << 2 * (end - first)) - 1 for word in self._words],
            attrs={"ram_style": "block"},  # the same resources whatever the depth
        )
        m.submodules[f"memory_{first}" if first or end < self.trits else "memory"] = memory
        return memory

    def _instantiate(self, m: Module, word: Signal) -> None:
        """``word`` from block RAMs side by side, their write ports tied off."""
        for index in range(-(-self.trits // ECP5_TRITS)):
            start = 36 * index
            words = [(row >> start) & (1 << 36) - 1 for row in self._words]
            q = Signal(36, name=f"q_{index}")
            m.submodules[f"block_{index}"] = rom_512x36(self.addr, q, words)
            m.d.comb += word[start : start + 36].eq(q)
