"""Verilog models of the cells that a family's netlists are made of, for simulation."""

from __future__ import annotations

import re
from pathlib import Path

from trine_sw.support.toolchain import yosys_share

__all__ = ["cell_models", "own_models"]

#: The models beside this file: of what Yosys has none of, or none that a simulator of two values can use.
_CELLS = Path(__file__).with_name("cells")

_OWN = {
    "ecp5": ("ecp5_block_ram.v",),
    "gowin": ("gowin_block_ram.v",),
    "ice40": ("ice40_memories.v",),
}
#: Of cells that belong to a pad.
_IN_PADS = {"ecp5": ("ecp5_ddr_pads.v",)}
_FORMS = ("", "NR", "NW", "NRNW")  # of a block RAM, by the edges of its clocks
#: Models of Yosys that are left out: those in whose place there are own ones, and TRELLIS_COMB, which only
#: nextpnr makes and whose model declares a port twice.
_LEFT_OUT = {
    "ecp5": ("DP16KD", "TRELLIS_IO", "TRELLIS_COMB"),
    "gowin": ("IBUF", "OBUF", "TBUF", "rPLL"),
    "ice40": (
        "SB_IO",
        "SB_PLL40_CORE",
        "SB_PLL40_PAD",
        "SB_SPRAM256KA",
        *(f"SB_RAM40_4K{form}" for form in _FORMS),
    ),
}


def cell_models(family: str, folder: Path, *, pads: bool = True) -> list[Path]:
    """Verilog files with a model of every cell that a netlist of `family` may have.

    Yosys' own models are copied to `folder`, without delays and without those that are left out. With `pads`
    there are those of a board's pads and clock too, which need a simulator whose time runs.

    Raises
    ------
    TrineError
        Where Yosys or its models are missing.
    """
    share = yosys_share() / family

    def included(path: Path) -> str:
        # Lattice's older names of the same cells are left out.
        text = re.sub(r"(?s)`ifndef NO_INCLUDES.*?`endif", "", path.read_text(encoding="utf-8"))
        return re.sub(r'(?m)^`include "(\w+\.vh)"', lambda hit: included(share / hit[1]), text)

    text = included(share / "cells_sim.v")
    text = re.sub(r"(?s)\bspecify\b.*?\bendspecify\b", "", text)
    for name in _LEFT_OUT[family]:
        text = re.sub(rf"(?s)\bmodule {name}\b.*?\bendmodule\b", "", text)
    # Black boxes of what no design of this project has.
    text = re.sub(r"(?s)\(\* ?blackbox[^\n]*\*\)\s*module.*?\bendmodule\b", "", text)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{family}_cells.v"
    path.write_text(text, encoding="utf-8")
    return [path, *own_models(family, pads=pads)]


def own_models(family: str, *, pads: bool = True) -> list[Path]:
    """The models beside this file, of :func:`cell_models`."""
    around = (f"{family}_clock_and_pads.v", *_IN_PADS.get(family, ())) if pads else ()
    return [_CELLS / name for name in (*_OWN[family], *around)]
