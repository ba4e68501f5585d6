"""A token's answers, from the core's streams to the bytes of its record; its state, to where it is kept."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from trine_hw.core.cells.base import CellState, level_bits
from trine_hw.core.core import Core
from trine_sw.link.board_info import level_values
from trine_sw.link.protocol import Want
from trine_sw.link.records import Codec
from trine_sw.model.trits import TRITS_PER_BYTE, pack

__all__ = ["KeptCell", "ResultPacker", "WantFlags"]

_ZEROS = sum(3**k for k in range(TRITS_PER_BYTE))  # the byte of five trits that are 0


class WantFlags(data.StructLayout):
    """:class:`trine_sw.link.protocol.Want`, bit by bit."""

    def __init__(self) -> None:
        super().__init__({str(flag.name).lower(): 1 for flag in Want})


class KeptCell(data.StructLayout):
    """A cell of the state that is kept: c and h."""

    def __init__(self, core: Core) -> None:
        super().__init__({"c": CellState(core.model.config)["c"].shape, "h": signed(2)})


class _Packing:
    """Registers of a token's record that the states of a :class:`ResultPacker` share."""

    def __init__(self, core: Core, code_bits: int) -> None:
        config = core.model.config
        self.want = Signal(WantFlags())
        self.keep = Signal()
        self.head = Signal()
        self.cycles = Signal(32)
        self.part = Signal(2)  # of the cycles
        self.number = Signal(range(max(2, config.cells)))  # the cell's
        self.unit = Signal(range(max(2, core.geometry.units)))
        #: Whether what follows the cell is padding.
        self.final = self.number == config.cells - 1
        #: Whether the groups of a token go on after that of its last cell, which the head may need; ``ended``
        #: is then 1 in those, none of whose cells is one.
        self.further = core.geometry.units * (core.geometry.groups - 1) >= config.cells
        self.ended = Signal() if self.further else Const(0)
        #: Whether the cell is of the last layer, whose h and u go into the record.
        self.shown = self.number >= config.cells - config.hidden if config.layers > 1 else Const(1)
        # The trits' byte so far and the weight of the next; u's bits likewise.
        self.byte = Signal(8)
        self.place = Signal(range(TRITS_PER_BYTE))
        self.weight = Array([3**k for k in range(TRITS_PER_BYTE)])[self.place]
        #: What travels for u: a signed position among the levels; no bits where u is h's trit.
        self.code = Signal(signed(code_bits) if code_bits else 0)
        self.bit = Signal(range(max(2, code_bits)))
        self.fill = Signal(3)

    @staticmethod
    def cell_of(state):
        """The cell at hand, the first of a beat; the others follow it there."""
        return state.payload.cells[0]


