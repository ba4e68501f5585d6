"""Boards without an engine, whose transport sends back what it has received."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from sim.netlist.synthesis import run_tool
from trine_boards.board_spec import BoardSpec
from trine_boards.build.elaboration import synthesis_files
from trine_boards.build.families import FAMILIES
from trine_sw.engine import EngineConfig
from trine_sw.link.board_design import BoardDesign
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.toolchain import require

__all__ = ["synthesised_loopback"]


class _Loopback(wiring.Component):
    """Stands for a link: it sends what it has received, so that no part of the transport is left out."""

    def __init__(self, board: BoardSpec) -> None:
        model = random_model(ModelConfig(hidden=2, embedding=2, vocab_size=3), seed=1)
        design = BoardDesign(model, EngineConfig(11, 1), board.link, clock_hz=1e6, baud=board.baud)
        self.info, self.link = design.info, design.link
        flags = {name: In(1) for name in ("lost", "framing_error", "lock_lost")}
        byte = stream.Signature(8)
        super().__init__({"rx": In(byte), "tx": Out(byte), "busy": Out(1), **flags})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.rx.ready.eq(~self.tx.valid | self.tx.ready)
        m.d.comb += self.busy.eq(self.lost ^ self.framing_error ^ self.lock_lost)
        with m.If(self.rx.ready):
            m.d.sync += [self.tx.valid.eq(self.rx.valid), self.tx.payload.eq(self.rx.payload)]
        return m


class _Top(Elaboratable):
    """A board without its link and engine."""

    def __init__(self, board: BoardSpec) -> None:
        self._board = board
        stand_in: Any = _Loopback(board)
        self._pinned: Any = board.transport.pinned(stand_in, board.clock_mhz)

    def elaborate(self, platform: Any) -> Module:
        board, m = self._board, Module()
        m.submodules.clock = clock = board.clock_domain(board.clock_mhz, 0, board.transport.clocks)
        m.submodules.pinned = self._pinned
        board.transport.join(m, self._pinned, platform)
        m.d.comb += self._pinned.lock_lost.eq(clock.lock_lost)
        return m


def synthesised_loopback(board: BoardSpec, folder: Path) -> dict[str, Any]:
    """The module of `board` with its transport alone, at its default clock; its netlist is ``top.json``."""
    for name, contents in synthesis_files(_Top(board), board.platform(), FAMILIES[board.family]).items():
        (folder / name).write_bytes(contents)
    run_tool(require("yosys"), ["top.ys"], folder)
    return json.loads((folder / "top.json").read_text(encoding="utf-8"))["modules"]["top"]
