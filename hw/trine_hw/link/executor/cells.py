"""States of READ and WRITE: the cells of the engine's state, read and written."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed

from trine_hw.core.cells.blocks import LOAD_LATENCY
from trine_hw.link.executor.state import ExecutorState
from trine_sw.engine import CELL_LATENCY

__all__ = ["load_states", "read_states", "seek_states", "write_states"]

#: Cycles for which a group that was put in place is left alone, with that of the port's register.
_SETTLE = CELL_LATENCY + LOAD_LATENCY + 2


def seek_states(m: Module, s: ExecutorState) -> None:
    """READ with the fast codec: the first cell is found by counting."""
    with m.State("Seek"):
        s.kept_cells.rewind(m)
        m.next = "Seek cell"
    with m.State("Seek cell"):
        m.next = "Read cell"
        with m.If(s.cell != 0):
            s.kept_cells.forward(m)
            m.d.sync += s.cell.eq(s.cell - 1)
            m.next = "Seek cell"
    read_states(m, s)


def read_states(m: Module, s: ExecutorState) -> None:
    """READ: cells from where they are kept, c and h of each; zeros before the first token."""
    wait = Signal(2)
    byte = Signal(8)
    c, h = Signal(signed(8)), Signal(signed(8))
    stored = s.kept_cells.stored if s.link.fast else s.stored
    m.d.comb += [
        c.eq(stored.c),
        h.eq(stored.h),
        byte.eq(Mux(s.fresh, 0, Mux(s.count[0], h, c))),
    ]
    with m.State("Read cell"):
        m.d.sync += [s.count.eq(0), wait.eq(wait + 1)]
        with m.If(wait == 2):
            m.d.sync += wait.eq(0)
            m.next = "Read byte"
    with m.State("Read byte"):
        with m.If(s.give(m, byte)):
            m.d.sync += s.count.eq(1)
            with m.If(s.count[0]):
                if s.link.fast:
                    s.kept_cells.forward(m)
                else:
                    m.d.sync += s.cell.eq(s.cell + 1)
                m.d.sync += s.left.eq(s.left - 1)
                m.next = "Read cell"
                with m.If(s.left == 1):
                    m.next = "Finish"


def write_states(m: Module, s: ExecutorState) -> None:
    """WRITE: cells, which have been checked, to where they are kept; the last one has them loaded."""
    ports = s.ports
    cells, byte = s.codec.info.cells, ports.bytes.payload
    if not s.link.fast:
        m.d.comb += [s.written_cell.c.eq(s.cell_c), s.written_cell.h.eq(byte.byte[:2].as_signed())]
    with m.State("Write"):
        m.d.comb += ports.bytes.ready.eq(1)
        with m.If(ports.bytes.valid):
            m.d.sync += [s.second.eq(~s.second), s.cell_c.eq(byte.byte)]
            with m.If(s.second):
                if s.link.fast:
                    s.kept_cells.put(m, s.cell_c, byte.byte[:2].as_signed())
                else:
                    m.d.comb += s.write_cell.eq(1)
                m.d.sync += s.cell.eq(s.cell + 1)
            with m.If(byte.last):
                m.d.sync += s.written.eq(s.cell + 1)
                m.next = "Finish"
                with m.If(s.cell == cells - 1):
                    m.d.sync += [s.written.eq(0), s.fresh.eq(0)]
                    m.next = "Load"


def load_states(m: Module, s: ExecutorState) -> None:
    """The whole store goes to the core's cells, a group at a time, the last unit first."""
    ports = s.ports
    geometry = s.core.geometry
    load = Signal(ports.load.shape())
    group = Signal(range(max(2, geometry.groups)))
    unit = Signal(range(max(2, geometry.units)))
    wait = Signal(range(_SETTLE + 1))
    last = Signal.like(s.cell)  # the group's last cell
    there = Signal()  # not padding
    stored = s.kept_cells.stored if s.link.fast else s.stored
    m.d.sync += ports.load.eq(load)  # the cells are far away, and the states that count them are here
    m.d.comb += [
        load.group.eq(group),
        load.cells.c.eq(Mux(there, stored.c, 0)),
    ]
    if geometry.model.spec.output_gate:
        m.d.comb += load.cells.open.eq(there & (stored.h != 0))
    m.d.sync += there.eq(s.cell < geometry.model.cells)
    with m.State("Load"):
        m.d.sync += [group.eq(0), unit.eq(geometry.units - 1), wait.eq(0)]
        m.d.sync += [s.cell.eq(geometry.units - 1), last.eq(geometry.units - 1)]
        if s.link.fast:
            s.kept_cells.to_group(m, 0)
        m.next = "Load cell"
    with m.State("Load cell"):
        m.d.comb += load.cells.active.eq(1)
        m.d.sync += wait.eq(wait + 1)
        with m.If(wait == 3):
            m.d.comb += load.cells.shift.eq(1)
            m.d.sync += [unit.eq(unit - 1), s.cell.eq(s.cell - 1), wait.eq(0)]
            if s.link.fast:
                s.kept_cells.back(m)
            with m.If(unit == 0):
                m.next = "Load group"
    with m.State("Load group"):
        m.d.comb += [load.cells.active.eq(1), load.commit.eq(wait == 0)]
        m.d.sync += wait.eq(wait + 1)
        with m.If(wait == _SETTLE):
            m.d.sync += [
                group.eq(group + 1),
                unit.eq(geometry.units - 1),
                s.cell.eq(last + geometry.units),
                last.eq(last + geometry.units),
                wait.eq(0),
            ]
            if s.link.fast:
                s.kept_cells.to_group(m, group + 1)
            m.next = "Load cell"
            with m.If(group == geometry.groups - 1):
                m.next = "Finish"
