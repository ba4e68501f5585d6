"""Netlist of a build's bitstream or routed design, for simulation at the pins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from trine_boards import BOARDS
from trine_boards.board_spec import BoardSpec
from trine_boards.build.record import BuildRecord
from trine_boards.pins.simulation import PinNetlist
from trine_boards.verify.cell_models import own_models
from trine_boards.verify.packed_ice40 import packed_verilog
from trine_boards.verify.routed_ecp5 import routed_verilog
from trine_sw.support import toolchain
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = ["LEVELS", "loaded_netlist", "recorded_board"]

#: What the netlist of a family is made of.
LEVELS = {"ecp5": "routed netlist", "ice40": "packed bitstream"}


def recorded_board(record: BuildRecord) -> BoardSpec:
    """The board that a build is for. Raises :exc:`TrineError` for one that is not known."""
    if record.board not in BOARDS:
        raise TrineError(f"the build is for {shown(record.board)}; known boards are {', '.join(BOARDS)}")
    board = BOARDS[record.board].over(record.transport)
    return board.at_baud(record.baud or None).at_address(record.address or None)


def _packed(board: BoardSpec, record: BuildRecord, folder: Path, work: Path) -> tuple[str, list[str]]:
    package = board.platform().package.lower()
    text = packed_verilog(folder / record.bitstream, folder / "top.pcf", package, work)
    return text, [str(toolchain.require(name)) for name in ("iceunpack", "icebox_vlog")]


def _routed(board: BoardSpec, record: BuildRecord, folder: Path, work: Path) -> tuple[str, list[str]]:
    return routed_verilog(folder / f"route-{record.seed}.placed.json"), []


_SOURCES: dict[str, Callable[[BoardSpec, BuildRecord, Path, Path], tuple[str, list[str]]]] = {
    "ecp5": _routed,
    "ice40": _packed,
}


def loaded_netlist(record: BuildRecord, folder: Path, work: Path) -> tuple[PinNetlist, list[str]]:
    """The netlist of a build at the board's pins, its Verilog written to `work`, and the tools that read it.

    Raises
    ------
    TrineError
        If a file or a tool is missing, a tool fails, or the netlist has a part without a model.
    """
    board = recorded_board(record)
    if board.family not in _SOURCES:
        raise TrineError(
            f"nothing turns what a build for {board.title} loads into a netlist; trine build has simulated "
            "the synthesised one, unless it was told --no-check"
        )
    work.mkdir(parents=True, exist_ok=True)
    text, tools = _SOURCES[board.family](board, record, folder, work)
    verilog = work / "loaded.v"
    verilog.write_text(text, encoding="utf-8")
    platform = board.platform()
    netlist = PinNetlist(
        sources=(verilog, *own_models(board.family)),
        top="top",
        clock=f"{platform.default_clk}_0__io",
        input_mhz=platform.default_clk_frequency / 1e6,
    )
    return netlist, tools
