"""Functions of a Gowin chip's cells as Verilog expressions: adders, multiplexers of tables, constants.

The sources are Yosys' models of the cells and Gowin's UG288 ("CFU User Guide").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trine_sw.support.errors import TrineError

__all__ = ["GOWIN_LOGIC"]

#: What an ALU adds to its carry, and the carry that it makes where that is 0, by ALU_MODE.
_ADDERS = {
    0: "{I0} ^ {I1}",
    1: "{I0} ^ ~{I1}",
    2: "{I3} ? {I0} ^ {I1} : {I0} ^ ~{I1}",
}


def _adder(at: Mapping[str, str], parameters: Mapping[str, Any]) -> dict[str, str]:
    mode = int(str(parameters.get("ALU_MODE", "0")), 2)
    if mode not in _ADDERS:
        raise TrineError(f"the netlist has an ALU of the mode {mode}, which has no model")
    pins = {pin: at.get(pin, "1'b0") for pin in ("I0", "I1", "I3", "CIN")}
    differ = f"({_ADDERS[mode].format(**pins)})"
    return {"SUM": f"{differ} ^ {pins['CIN']}", "COUT": f"{differ} ? {pins['CIN']} : {pins['I0']}"}


def _multiplexer(at: Mapping[str, str], parameters: Mapping[str, Any]) -> dict[str, str]:
    return {"O": f"{at['S0']} ? {at['I1']} : {at['I0']}"}


#: Expressions of a cell's outputs, by its type, from the nets at its pins and its parameters.
GOWIN_LOGIC: dict[str, Callable[[Mapping[str, str], Mapping[str, Any]], dict[str, str]]] = {
    "ALU": _adder,
    "GND": lambda at, parameters: {"G": "1'b0"},
    "VCC": lambda at, parameters: {"V": "1'b1"},
    **{f"MUX2_LUT{size}": _multiplexer for size in (5, 6, 7, 8)},
}
