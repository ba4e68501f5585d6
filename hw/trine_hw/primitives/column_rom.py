"""Column ROM: the columns of a weight matrix in read-only block RAM.

One word of a :class:`ColumnROM` is one column: its trits, each added by a lane or, of a GRU, by two. It is
stored in the two-bit code (two's complement: 0b00 is 0, 0b01 is +1, 0b11 is -1), trit 0 in the lowest bits.
"""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from trine_hw.primitives.ecp5_block_ram import rom, rom_512x36
from trine_sw.engine.config import BLOCK_RAMS, ICE40
from trine_sw.engine.memories import deepest, form_bits, slices

__all__ = ["ColumnROM", "rom_slices", "rom_words"]


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


def rom_slices(
    m: Module,
    words: Sequence[int],
    width: int,
    addresses: Sequence[Value],
    *,
    kind: str,
    name: str = "memory",
) -> list[list[Value]]:
    """Words of ``width`` bits in described memories, each of them a block RAM of its own.

    Left to itself, Yosys puts a deep ROM into rows of wide block RAMs, with multiplexers behind them.
    For each of the ``addresses`` the slices of the word that it selected in the cycle before.
    """
    found: list[list[Value]] = [[] for _ in addresses]
    cut = slices(kind, width, len(words))
    for bits in cut:
        memory = Memory(
            shape=len(bits),
            depth=max(len(words), 2),  # a memory of one word would have an address of no bits
            init=[word >> bits.start & (1 << len(bits)) - 1 for word in words],
            attrs={"ram_style": "block"},  # the same resources whatever the depth
        )
        m.submodules[f"{name}_{bits.start}" if len(cut) > 1 else name] = memory
        for address, parts in zip(addresses, found, strict=True):
            port = memory.read_port()
            m.d.comb += port.addr.eq(address)
            parts.append(port.data)
    return found


class ColumnROM(wiring.Component):
    """Read-only memory of trits, one word a cycle.

    Contract: ``o`` is the word that ``addr`` selected three cycles before; a new address is accepted every
    cycle. ``addr`` must be less than the depth: what other addresses read is undefined. Before the first
    three words ``o`` is 0; with ``"ice40"`` or ``"ice40hx"`` it is the last word.

    Latency 3: the clock of the block RAM, its output register, and a flip-flop that keeps the wires to the
    lanes out of the block RAM's timing. The logic of ``o`` starts at that flip-flop.

    Area: on ECP5 one block RAM for 18 trits of up to 512 words, 9 of up to 1,024, and so on
    (:data:`trine_sw.engine.memories.FORMS`), 2 flip-flops a trit, no LUT (``"inferred"`` there: 4 flip-flops
    a trit, and a clock-to-output time of 5.7 ns instead of 1 ns, since Yosys infers no output register). On
    iCE40 one block RAM for 8 trits and 256 words; 4 flip-flops a trit if ``"inferred"``, none with
    ``"ice40"``.

    Parameters
    ----------
    contents : int8 array (depth, trits)
        The trits.
    block_ram : :class:`str`
        ``"inferred"``: described as a memory, for any device and the simulator; ``"gowin"``: so too, each
        block RAM of a Gowin chip apart. ``"ecp5"``: ``PDPW16KD`` and ``DP16KD`` primitives with their output
        registers; at most 16,384 words. ``"ice40"``: described, with the address delayed in place of the
        word, and the block RAM's own register as the last: a flip-flop is a whole logic cell there, and the
        clock slow enough for the wires.

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
        if block_ram == "ecp5" and self.depth > deepest("ecp5"):
            most = deepest("ecp5")
            raise ValueError(f"an ECP5 block RAM has at most {most} words, not {self.depth}: use more banks")
        self.block_ram = block_ram
        super().__init__({"addr": In(range(self.depth)), "o": Out(data.ArrayLayout(signed(2), self.trits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.block_ram in ICE40:
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
        """``word`` from a memory and a flip-flop instead of its output register."""
        register = Signal(2 * self.trits, reset_less=True)
        m.d.comb += word.eq(register)
        m.d.sync += register.eq(self._read(m, self.addr))

    def _late(self, m: Module) -> None:
        """``o`` from memories whose address comes two cycles late, each of them a single block RAM."""
        address: Value = self.addr
        for stage in range(self.latency - 1):
            later = Signal(len(self.addr), init=self.depth - 1, name=f"addr_{stage}")
            m.d.sync += later.eq(address)
            address = later
        m.d.comb += self.o.as_value().eq(self._read(m, address))

    def _read(self, m: Module, address: Value) -> Value:
        """The word at ``address`` of described memories, a cycle later."""
        return Cat(rom_slices(m, self._words, 2 * self.trits, [address], kind=self.block_ram)[0])

    def _instantiate(self, m: Module, word: Signal) -> None:
        """``word`` from block RAMs side by side, their write ports tied off."""
        width = form_bits("ecp5", self.depth)
        for index, bits in enumerate(slices("ecp5", 2 * self.trits, self.depth)):
            words = [row >> bits.start & (1 << len(bits)) - 1 for row in self._words]
            q = Signal(width, name=f"q_{index}")
            block = (
                rom_512x36(self.addr, q, words) if width == 36 else rom([(self.addr, q)], words, width=width)
            )
            m.submodules[f"block_{index}"] = block
            m.d.comb += word[bits.start : bits.stop].eq(q)
