"""Netlist of a board for simulation: its Verilog, and the pins of its ports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trine_boards.board_spec import BoardSpec
from trine_boards.verify.cell_models import cell_models
from trine_boards.verify.synthesised_netlist import netlist_verilog

__all__ = ["PinNetlist", "synthesised"]

#: Names of the top's ports, as Amaranth's platforms give them to the pins of the first UART.
_RX, _TX = "uart_0__rx__io", "uart_0__tx__io"


@dataclass(frozen=True)
class PinNetlist:
    """A Verilog netlist of a board's top, at its pins.

    Members
    -------
    sources : Verilog files with the netlist and models of all its cells
    top : name of its module
    clock, rx, tx : names of its ports for the board's oscillator and the two wires of the UART, as the board
        sees them: the host writes to `rx` and reads from `tx`
    input_mhz : of the oscillator
    """

    sources: tuple[Path, ...]
    top: str
    clock: str
    rx: str
    tx: str
    input_mhz: float


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
        rx=_RX,
        tx=_TX,
        input_mhz=platform.default_clk_frequency / 1e6,
    )
