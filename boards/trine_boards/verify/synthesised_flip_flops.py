"""Flip-flops of synthesised netlists whose only event is the rising edge of their clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["FlipFlopForm", "flip_flop_of"]


@dataclass(frozen=True)
class FlipFlopForm:
    """A flip-flop whose only event is the rising edge of its clock; what `following` gives is what it takes
    there, by the nets at its pins."""

    clock: str
    output: str
    start: int
    following: Callable[[Mapping[str, str], str], str]


def flip_flop_of(kind: str, parameters: Mapping[str, Any]) -> FlipFlopForm | None:
    """None where the cell is no flip-flop, or one that needs its model."""
    if kind == "TRELLIS_FF":
        return _trellis_ff(parameters)
    if kind in ("SB_DFF", "SB_DFFE", "SB_DFFSR", "SB_DFFSS", "SB_DFFESR", "SB_DFFESS"):
        enabled, forced = "E" in kind[6:], kind[-2:] if kind[-2:] in ("SR", "SS") else ""

        def following(at: Mapping[str, str], output: str) -> str:
            taken = at["D"]
            if forced:
                taken = f"{at[forced[1]]} ? 1'b{int(forced == 'SS')} : {taken}"
            return f"{at['E']} ? ({taken}) : {output}" if enabled else taken

        return FlipFlopForm("C", "Q", 0, following)
    if re.fullmatch("DFF(E|R|S|RE|SE)?", kind):
        return _gowin_ff(kind, parameters)
    return None


def _trellis_ff(parameters: Mapping[str, Any]) -> FlipFlopForm | None:
    def option(name: str, default: str) -> str:
        return str(parameters.get(name, default)).strip()

    plain = option("CLKMUX", "CLK") == "CLK" and option("LSRMODE", "LSR") == "LSR"
    if not plain or option("SRMODE", "LSR_OVER_CE") != "LSR_OVER_CE":
        return None
    start = int(option("REGSET", "RESET") == "SET")
    enable, inverted = option("CEMUX", "1"), option("LSRMUX", "LSR") == "INV"

    def following(at: Mapping[str, str], output: str) -> str:
        taken = at["DI"]
        if enable == "0":
            taken = output
        elif enable != "1":
            taken = f"{'~' * (enable == 'INV')}{at['CE']} ? {taken} : {output}"
        reset = at.get("LSR", "1'b0")
        if reset == "1'b0" and not inverted:
            return taken
        return f"{'~' * inverted}{reset} ? 1'b{start} : ({taken})"

    return FlipFlopForm("CLK", "Q", start, following)


def _gowin_ff(kind: str, parameters: Mapping[str, Any]) -> FlipFlopForm | None:
    """One whose start is what its reset or set gives, as configuration leaves it."""
    enabled, set_or_reset = "E" in kind[3:], {"R": "RESET", "S": "SET"}.get(kind[3:4])
    start = int(set_or_reset == "SET")
    if str(parameters.get("INIT", start)).strip() not in (str(start), "x"):
        return None

    def following(at: Mapping[str, str], output: str) -> str:
        taken = f"{at['CE']} ? {at['D']} : {output}" if enabled else at["D"]
        return f"{at[set_or_reset]} ? 1'b{start} : ({taken})" if set_or_reset else taken

    return FlipFlopForm("CLK", "Q", start, following)
