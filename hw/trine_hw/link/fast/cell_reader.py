"""Cell reader: a token's new state, from the beats of its groups to words of ten cells."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from trine_hw.core.cells.base import CellState
from trine_hw.core.core import Core
from trine_sw.link.memories import CELLS_AT_ONCE
from trine_sw.support.arithmetic import ceil_div

__all__ = ["CellReader", "CellWord"]


class CellWord(data.StructLayout):
    """Ten cells of a layer beside each other; behind the layer's last, zeros.

    Members
    -------
    cells : array of :class:`trine_hw.core.cells.base.CellState`
    number : of the word in the token's state, where each layer begins with a word of its own
    shown : it is of the last layer, and of a token that has a record
    final : it is its layer's last
    keep : it is of a token whose state is to be kept
    """

    def __init__(self, core: Core) -> None:
        config = core.model.config
        words = config.layers * ceil_div(config.hidden, CELLS_AT_ONCE)
        super().__init__(
            {
                "cells": data.ArrayLayout(CellState(config), CELLS_AT_ONCE),
                "number": range(max(2, words)),
                "shown": 1,
                "final": 1,
                "keep": 1,
            }
        )


class CellReader(wiring.Component):
    """Moves each beat through its first ten cells, and puts beats together where they end within a word.

    Contract: a beat is taken at once if ``looked`` is 0. Of the other beats' cells, the words come at ``o``,
    one in each cycle with ``valid``; whoever takes them has room for ``after_room`` more when it lets
    ``room`` fall.

    Throughput: a word a cycle, and five cycles more for a beat. Area: the flip-flops of a word; where a
    group's cells fill no whole words, those of two, and a multiplexer of as many ways as there are places
    within a word.

    Parameters
    ----------
    core : :class:`trine_hw.core.core.Core`
        With ``state_step`` of :data:`trine_sw.link.memories.CELLS_AT_ONCE`.

    Members
    -------
    state : the core's stream
    state_shift : :py:`Out(1)`
        To the core.
    looked, show, keep : :py:`In(1)`
        Of the beat that is offered: whether its cells are wanted, for a record, for the state that is kept.
    room : :py:`In(1)`
    o, valid : :py:`Out(CellWord(core))`, :py:`Out(1)`
    busy : :py:`Out(1)`
        A beat or a word is under way.
    """

    after_room = 7

    def __init__(self, core: Core) -> None:
        self.core = core
        super().__init__(
            {
                "state": In(core.signature.members["state"].signature),
                "state_shift": Out(1),
                "looked": In(1),
                "show": In(1),
                "keep": In(1),
                "room": In(1),
                "o": Out(CellWord(core)),
                "valid": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """``Wait`` looks at a beat; ``Move`` asks for its words, one a cycle while there is room. What is
        asked for is at the beat's front two cycles later, when the state queue moves it on; it is captured
        then."""
        m = Module()
        geometry = self.core.geometry
        units, groups = geometry.units, geometry.layer_groups
        chunks = ceil_div(units, CELLS_AT_ONCE)
        chunk = Signal(range(max(2, chunks)))
        ask, ask_final = Signal(), Signal()
        asked = [Signal(2, name=f"asked_{n}") for n in range(2)]  # whether, and whether for a beat's last
        group = Signal(range(max(2, groups)))
        capture, final = asked[1][0], asked[1][1]
        m.d.comb += ask_final.eq(chunk == chunks - 1)
        m.d.sync += [
            self.state_shift.eq(ask & ~ask_final),
            asked[0].eq(Cat(ask, ask & ask_final)),
            asked[1].eq(asked[0]),
        ]
        with m.FSM():
            with m.State("Wait"):
                m.d.sync += chunk.eq(0)
                with m.If(self.state.valid):
                    with m.If(self.looked):
                        m.next = "Move"
                    with m.Else():
                        m.d.comb += self.state.ready.eq(1)
            with m.State("Move"):
                m.d.comb += ask.eq(self.room)
                with m.If(self.room):
                    m.d.sync += chunk.eq(chunk + 1)
                    with m.If(ask_final):
                        m.next = "Capture"
            with m.State("Capture"):
                with m.If(final):
                    m.d.comb += self.state.ready.eq(1)
                    m.d.sync += group.eq(Mux(group == groups - 1, 0, group + 1))
                    m.next = "Wait"

        cells = Cat(
            self.state.payload.cells[n].as_value()
            if n < units
            else Const(0, self.o.cells[0].as_value().shape())
            for n in range(CELLS_AT_ONCE)
        )
        word = Signal(len(cells))
        emit, ends = Signal(), Signal()
        if groups == 1 or units % CELLS_AT_ONCE == 0:
            m.d.comb += [word.eq(cells), emit.eq(capture), ends.eq(final & (group == groups - 1))]
            m.d.comb += self.busy.eq(self.state.valid | Cat(asked).any() | self.valid)
        else:
            held = self._align(m, cells, capture, final, group, word, emit, ends)
            m.d.comb += self.busy.eq(self.state.valid | Cat(asked).any() | self.valid | held)
        self._number(m, word, emit, ends)
        return m

    def _align(
        self,
        m: Module,
        cells: Value,
        capture: Value,
        final: Value,
        group: Signal,
        word: Signal,
        emit: Signal,
        ends: Signal,
    ) -> Signal:
        """Puts captured cells behind those that are left; after a layer's last beat the rest follows."""
        geometry = self.core.geometry
        width = len(cells) // CELLS_AT_ONCE
        rest = geometry.units % CELLS_AT_ONCE
        held, have = Signal((CELLS_AT_ONCE - 1) * width), Signal(range(CELLS_AT_ONCE))
        flush = Signal()
        together = Signal(2 * CELLS_AT_ONCE * width)
        total = Signal(range(2 * CELLS_AT_ONCE))
        with m.Switch(have):
            for place in sorted({n * rest % CELLS_AT_ONCE for n in range(CELLS_AT_ONCE)}):
                with m.Case(place):
                    m.d.comb += together.eq(Cat(held[: place * width], cells))
        m.d.comb += [
            total.eq(have + Mux(final, rest, CELLS_AT_ONCE)),
            word.eq(Mux(flush, held, together)),
            emit.eq(flush | (capture & (total >= CELLS_AT_ONCE))),
            ends.eq(flush),
        ]
        m.d.sync += flush.eq(capture & final & (group == geometry.layer_groups - 1))
        with m.If(capture):
            with m.If(total >= CELLS_AT_ONCE):
                m.d.sync += [held.eq(together[CELLS_AT_ONCE * width :]), have.eq(total - CELLS_AT_ONCE)]
            with m.Else():
                m.d.sync += [held.eq(together), have.eq(total)]
        with m.If(flush):
            m.d.sync += [have.eq(0), held.eq(0)]
        return flush

    def _number(self, m: Module, word: Signal, emit: Signal, ends: Signal) -> None:
        """Counts a layer's words; of a group's padding more may come, and are dropped."""
        config = self.core.model.config
        words = ceil_div(config.hidden, CELLS_AT_ONCE)
        place = Signal(range(words + 1))  # of the layer's next word
        number = Signal(range(config.layers * words + 1))
        layer = Signal(range(max(2, config.layers)))
        last_layer, show, keep = Signal(), Signal(), Signal()
        m.d.comb += last_layer.eq(layer == config.layers - 1)
        with m.If(self.state.valid):
            m.d.sync += [keep.eq(self.keep), show.eq(self.show)]
        m.d.sync += self.valid.eq(emit & (place != words))
        with m.If(emit):
            m.d.sync += [
                self.o.cells.as_value().eq(word),
                self.o.number.eq(number),
                self.o.shown.eq(last_layer & show),
                self.o.final.eq(place == words - 1),
                self.o.keep.eq(keep),
            ]
            with m.If(place != words):
                m.d.sync += [place.eq(place + 1), number.eq(number + 1)]
        with m.If(ends):
            m.d.sync += [place.eq(0), layer.eq(layer + 1)]
            with m.If(last_layer):
                m.d.sync += [number.eq(0), layer.eq(0)]
