"""Vendor primitives for Amaranth's simulator, which knows no instances: what their data sheets say."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, Const, Elaboratable, Module, Signal, Value

__all__ = ["DCCA", "EHXPLLL", "RPLL", "SBPLL40", "TrellisFF", "instance"]


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


class _PLL(Elaboratable):
    """A PLL whose output is the clock of the domain ``pll``, and whose lock a testbench drives."""

    output, lock = "", "o_LOCK"
    held: dict[str, int] = {}  # pins and the level that lets the PLL run

    def __init__(self, **pins: Any) -> None:
        self.pins = pins
        self.locked = Signal()

    def output_mhz(self, input_mhz: float) -> float:
        """What it makes of its input, by its parameters."""
        raise NotImplementedError

    def number(self, name: str) -> int:
        """The value of a parameter or of a pin that is held."""
        value = self.pins[name]
        return value.value if isinstance(value, Const) else value

    def elaborate(self, platform: object) -> Module:
        m = Module()
        runs = all(self.number(name) == level for name, level in self.held.items())
        m.domains.pll = made = ClockDomain(reset_less=True)
        m.d.comb += [
            self.pins[self.output].eq(made.clk if runs else 0),
            self.pins[self.lock].eq(self.locked if runs else 0),
        ]
        return m


class EHXPLLL(_PLL):
    """The PLL of an ECP5 (Lattice FPGA-TN-02200), fed back from CLKOP."""

    output = "o_CLKOS"
    held = {"i_RST": 0, "i_STDBY": 0}

    def output_mhz(self, input_mhz: float) -> float:
        number = self.number
        assert self.pins["p_FEEDBK_PATH"] == "CLKOP" and self.pins["i_CLKFB"] is self.pins["o_CLKOP"]
        assert self.pins["p_CLKOP_ENABLE"] == self.pins["p_CLKOS_ENABLE"] == "ENABLED"
        loop = number("p_CLKFB_DIV") * number("p_CLKOP_DIV")
        return input_mhz * loop / number("p_CLKI_DIV") / number("p_CLKOS_DIV")


class SBPLL40(_PLL):
    """``SB_PLL40_PAD`` of an iCE40 (Lattice FPGA-TN-02052), fed back without a phase."""

    output = "o_PLLOUTGLOBAL"
    held = {"i_RESETB": 1, "i_BYPASS": 0}

    def output_mhz(self, input_mhz: float) -> float:
        number = self.number
        assert self.pins["p_FEEDBACK_PATH"] == "SIMPLE" and self.pins["p_PLLOUT_SELECT"] == "GENCLK"
        return input_mhz * (number("p_DIVF") + 1) / (number("p_DIVR") + 1) / 2 ** number("p_DIVQ")


class RPLL(_PLL):
    """``rPLL`` of a Gowin chip (Gowin UG286), with its own feedback."""

    output = "o_CLKOUT"
    held = {"i_RESET": 0, "i_RESET_P": 0}

    def output_mhz(self, input_mhz: float) -> float:
        number = self.number
        assert self.pins["p_CLKFB_SEL"] == "internal" and self.pins["p_CLKOUT_BYPASS"] == "false"
        assert float(self.pins["p_FCLKIN"]) == input_mhz and number("p_ODIV_SEL") % 2 == 0
        return input_mhz * (number("p_FBDIV_SEL") + 1) / (number("p_IDIV_SEL") + 1)


class DCCA(Elaboratable):
    """A global clock buffer of an ECP5 that starts and stops between two edges. ``edges`` counts what it lets
    through."""

    def __init__(self, i_CLKI: Any, i_CE: Any, o_CLKO: Any) -> None:
        self.clock, self.enable, self.gated = i_CLKI, i_CE, o_CLKO
        self.edges = Signal(32)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.falling = falling = ClockDomain(local=True, reset_less=True, clk_edge="neg")
        m.domains.rising = rising = ClockDomain(local=True, reset_less=True)
        open_ = Signal()
        m.d.comb += [falling.clk.eq(self.clock), rising.clk.eq(self.clock)]
        m.d.falling += open_.eq(self.enable)
        m.d.comb += self.gated.eq(self.clock & open_)
        with m.If(open_):
            m.d.rising += self.edges.eq(self.edges + 1)
        return m


class _Instance:
    """Stands for :class:`amaranth.hdl.Instance`: the primitive's model. ``made`` has those of late."""

    _MODELS = {
        "TRELLIS_FF": TrellisFF,
        "EHXPLLL": EHXPLLL,
        "SB_PLL40_PAD": SBPLL40,
        "rPLL": RPLL,
        "DCCA": DCCA,
    }

    def __init__(self) -> None:
        self.made: list[Elaboratable] = []

    def __call__(self, kind: str, **pins: Any) -> Elaboratable:
        self.made.append(self._MODELS[kind](**pins))
        return self.made[-1]


instance = _Instance()
