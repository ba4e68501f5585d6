"""Synthesised netlist of a board for simulation at its pins."""

from __future__ import annotations

from pathlib import Path

from trine_boards.board_spec import BoardSpec
from trine_boards.pins.simulation import PinNetlist
from trine_boards.verify.cell_models import cell_models
from trine_boards.verify.synthesised_netlist import netlist_verilog

__all__ = ["synthesised"]


def synthesised(board: BoardSpec, netlist: Path, models: Path, *, top: str = "top") -> PinNetlist:
    """The netlist of `board` that Yosys' ``write_json`` left in `netlist`; its Verilog and models of its
    cells are put into the folder `models`."""
    platform = board.platform()
    models.mkdir(parents=True, exist_ok=True)
    verilog = models / "netlist.v"
    verilog.write_text(netlist_verilog(netlist, top=top), encoding="utf-8")
    return PinNetlist(
        sources=(verilog, *cell_models(board.family, models)),
        top=top,
        clock=f"{platform.default_clk}_0__io",
        input_mhz=platform.default_clk_frequency / 1e6,
    )
