"""Word packer: h or u of ten cells at a time, to a token's bytes."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from trine_hw.core.cells.base import CellState
from trine_hw.core.core import Core
from trine_hw.link.fast.cell_reader import CellReader, CellWord
from trine_sw.link.board_info import level_values
from trine_sw.link.memories import CELLS_AT_ONCE
from trine_sw.model.trits import TRITS_PER_BYTE
from trine_sw.support.arithmetic import ceil_div

__all__ = ["WordPacker"]

_DEPTH = 16


class WordPacker(wiring.Component):
    """Codes the words of a layer, and cuts what they become into bytes.

    Contract: the cells of the words that come with ``valid``, up to the one with ``final``, leave at ``o`` as
    :class:`trine_sw.link.records.Codec` packs them: u with ``levels``, h without. ``last`` is 1 with the
    layer's last byte. While ``room`` is 0, no more than ``CellReader.after_room`` words may come.

    Throughput: a byte in every cycle. Latency: five cycles. Area: about 220 LUT4, 16 words of LUT RAM among
    them.

    Parameters
    ----------
    core : :class:`trine_hw.core.core.Core`
    code_bits : :class:`int`
        Of a cell's u; 0 where u is h's trit.

    Members
    -------
    i, valid : :py:`In(CellWord(core))`, :py:`In(1)`
    levels : :py:`In(1)`
    room : :py:`Out(1)`
    o : :py:`Out(stream.Signature(8))`
    last : :py:`Out(1)`
    busy : :py:`Out(1)`
    """

    def __init__(self, core: Core, code_bits: int) -> None:
        self.core, self.code_bits = core, code_bits
        super().__init__(
            {
                "i": In(CellWord(core)),
                "valid": In(1),
                "levels": In(1),
                "room": Out(1),
                "o": Out(stream.Signature(8)),
                "last": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Three stages code a word; the last moves it up by the bits that the words before left of their last
        byte. Words wait in a memory, so that the state queue is empty before the wire has taken all. At its
        end, whole bytes leave a register, into whose gap the next word falls: what is left of a byte is never
        moved."""
        m = Module()
        config, bits = self.core.model.config, self.code_bits
        cells = (
            config.hidden - (ceil_div(config.hidden, CELLS_AT_ONCE) - 1) * CELLS_AT_ONCE
        )  # of the last word
        before = (config.hidden - cells) * bits  # bits of u before it
        of_h, last_of_h = 16, 8 * ceil_div(cells, TRITS_PER_BYTE)
        of_u, last_of_u = CELLS_AT_ONCE * bits, 8 * ceil_div(before + cells * bits, 8) - before
        width = max(of_h, of_u + 7 if bits else 0)

        coded, coming, there, ends = self._code(m, last_of_h)
        shift, moved = Signal(3), Signal(width)  # bits that the words before have left of a byte
        pushed, pushed_ends = Signal(), Signal()
        m.d.comb += moved.eq(coded << shift if bits else coded)
        if bits:
            with m.If(there):
                m.d.sync += shift.eq(Mux(ends | ~self.levels, 0, shift + of_u % 8))
        entry = Signal(width + 1)
        m.d.sync += [pushed.eq(there), entry.eq(Cat(moved, ends))]

        m.submodules.waiting = waiting = Memory(
            shape=width + 1, depth=_DEPTH, init=[], attrs={"ram_style": "distributed"}
        )
        write, read = waiting.write_port(), waiting.read_port(domain="comb")
        put, taken, level = Signal(4), Signal(4), Signal(5)
        pop, some = Signal(), Signal()
        m.d.comb += [
            write.addr.eq(put),
            write.data.eq(entry),
            write.en.eq(pushed),
            read.addr.eq(taken),
            some.eq(level != 0),
            self.room.eq(level < _DEPTH - CellReader.after_room - 2),
            pushed_ends.eq(read.data[-1]),
        ]
        m.d.sync += [put.eq(put + pushed), taken.eq(taken + pop), level.eq(level + pushed - pop)]

        rest, fill, ending = Signal(width), Signal(range(width + 8)), Signal()
        leaves, after = Signal(), Signal(range(width + 8))
        added = Mux(pushed_ends, last_of_h, of_h)
        if bits:
            added = Mux(self.levels, Mux(pushed_ends, last_of_u, of_u), added)
        m.d.comb += [
            self.o.valid.eq(fill >= 8),
            self.o.payload.eq(rest[:8]),
            self.last.eq(ending & (fill < 16)),
            leaves.eq(self.o.valid & self.o.ready),
            after.eq(Mux(leaves, fill - 8, fill)),
            pop.eq(some & Mux(leaves, fill < 16, fill < 8)),
            self.busy.eq(coming | there | pushed | some | (fill != 0)),
        ]
        m.d.sync += [
            fill.eq(after + Mux(pop, added, 0)),
            rest.eq(Mux(leaves, rest >> 8, rest) | Mux(pop, read.data[:-1], 0)),
        ]
        with m.If(pop):
            m.d.sync += ending.eq(pushed_ends)
        return m

    def _code(self, m: Module, last_of_h: int) -> tuple[Signal, Signal, Signal, Signal]:
        """The word's bits, two cycles after it came; whether there is one in the next cycle, and in this one;
        whether it ends the layer."""
        bits = self.code_bits
        low, high = [], []  # of each byte: two trits together, 0 to 8; the three others, 0 to 26
        for first in range(0, CELLS_AT_ONCE, TRITS_PER_BYTE):
            digits = [self.i.cells[first + n].h + 1 for n in range(TRITS_PER_BYTE)]
            two, three = Signal(range(9)), Signal(range(27))
            # From tables: sums of so few bits would be carry chains.
            m.d.sync += [two.eq(_polynomial(m, digits[:2])), three.eq(_polynomial(m, digits[2:]))]
            low.append(two)
            high.append(three)
        first, first_ends, there, ends = Signal(), Signal(), Signal(), Signal()
        m.d.sync += [
            first.eq(self.valid & self.i.shown),
            first_ends.eq(self.i.final),
            there.eq(first),
            ends.eq(first_ends),
        ]
        trits = Cat(
            (two + Array(9 * n for n in range(27))[three])[:8] for two, three in zip(low, high, strict=True)
        )
        if last_of_h < len(trits):  # no byte is coded of what lies behind the layer's last cell
            trits = Cat(trits[:last_of_h], Mux(first_ends, 0, trits[last_of_h:]))
        coded = trits
        if bits:
            codes = []
            for cell in self.i.cells:
                code = Signal(bits)
                m.d.sync += code.eq(self._level(m, cell))
                codes.append(code)
            coded = Mux(self.levels, Cat(codes), trits)
        settled = Signal(len(coded))
        m.d.sync += settled.eq(coded)
        return settled, first, there, ends

    def _level(self, m: Module, cell: CellState) -> Value:
        """The position of the cell's u among the levels, with h's sign."""
        position = Signal(self.code_bits)
        with m.Switch(cell.u):
            for index, level in enumerate(level_values(self.core.model.config)):
                with m.Case(level):
                    m.d.comb += position.eq(index + 1)
        return Mux(cell.h < 0, -position, position)


def _polynomial(m: Module, digits: list[Value]) -> Value:
    """The number whose digits in base 3 these are, each 0 to 2, by a table."""
    values = Signal(range(3 ** len(digits)))
    index = Cat(digit[:2] for digit in digits)
    with m.Switch(index):
        for number in range(3 ** len(digits)):
            code = sum((number // 3**k % 3) << 2 * k for k in range(len(digits)))
            with m.Case(code):
                m.d.comb += values.eq(number)
        with m.Default():
            m.d.comb += values.eq(Const(0))
    return values
