"""Functions of the ECP5's cells as nextpnr places them, as Verilog expressions and statements.

The sources are Project Trellis' description of the slice and nextpnr's bitstream writer (ecp5/bitstream.cc,
ecp5/pack.cc), which say what the configuration bits of each parameter value and of an unconnected pin do:

* A LUT input that nothing is connected to is tied to 1.
* In carry mode (CCU2) a LUT's output L4 takes the carry: F = L4 ^ FCI, and FCO is FCI where L4 is 1, and the
  first four bits of INITVAL at {B, A} where it is 0. CCU2_INJECT1 = YES leaves the carry out of F, and gives
  FCO 0 where L4 is 0.
* In LUT RAM (DPRAM) the LUT's sixteen bits are written at WAD, where A, B, C, D are WAD[3], [1], [2], [0].
* OFX is a multiplexer by M: of the pair's outputs (F1 where M is 1), or of two such (FXB where M is 1).
* A flip-flop takes DI where SD is 1, and M where it is 0.
* Pins of a block RAM have multiplexers that pass, invert or tie: of an unconnected pin, CE and OCE are 1 but
  for INV; CLK, WE, RST and CS are 0 but for the multiplexer that passes; the others are what it says, or 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from trine_sw.support.errors import TrineError

__all__ = [
    "FlipFlop",
    "PlacedCell",
    "block_ram_pin",
    "comb_outputs",
    "flip_flop",
    "lut_expression",
    "lut_ram",
]

_PINS = "ABCD"


def lut_expression(init: int, inputs: Sequence[str]) -> str:
    """Verilog of a look-up table with `inputs`, the first of which is the lowest bit of the index to `init`.

    An input may be ``1'b0`` or ``1'b1``.

    >>> lut_expression(0b1000, ["a", "b"])
    '(b & a)'
    """
    if not inputs:
        return f"1'b{init & 1}"
    half = 1 << (len(inputs) - 1)
    low = lut_expression(init & ((1 << half) - 1), inputs[:-1])
    high = lut_expression(init >> half, inputs[:-1])
    select = inputs[-1]
    if low == high or select == "1'b0":
        return low
    if select == "1'b1":
        return high
    if (low, high) == ("1'b0", "1'b1"):
        return select
    if (low, high) == ("1'b1", "1'b0"):
        return f"(~{select})"
    if low == "1'b0":
        return f"({select} & {high})"
    if high == "1'b1":
        return f"({select} | {low})"
    if high == "1'b0":
        return f"(~{select} & {low})"
    if low == "1'b1":
        return f"(~{select} | {high})"
    if low == f"(~{high})" or high == f"(~{low})":
        return f"({select} ^ {low})"
    return f"(({select} & {high}) | (~{select} & {low}))"


@dataclass(frozen=True)
class PlacedCell:
    """A cell of nextpnr's netlist: `net` gives the Verilog of the net at a pin, None where there is none.

    Every parameter that a cell's function reads is taken with :meth:`choice` or :meth:`number`, so that a
    value whose meaning is not known ends in one clear error and not in a wrong model.
    """

    name: str
    type: str
    parameters: dict[str, str]
    net: Callable[[str], str | None]

    def choice(self, parameter: str, default: str, *known: str) -> str:
        """The text of a parameter, which must be `default` or one of `known`."""
        value = text_of(self.parameters.get(parameter, default))
        if value != default and value not in known:
            raise TrineError(
                f"{self.type} {self.name} of the routed netlist has {parameter} = {value!r}; "
                f"its simulation knows only: {', '.join(sorted({default, *known}))}"
            )
        return value

    def number(self, parameter: str, default: int = 0) -> int:
        """The value of a parameter of bits."""
        value = self.parameters.get(parameter)
        if value is None:
            return default
        if not value or set(value) - set("01"):
            raise TrineError(
                f"{self.type} {self.name} of the routed netlist has {parameter} = {value!r}, no bits"
            )
        return int(value, 2)

    def needed(self, pin: str) -> str:
        """The net at a pin that the cell does not work without."""
        net = self.net(pin)
        if net is None:
            raise TrineError(f"{self.type} {self.name} of the routed netlist has nothing at its pin {pin}")
        return net


def text_of(value: Any) -> str:
    """A parameter that is text: written with a blank after it where it might be taken for bits."""
    return str(value).removesuffix(" ")


def comb_outputs(cell: PlacedCell) -> dict[str, str]:
    """Verilog of ``F``, ``FCO`` and ``OFX`` of a ``TRELLIS_COMB`` that is no LUT RAM, those that it has.

    Raises :exc:`TrineError` for a parameter that is not known, and for a carry that comes from nowhere.
    """
    mode = cell.choice("MODE", "LOGIC", "CCU2", "RAMW_BLOCK")
    cell.choice("IS_Z1", "0")
    if mode == "RAMW_BLOCK":  # its wires carry the write port of the LUT RAM beside it
        used = [pin for pin in ("F", "FCO", "OFX") if cell.net(pin)]
        if used:
            raise TrineError(f"TRELLIS_COMB {cell.name} is taken by a LUT RAM, and has an output {used[0]}")
        return {}
    init = cell.number("INITVAL")
    inputs = [cell.net(pin) or "1'b1" for pin in _PINS]
    lut = lut_expression(init, inputs)
    outputs = {"F": lut}
    if mode == "CCU2":
        inject = cell.choice("CCU2_INJECT1", "YES", "NO") == "YES"
        carry = cell.net("FCI")
        if carry is None:
            if (not inject and cell.net("F")) or (lut != "1'b0" and cell.net("FCO")):
                raise TrineError(f"TRELLIS_COMB {cell.name} needs a carry, and none arrives")
            carry = "1'b0"
        outputs["F"] = lut if inject else f"({lut}) ^ {carry}"
        generated = "1'b0" if inject else lut_expression(init & 15, inputs[:2])
        outputs["FCO"] = f"({lut}) ? {carry} : {generated}"
    if cell.net("OFX"):
        if cell.net("FXA") or cell.net("FXB"):
            outputs["OFX"] = f"{cell.needed('M')} ? {cell.needed('FXB')} : {cell.needed('FXA')}"
        else:
            outputs["OFX"] = f"{cell.needed('M')} ? {cell.needed('F1')} : {cell.net('F') or outputs['F']}"
    return outputs


def lut_ram(cell: PlacedCell, name: str) -> tuple[list[str], str]:
    """Declarations and the expression of ``F`` of a ``TRELLIS_COMB`` that is a LUT RAM, called `name`."""
    if cell.net("OFX") or cell.net("FCO"):
        raise TrineError(f"TRELLIS_COMB {cell.name} is a LUT RAM, and has other outputs than F")
    clock = cell.needed("WCK")
    edge = "negedge" if cell.choice("WCKMUX", "WCK", "INV") == "INV" else "posedge"
    enable = {
        "WRE": lambda: cell.needed("WRE"),
        "INV": lambda: f"~{cell.needed('WRE')}",
        "0": lambda: "1'b0",
        "1": lambda: "1'b1",
    }[cell.choice("WREMUX", "WRE", "INV", "0", "1")]()
    write = ", ".join(cell.needed(f"WAD{bit}") for bit in (0, 2, 1, 3))
    read = ", ".join(cell.net(pin) or "1'b1" for pin in reversed(_PINS))
    lines = [
        f"reg [15:0] {name} = 16'h{cell.number('INITVAL'):04x};",
        f"always @({edge} {clock}) if ({enable}) {name}[{{{write}}}] <= {cell.needed('WD')};",
    ]
    return lines, f"{name}[{{{read}}}]"


@dataclass(frozen=True)
class FlipFlop:
    """A flip-flop: what it is clocked by, and what it takes.

    `control` is equal for flip-flops that one ``always`` block can hold: the edge, and what is written
    before and after the assignments.
    """

    control: tuple[str, str, str]
    data: str
    start: int

    @staticmethod
    def block(control: tuple[str, str, str], members: Sequence[tuple[str, FlipFlop]]) -> list[str]:
        """The ``always`` block of flip-flops of equal `control`, each beside the net of its output."""
        edges, reset, enable = control
        takes = [f"{q} <= {flip_flop.data};" for q, flip_flop in members]
        if enable == "1'b0":
            takes = []
        elif enable != "1'b1":
            takes = [f"if ({enable}) begin", *takes, "end"]
        if reset != "1'b0":
            starts = [f"{q} <= 1'b{flip_flop.start};" for q, flip_flop in members]
            takes = [f"if ({reset}) begin", *starts, "end else begin", *takes, "end"]
        return [f"always @({edges}) begin", *takes, "end"]


def flip_flop(cell: PlacedCell) -> FlipFlop:
    """Function of a ``TRELLIS_FF``. It starts at its REGSET, which configuration leaves it at.

    The global reset (GSR) is released before configuration ends, and no design of ours uses it afterwards.
    """
    cell.choice("GSR", "ENABLED", "DISABLED", "AUTO")
    cell.choice("LSRMODE", "LSR")
    asynchronous = cell.choice("SRMODE", "LSR_OVER_CE", "ASYNC") == "ASYNC"
    edge = "negedge" if cell.choice("CLKMUX", "CLK", "INV") == "INV" else "posedge"
    clock = cell.needed("CLK")
    inverted = cell.choice("LSRMUX", "LSR", "INV") == "INV"
    reset = cell.net("LSR")
    # An unconnected LSR is tied so that the flip-flop is never reset.
    reset = "1'b0" if reset is None else f"~{reset}" if inverted else reset
    enable = {
        "1": lambda: "1'b1",
        "0": lambda: "1'b0",
        "CE": lambda: cell.needed("CE"),
        "INV": lambda: f"~{cell.needed('CE')}",
    }[cell.choice("CEMUX", "1", "0", "CE", "INV")]()
    data = cell.needed("DI" if cell.choice("SD", "0", "1") == "1" else "M")
    start = int(cell.choice("REGSET", "RESET", "SET") == "SET")
    edges = f"{edge} {clock}"
    if asynchronous and reset != "1'b0":
        edges += f" or {'negedge' if inverted else 'posedge'} {reset.removeprefix('~')}"
    return FlipFlop((edges, reset, enable), data, start)


def block_ram_pin(cell: PlacedCell, pin: str) -> str:
    """Verilog of what a pin of a ``DP16KD`` sees behind its multiplexer; of clocks see the model itself."""
    net = cell.net(pin)
    kind = pin.rstrip("AB0123456789")
    if kind in ("CE", "OCE", "WE", "RST", "CS", "CLK"):
        default = pin if net is not None or kind in ("CE", "OCE") else "INV"
        inverted = cell.choice(f"{pin}MUX", default, pin, "INV") == "INV"
        if kind == "CLK":
            return "1'b0" if net is None else net  # CLKAMUX and CLKBMUX are the model's own parameters
        if net is None:
            return "1'b0" if inverted else "1'b1"
        return f"~{net}" if inverted else net
    if net is None:
        return f"1'b{cell.choice(f'{pin}MUX', '0', '1')}"
    return net
