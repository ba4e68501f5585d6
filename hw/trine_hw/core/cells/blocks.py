"""All cells of a group, in blocks that each have their own copy of what reaches every cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from trine_hw.core.cells.base import Cells, CellState, LoadCells
from trine_hw.core.cells.gru import GruCells
from trine_hw.core.cells.lstm import LstmCells
from trine_hw.core.cells.mgu import MguCells
from trine_hw.core.lanes import Decisions, Marker
from trine_hw.primitives.fanout import fanout
from trine_sw.engine import Geometry
from trine_sw.model import ModelConfig

__all__ = ["KINDS", "LOAD_LATENCY", "CellBlocks"]

#: Cycles from a load's request to the cells: a register before the copies, and the copies.
LOAD_LATENCY = 2

#: The component of each kind of cell.
KINDS: dict[str, type[Cells]] = {"lstm": LstmCells, "gru": GruCells, "mgu": MguCells}


class CellBlocks(wiring.Component):
    """:class:`trine_hw.core.cells.base.Cells` of the model's kind, as many as the geometry has blocks.

    Contract: a marker with ``gates``, beside its block's decisions, gives the new state of these cells
    ``latency`` cycles later.

    Parameters
    ----------
    geometry : :class:`trine_sw.engine.Geometry`
    loadable : :class:`bool`
        Whether states can be put in place.

    Members
    -------
    decisions : In(array of :class:`trine_hw.core.lanes.Decisions`, one a unit)
    markers : In(array of :class:`trine_hw.core.lanes.Marker`, a copy for each block)
    o : Out(array of :class:`trine_hw.core.cells.base.CellState`, one a unit)
    o_group, o_last, o_valid : Out
        Belonging to ``o``.
    put : Out
        ``o_valid`` of a step, a copy for each block: not of a state that was put in place.
    load, load_group, load_commit : In
        If ``loadable``: cells shifted in, the last unit's first, their group, and that all of it are there.
        Acted upon :data:`LOAD_LATENCY` cycles later.
    """

    latency = Cells.latency

    def __init__(self, geometry: Geometry, *, loadable: bool = False) -> None:
        self.geometry = geometry
        self.loadable = loadable
        config, units, blocks = geometry.model, geometry.units, len(geometry.blocks)
        index = unsigned(max(1, (geometry.groups - 1).bit_length()))
        load = {"load": In(LoadCells(config)), "load_group": In(index), "load_commit": In(1)}
        super().__init__(
            (load if loadable else {})
            | {
                "decisions": In(data.ArrayLayout(Decisions(config.cell), units)),
                "markers": In(data.ArrayLayout(Marker(geometry.groups), blocks)),
                "o": Out(data.ArrayLayout(CellState(config), units)),
                "o_group": Out(index),
                "o_last": Out(1),
                "o_valid": Out(1),
                "put": Out(blocks),
            }
        )
        self._valid = Signal(blocks)

    @staticmethod
    def model(
        config: ModelConfig, decisions: Sequence[Mapping[str, int]], c: Sequence[int]
    ) -> list[tuple[int, int, int]]:
        """``(h, u, c)`` of a group's cells after a step from their states ``c``."""
        return [KINDS[config.cell].model(config, *each) for each in zip(decisions, c, strict=True)]

    def valid_at(self, unit: int) -> Value:
        """``o_valid`` from the register of the unit's own block."""
        return self._valid[next(n for n, units in enumerate(self.geometry.blocks) if unit in units)]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        geometry, blocks = self.geometry, self.geometry.blocks
        kind = geometry.engine.block_ram
        loads: list[data.View] = []
        if self.loadable:
            shape = data.StructLayout(
                {"cells": LoadCells(geometry.model), "group": self.load_group.shape(), "commit": 1}
            )
            asked = Cat(self.load.as_value(), self.load_group, self.load_commit)
            given = Signal(len(asked))
            m.d.sync += given.eq(asked)
            each = fanout(m, given, count=len(blocks), name="load", block_ram=kind)
            loads = [data.View(shape, copy) for copy in each]
        # One-hot, a bit near each block: which of them is shifted into, the last first.
        turn = Signal(len(blocks), init=1 << (len(blocks) - 1))
        shifted = Signal(range(max(len(units) for units in blocks) + 1))
        for index, units in enumerate(blocks):
            m.submodules[f"block_{index}"] = cells = KINDS[geometry.model.cell](
                geometry.model,
                units=len(units),
                groups=geometry.groups,
                loadable=self.loadable,
                memory=kind if geometry.state_in_memory else None,
            )
            marker = self.markers[index]
            m.d.comb += [
                cells.group.eq(marker.group),
                cells.fresh.eq(marker.fresh),
                cells.last.eq(marker.last),
                cells.valid.eq(marker.gates),
                self._valid[index].eq(cells.o_valid),
                self.put[index].eq(cells.o_valid),
            ]
            for at, unit in enumerate(units):
                m.d.comb += [
                    cells.decisions[at].eq(self.decisions[unit]),
                    self.o[unit].eq(cells.o[at]),
                ]
            if index == 0:
                m.d.comb += [
                    self.o_group.eq(cells.o_group),
                    self.o_last.eq(cells.o_last),
                    self.o_valid.eq(cells.o_valid),
                ]
            if self.loadable:
                load = loads[index]
                m.d.comb += [
                    cells.load.eq(load.cells),
                    cells.load.shift.eq(load.cells.shift & turn[index]),
                ]
                with m.If(load.cells.active):
                    # The state goes the way of a step's, but is nobody's answer.
                    m.d.comb += [
                        cells.group.eq(load.group),
                        cells.valid.eq(load.commit),
                        self.put[index].eq(0),
                    ]
        if self.loadable:
            sizes = [len(units) for units in blocks]
            with m.If(~loads[0].cells.active | loads[0].commit):
                m.d.sync += [turn.eq(turn.init), shifted.eq(0)]
            with m.Elif(loads[0].cells.shift):
                m.d.sync += shifted.eq(shifted + 1)
                done = Signal()
                m.d.comb += done.eq(
                    shifted == Mux(turn[-1], sizes[-1] - 1, Const(sizes[0] - 1, len(shifted)))
                )
                with m.If(done):
                    m.d.sync += [shifted.eq(0), turn.eq(turn >> 1)]
        return m