class ResultPacker(wiring.Component):
    """Takes what the core gives for one token.

    Contract: after ``start``, the token's state, and with ``head`` its logits and choice, are taken from
    the core. The parts in ``want`` go to ``o`` as :class:`trine_sw.link.records.Codec` says, h and u of the
    last layer, and with ``keep`` the cells of all layers to the store. ``done`` is 1 in the cycle in which
    all is taken.

    Two cycles a cell where cells are looked at, a cycle a bit of u; otherwise as fast as the core gives.

    Area: 150 LUT4, and one a cell and bit of (h, u, c) in the core's state queue, whose cells it shifts.

    Parameters
    ----------
    core : :class:`trine_hw.core.core.Core`
    codec : :class:`trine_sw.link.records.Codec`

    Members
    -------
    start, head, keep : :py:`In(1)`
    want : :py:`In(WantFlags())`
    done : :py:`Out(1)`
    state, logits, choice : the core's streams
    state_shift : :py:`Out(1)`
        To the core.
    o : :py:`Out(stream.Signature(8))`
    store_addr, store_data, store_en : Out
        A cell of the state.
    last_choice : Out
        The choice of the last token that had one.
    """

    def __init__(self, core: Core, codec: Codec) -> None:
        self.core = core
        self.codec = codec
        members: dict[str, object] = {
            "start": In(1),
            "head": In(1),
            "keep": In(1),
            "want": In(WantFlags()),
            "done": Out(1),
            "state": In(core.signature.members["state"].signature),
            "state_shift": Out(1),
            "o": Out(stream.Signature(8)),
            "store_addr": Out(range(core.model.config.cells)),
            "store_data": Out(KeptCell(core)),
            "store_en": Out(1),
            "last_choice": Out(8 * codec.token_bytes),
        }
        if core.geometry.head_lanes:
            members |= {name: In(core.signature.members[name].signature) for name in ("logits", "choice")}
        super().__init__(members)  # pyright: ignore[reportArgumentType]

    @staticmethod
    def model(
        codec: Codec,
        levels: tuple[int, ...],
        want: Want,
        *,
        h: npt.NDArray[np.int8],
        u: npt.NDArray[np.int16],
        cycles: int,
        logits: npt.NDArray[np.int32] | None = None,
        choice: int = 0,
    ) -> bytes:
        """The record of a token: h and u (H,) of the last layer, its cycles, its logits (V,) and choice."""
        rows = np.zeros((1, 0), np.int32) if logits is None else logits[None]
        parts = {
            Want.H: lambda: pack(h[None]).tobytes(),
            Want.U: lambda: codec.pack_u(u[None], levels).tobytes(),
            Want.CYCLES: lambda: cycles.to_bytes(4, "little"),
            Want.LOGITS: lambda: codec.pack_logits(rows).tobytes(),
            Want.CHOICE: lambda: choice.to_bytes(codec.token_bytes, "little"),
        }
        return b"".join(part() for flag, part in parts.items() if flag in want)

    def elaborate(self, platform: object) -> Module:
        """One state machine takes a token's beats in the order of its record.

        *Beat* waits for a group of cells from the core. *Cell* looks at the first of them, stores it, and
        adds its h to the byte of five trits or its u to a byte of bits; *Shift* moves the next cell to the
        first place. Full bytes leave in *Trits* and *Levels*, and a byte of bits that the last cell leaves
        unfinished is completed in *Fill*. *Cycles*, *Logits* and *Choice* follow the last group. States that
        no engine of this kind needs are not built.
        """
        m = Module()
        p = _Packing(self.core, self.codec.info.u_bits)
        m.d.comb += [
            self.store_addr.eq(p.number),
            self.store_data.c.eq(p.cell_of(self.state).c),
            self.store_data.h.eq(p.cell_of(self.state).h),
        ]
        if len(p.code):
            self._encode_u(m, p)
        m.d.sync += self.state_shift.eq(0)  # a register: it goes to where the cells are
        with m.FSM():
            with m.State("Idle"):
                m.d.sync += [
                    *(p.want.eq(self.want), p.keep.eq(self.keep), p.head.eq(self.head)),
                    *(signal.eq(0) for signal in (p.number, p.unit, p.place, p.bit, p.fill)),
                    p.byte.eq(_ZEROS),
                    *([p.ended.eq(0)] if p.further else []),
                ]
                with m.If(self.start):
                    m.next = "Beat"
            self._cell_states(m, p)
            if len(p.code):
                self._level_states(m, p)
            self._beat_end_states(m, p)
            if self.core.geometry.head_lanes:
                self._head_states(m, p.want)
        return m

    def _next_cell(self, m: Module, p: _Packing) -> None:
        """Go on to the next cell of the beat, or end the beat."""
        m.d.sync += [p.number.eq(p.number + 1), p.unit.eq(p.unit + 1)]
        if p.further:
            with m.If(p.final):
                m.d.sync += p.ended.eq(1)
        with m.If(p.final | (p.unit == self.core.geometry.units - 1)):
            m.next = "Beat taken"
        with m.Else():
            m.d.sync += self.state_shift.eq(1)
            m.next = "Shift"

    def _cell_states(self, m: Module, p: _Packing) -> None:
        """Cells of a beat, one after the other, and their trits."""
        cell = p.cell_of(self.state)
        with m.State("Beat"):
            with m.If(self.state.valid):
                m.next = "Beat taken"
                with m.If((p.want.h | p.want.u | p.keep) & (~p.ended if p.further else 1)):
                    m.next = "Cell"
        with m.State("Shift"):
            m.next = "Shifted"
        with m.State("Shifted"):
            m.next = "Cell"
        with m.State("Cell"):
            m.d.comb += self.store_en.eq(p.keep)
            with m.If((p.want.h | (p.want.u if not len(p.code) else 0)) & p.shown):
                m.d.sync += p.place.eq(p.place + 1)
                with m.If(cell.h == 1):
                    m.d.sync += p.byte.eq(p.byte + p.weight)
                with m.Elif(cell.h == -1):
                    m.d.sync += p.byte.eq(p.byte - p.weight)
                with m.If(p.final | (p.place == TRITS_PER_BYTE - 1)):
                    m.next = "Trits"
                with m.Else():
                    self._next_cell(m, p)
            if len(p.code):
                with m.Elif(p.want.u & p.shown):
                    m.d.sync += [p.bit.eq(0)]
                    m.next = "Level"
            with m.Else():
                self._next_cell(m, p)
        with m.State("Trits"):
            m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(p.byte)]
            with m.If(self.o.ready):
                m.d.sync += [p.byte.eq(_ZEROS), p.place.eq(0)]
                self._next_cell(m, p)

    def _level_states(self, m: Module, p: _Packing) -> None:
        """Bits of u, eight a byte."""
        ended = Signal()  # all bits of this cell are in
        m.d.comb += ended.eq(p.bit == len(p.code) - 1)
        with m.State("Level"):
            m.d.sync += [
                p.byte.eq(Cat(p.byte[1:], p.code.as_unsigned().bit_select(p.bit, 1))),
                p.fill.eq(p.fill + 1),
                p.bit.eq(p.bit + 1),
            ]
            with m.If(p.fill == 7):
                m.d.sync += p.bit.eq(p.bit)
                m.next = "Levels"
            with m.Elif(ended):
                m.d.sync += p.bit.eq(p.bit)
                with m.If(p.final):
                    m.next = "Fill"
                with m.Else():
                    self._next_cell(m, p)
        with m.State("Fill"):
            m.d.sync += [p.byte.eq(p.byte >> 1), p.fill.eq(p.fill + 1)]
            with m.If(p.fill == 7):
                m.next = "Levels"
        with m.State("Levels"):
            m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(p.byte)]
            with m.If(self.o.ready):
                with m.If(ended):
                    self._next_cell(m, p)
                with m.Else():
                    m.d.sync += p.bit.eq(p.bit + 1)
                    m.next = "Level"

    def _beat_end_states(self, m: Module, p: _Packing) -> None:
        """The end of a beat and, after the last, the token's cycles."""
        with m.State("Beat taken"):
            m.d.comb += self.state.ready.eq(1)
            m.d.sync += [p.unit.eq(0), p.cycles.eq(self.state.payload.cycles)]
            m.next = "Beat"
            with m.If(self.state.payload.last):
                m.d.sync += p.number.eq(0)
                m.next = "Cycles"
        with m.State("Cycles"):
            m.d.comb += self.o.payload.eq(p.cycles.word_select(p.part, 8))
            with m.If(p.want.cycles):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += p.part.eq(p.part + 1)
            with m.If(~p.want.cycles | (self.o.ready & (p.part == 3))):
                with m.If(p.head):
                    m.next = "Logits" if self.core.geometry.head_lanes else "Idle"
                with m.Else():
                    m.d.comb += self.done.eq(1)
                    m.next = "Idle"

    def _encode_u(self, m: Module, p: _Packing) -> None:
        """Find the position of the cell's u among the levels, with h's sign."""
        config, cell = self.core.model.config, p.cell_of(self.state)
        position = Signal(len(p.code))
        # Without levels the cell has no u; with them the levels' values are all that u can be.
        assert level_bits(config)
        with m.Switch(cell.u):
            for index, level in enumerate(level_values(config)):
                with m.Case(level):
                    m.d.comb += position.eq(index + 1)
        m.d.comb += p.code.eq(Mux(cell.h < 0, -position, position))

    def _head_states(self, m: Module, want: Signal) -> None:
        """Logits, byte by byte, and the choice."""
        logits, choice, codec = self.logits, self.choice, self.codec
        ways, width = self.core.engine.sampler_ways, codec.info.logit_bits
        way = Signal(range(max(2, ways)))
        part = Signal(range(max(2, codec.logit_bytes, codec.token_bytes)))
        logit = Signal(signed(8 * codec.logit_bytes))
        m.d.comb += logit.eq(Array(logits.payload.logit[n] for n in range(ways))[way])
        masked = (logits.payload.mask >> way + 1)[0] if ways > 1 else 0
        assert len(logits.payload.logit[0]) == width
        with m.State("Logits"):
            with m.If(~want.logits):
                m.d.comb += logits.ready.eq(1)
            with m.Elif(logits.valid):
                m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(logit.as_unsigned().word_select(part, 8))]
                with m.If(self.o.ready):
                    m.d.sync += part.eq(part + 1)
                    with m.If(part == codec.logit_bytes - 1):
                        m.d.sync += [part.eq(0), way.eq(way + 1)]
                        with m.If(~masked if ways > 1 else 1):
                            m.d.comb += logits.ready.eq(1)
                            m.d.sync += way.eq(0)
            with m.If(logits.valid & logits.ready & logits.payload.last):
                m.d.sync += part.eq(0)
                m.next = "Choice"
        with m.State("Choice"):
            with m.If(choice.valid):
                m.d.comb += [self.o.valid.eq(want.choice), self.o.payload.eq(choice.payload >> (part << 3))]
                with m.If(self.o.ready):
                    m.d.sync += part.eq(part + 1)
                with m.If(~want.choice | (self.o.ready & (part == codec.token_bytes - 1))):
                    m.d.comb += [choice.ready.eq(1), self.done.eq(1)]
                    m.d.sync += [self.last_choice.eq(choice.payload), part.eq(0)]
                    m.next = "Idle"
