"""Vendor primitives for Amaranth's simulator, which knows no instances: what their data sheets say."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockSignal, Elaboratable, Module, Signal, Value

__all__ = ["TrellisFF", "instance"]


class TrellisFF(Elaboratable):
    """``TRELLIS_FF``: a flip-flop of an ECP5 (Lattice FPGA-TN-02032), as far as this project uses it.

    Raises
    ------
    ValueError
        Where a parameter or pin has another value than is understood here.
    """

    def __init__(self, **pins: Any) -> None:
        self.d, self.q = Value.cast(pins.pop("i_DI")), pins.pop("o_Q")
        self.init = {"SET": 1, "RESET": 0}[pins.pop("p_REGSET")]
        if not isinstance(pins.pop("i_CLK"), ClockSignal):
            raise ValueError("the flip-flop's clock is not that of the domain")
        known = {"p_GSR": "AUTO", "p_CEMUX": "1", "p_CLKMUX": "CLK", "p_LSRMUX": "LSR", "i_LSR": 0}
        if pins != known:
            raise ValueError(f"a flip-flop with {pins} is not understood")

    def elaborate(self, platform: object) -> Module:
        m = Module()
        state = Signal(init=self.init)
        m.d.sync += state.eq(self.d)
        m.d.comb += self.q.eq(state)
        return m


def instance(kind: str, **pins: Any) -> Elaboratable:
    """In the place of :class:`amaranth.hdl.Instance`: the primitive's model."""
    models = {"TRELLIS_FF": TrellisFF}
    return models[kind](**pins)
