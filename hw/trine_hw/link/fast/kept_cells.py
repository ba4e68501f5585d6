"""Kept cells of the fast codec: the state after the last frame, ten cells a word, found by counting."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.memory import Memory

from trine_hw.link.result_packer import KeptCell
from trine_sw.link.memories import CELLS_AT_ONCE, kept_memory
from trine_sw.support.arithmetic import ceil_div

__all__ = ["KeptCells"]


class KeptCells:
    """The memory of the state, and a position in it that the executor's states move from cell to cell.

    A layer begins with a word of its own. To divide a cell's number by ten would take more logic than to
    count.

    Parameters
    ----------
    m : the executor's module
    s : :class:`trine_hw.link.executor.state.ExecutorState`

    Members
    -------
    stored : the cell at the position, two cycles after that was moved; it does not change under an offer
    """

    def __init__(self, m: Module, s: Any) -> None:
        config, ports = s.core.model.config, s.ports
        self._geometry = s.core.geometry
        cell = KeptCell(s.core)
        built = kept_memory(config, s.core.engine.block_ram, s.link)
        m.submodules.kept = memory = Memory(
            shape=data.ArrayLayout(cell, CELLS_AT_ONCE), depth=built.depth, init=[], attrs=built.attrs
        )
        write, read = memory.write_port(), memory.read_port()
        self._words = ceil_div(config.hidden, CELLS_AT_ONCE)
        self._final = config.hidden - (self._words - 1) * CELLS_AT_ONCE - 1  # place of a layer's last cell
        padded = ceil_div(self._geometry.units * self._geometry.layer_groups, CELLS_AT_ONCE)
        self._word = Signal(range(max(2, (config.layers - 1) * self._words + max(padded, self._words) + 1)))
        self._in_layer = Signal(range(max(2, self._words)))
        self._lane = Signal(range(CELLS_AT_ONCE))
        self._new = Signal(data.ArrayLayout(cell, CELLS_AT_ONCE))  # the word that WRITE is at
        self._changed, self._changed_word = Signal(), Signal.like(self._word)
        self.stored = Signal(cell)
        m.d.sync += self._changed.eq(0)
        m.d.comb += [
            write.addr.eq(Mux(ports.store_en, ports.stored.number, self._changed_word)),
            write.en.eq(ports.store_en | self._changed),
            read.addr.eq(self._word),
        ]
        for n in range(CELLS_AT_ONCE):
            given = ports.stored.cells[n]
            m.d.comb += [
                write.data[n].c.eq(Mux(ports.store_en, given.c, self._new[n].c)),
                write.data[n].h.eq(Mux(ports.store_en, given.h, self._new[n].h)),
            ]
        with m.If(~ports.reply.valid):
            m.d.sync += self.stored.eq(Array(read.data[n] for n in range(CELLS_AT_ONCE))[self._lane])

    def rewind(self, m: Module) -> None:
        """To the first cell."""
        m.d.sync += [self._word.eq(0), self._in_layer.eq(0), self._lane.eq(0)]

    def forward(self, m: Module) -> None:
        """To the next cell."""
        final_word = self._in_layer == self._words - 1
        m.d.sync += self._lane.eq(self._lane + 1)
        with m.If((self._lane == CELLS_AT_ONCE - 1) | (final_word & (self._lane == self._final))):
            m.d.sync += [
                self._lane.eq(0),
                self._word.eq(self._word + 1),
                self._in_layer.eq(Mux(final_word, 0, self._in_layer + 1)),
            ]

    def put(self, m: Module, c: Any, h: Any) -> None:
        """A cell at the position; the next one's turn. Its word is written as far as it has come."""
        for n in range(CELLS_AT_ONCE):
            with m.If(self._lane == n):
                m.d.sync += [self._new[n].c.eq(c), self._new[n].h.eq(h)]
        m.d.sync += [self._changed.eq(1), self._changed_word.eq(self._word)]
        self.forward(m)

    def to_group(self, m: Module, group: Any) -> None:
        """To the last unit of a group; what lies behind the last cell is anything."""
        geometry = self._geometry
        places = []
        for number in range(geometry.groups):
            layer, within = divmod(number, geometry.layer_groups)
            word, lane = divmod((within + 1) * geometry.units - 1, CELLS_AT_ONCE)
            places.append((layer * self._words + word, lane))
        m.d.sync += [
            self._word.eq(Array(Const(word, len(self._word)) for word, _ in places)[group]),
            self._lane.eq(Array(Const(lane, len(self._lane)) for _, lane in places)[group]),
        ]

    def back(self, m: Module) -> None:
        """To the cell before, of the same group."""
        m.d.sync += self._lane.eq(self._lane - 1)
        with m.If(self._lane == 0):
            m.d.sync += [self._lane.eq(CELLS_AT_ONCE - 1), self._word.eq(self._word - 1)]
