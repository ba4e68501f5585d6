"""Registers of double data rate and delays in an ECP5's pad, as nextpnr places them (ecp5/pack.cc,
``pack_iologic``).

One IOLOGIC serves a pad. Of an input it has the pad's data at PADDI, late by the delay at INDD and DI, and
what IDDRX1F makes of that at RXDATA0 and RXDATA1; of an output TXDATA0 and TXDATA1, and what ODDRX1F makes of
them, late by the delay where DELAY.OUTDEL says so, at IOLDO, which DATAMUX_ODDR of the pad takes.
"""

from __future__ import annotations

from trine_boards.verify.ecp5_cells import PlacedCell
from trine_sw.support.errors import TrineError

__all__ = ["IO_LOGIC", "io_logic"]

#: Types of the cell, by the side of the chip.
IO_LOGIC = ("IOLOGIC", "SIOLOGIC")
_UNUSED = {
    **{f"{part}.MODE": "NONE" for part in ("MTDDRX", "MODDRX", "MIDDRX", "ODDRXN", "IDDRXN")},
    "MIDDRX_MODDRX.WRCLKMUX": "NONE",
    "IOLTOMUX": "NONE",
    "DELAY.WAIT_FOR_EDGE": "DISABLED",
    "LSRIMUX": "0",
    "LSROMUX": "0",
}


def io_logic(cell: PlacedCell, name: str) -> tuple[dict[str, str | None], list[str]]:
    """The nets that a cell drives, each with its expression or None where a statement does, and declarations
    and statements with instances called `name` and more.

    Raises
    ------
    TrineError
        For a parameter that is not known, as of a reset or of an inverted clock, and a delay that changes.
    """
    for parameter, value in _UNUSED.items():
        cell.choice(parameter, value)
    cell.choice("GSR", "DISABLED", "ENABLED")
    cell.choice("MODE", "IDDRX1_ODDRX1")
    if len({cell.net(pin) for pin in ("LOADN", "MOVE", "DIRECTION")}) > 1:  # all tied, where it is fixed
        raise TrineError(f"{cell.type} {cell.name} of the routed netlist has a delay that changes")
    late = cell.choice("DELAY.OUTDEL", "DISABLED", "ENABLED") == "ENABLED"
    delay = f"DELAYG #(.DEL_VALUE({cell.number('DELAY.DEL_VALUE')}))"
    drives: dict[str, str | None] = {}
    lines: list[str] = []
    received = {f".Q{index}": net for index in range(2) if (net := cell.net(f"RXDATA{index}")) is not None}
    if received:
        cell.choice("CLKIMUX", "CLK")
        if (net := cell.net("INDD")) is not None:
            drives[net] = f"{name}_late"
        drives |= dict.fromkeys(received.values())
        pins = {".D": f"{name}_late", ".SCLK": cell.needed("CLK"), **received}
        lines += [
            f"wire {name}_late;",
            f"{delay} {name}_in_delay ({_pins({'.A': cell.needed('PADDI'), '.Z': f'{name}_late'})});",
            f"IDDRX1F {name}_in ({_pins(pins)});",
        ]
    if (net := cell.net("IOLDO")) is not None:
        cell.choice("CLKOMUX", "CLK")
        drives[net] = None
        register = f"{name}_early" if late else net
        pins = {".D0": cell.needed("TXDATA0"), ".D1": cell.needed("TXDATA1"), ".SCLK": cell.needed("CLK")}
        if late:
            lines += [
                f"wire {register};",
                f"{delay} {name}_out_delay ({_pins({'.A': register, '.Z': net})});",
            ]
        lines.append(f"ODDRX1F {name}_out ({_pins(pins | {'.Q': register})});")
    return drives, lines


def _pins(pins: dict[str, str]) -> str:
    return ", ".join(f"{pin}({net})" for pin, net in pins.items())
