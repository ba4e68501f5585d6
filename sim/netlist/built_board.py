"""Whole boards synthesised as trine build does it, and their simulation at the pins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sim.netlist.synthesis import run_tool
from trine_boards.board_spec import BoardSpec
from trine_boards.build.elaboration import synthesis_files
from trine_boards.build.families import FAMILIES
from trine_boards.pins.host import START_SECONDS
from trine_boards.pins.simulation import PinNetlist, started
from trine_boards.top import BoardTop
from trine_boards.verify.netlist_pins import synthesised
from trine_sw.engine import EngineConfig
from trine_sw.link.board_model import BoardModel
from trine_sw.model import Model
from trine_sw.support import toolchain
from trine_sw.support.errors import TrineError

__all__ = ["Built", "built_board"]


@dataclass(frozen=True)
class Built:
    """A board's top, and its netlist in `folder`."""

    top: BoardTop
    model: Model
    folder: Path
    pins: PinNetlist

    def board(self, *, inverted: bool = False, wrong: Mapping[str, Any] | None = None, **options) -> Any:
        """The board's link, a :class:`trine_boards.pins.host.PinTransport`, begun; `wrong` are other fields
        of its host."""
        given: Any = self.top.board.transport.pin_host(self.top.clock_mhz)
        host = replace(given, inverted=inverted, **wrong or {})
        board = host.attach(started(self.pins, host, optimise=False, **options))
        try:
            board.begin(START_SECONDS)
        except TrineError:
            board.close()
            raise
        return board

    def board_model(self) -> BoardModel:
        return BoardModel(**self.top.design.parts)


def built_board(
    board: BoardSpec,
    model: Model,
    engine: EngineConfig,
    mhz: float,
    folder: Path,
    *,
    guarded: bool = True,
) -> Built:
    """`board` as trine build synthesises it, or without what looks at the design before."""
    top = BoardTop(model, engine, board, mhz)
    files = synthesis_files(top, board.platform(), FAMILIES[board.family])
    if not guarded:
        files["top.ys"] = re.sub(b"(?m)^select -assert-none.*$", b"", files["top.ys"])
    for file, contents in files.items():
        (folder / file).write_bytes(contents)
    run_tool(toolchain.require("yosys"), ["top.ys"], folder)
    return Built(top, model, folder, synthesised(board, folder / "top.json", folder / "models"))
