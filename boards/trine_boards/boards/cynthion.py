"""Cynthion r1.4 with an ECP5-12F: 60 MHz oscillator, three USB PHYs, a UART to its microcontroller.

Pins: greatscottgadgets/cynthion on GitHub, ``cynthion/python/src/gateware/platform/cynthion_r1_4.py``.
"""

from amaranth.build import Attrs, Clock, Connector, Pins, PinsN, Resource, Subsignal
from amaranth.vendor import LatticeECP5Platform
from amaranth_boards.resources import LEDResources, ULPIResource

from trine_boards.chips import board_on_chip
from trine_boards.transports.spi import SPITransport
from trine_boards.transports.uart import UARTTransport

__all__ = ["BOARDS", "CynthionPlatform"]

_LEVEL = Attrs(IO_TYPE="LVCMOS33")


def _phy(name: str, data: str, **pins: str) -> list[Resource]:
    attrs = Attrs(IO_TYPE="LVCMOS33", SLEWRATE="FAST")
    return ULPIResource(name, 0, data=data, clk_dir="o", rst_invert=True, attrs=attrs, **pins)


class CynthionPlatform(LatticeECP5Platform):
    """The pins that Trine may use: oscillator, LEDs, UART, PHYs and PMODs."""

    device, package, speed = "LFE5U-12F", "BG256", "8"
    default_clk = "clk60"
    resources = [
        Resource("clk60", 0, Pins("A8", dir="i"), Clock(60e6), _LEVEL),
        *LEDResources(pins="E13 C13 B14 A15 D12 C11", attrs=_LEVEL, invert=True),
        # These two are wired to TDI and TMS also: nothing may drive tx while the chip is programmed.
        Resource(
            "uart",
            0,
            Subsignal("rx", Pins("R14", dir="i")),
            Subsignal("tx", Pins("T14", dir="oe"), Attrs(PULLMODE="UP")),
            _LEVEL,
        ),
        # Starts the configuration anew.
        Resource("self_program", 0, PinsN("T13", dir="o"), Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP")),
        _phy(
            "control_phy",
            "N16 N14 P16 P15 R16 R15 T15 P14",
            **dict(clk="L14", dir="M16", nxt="M15", stp="L15", rst="L16"),
        ),
        _phy(
            "aux_phy",
            "F16 G15 G16 H15 J15 J16 K15 K16",
            **dict(clk="D16", dir="E16", nxt="F15", stp="E15", rst="J13"),
        ),
        _phy(
            "target_phy",
            "R2 R1 P2 P1 N3 N1 M2 M1",
            **dict(clk="T4", dir="R3", nxt="T2", stp="T3", rst="R4"),
        ),
    ]
    connectors = [
        Connector("pmod", 0, "C9 B9 D11 C12 - - C8 D8 D9 C10 - -"),  # A
        Connector("pmod", 1, "B4 B5 B6 B7 - - C5 A5 A6 A7 - -"),  # B
    ]


BOARDS = (
    board_on_chip(
        CynthionPlatform,
        name="cynthion",
        title="Great Scott Gadgets Cynthion r1.4",
        transports=(
            UARTTransport(baud=115_200, open_drain=True),
            # PMOD A, as Digilent's interface specification has SPI with an interrupt.
            SPITransport(
                cs="1",
                copi="2",
                cipo="3",
                clk="4",
                ready="7",
                connector=("pmod", 0),
                attrs=(("IO_TYPE", "LVCMOS33"),),
                pull_up=("PULLMODE", "UP"),
            ),
        ),
        programmer="",
        program_note="load the .bit file with apollo configure, of the package apollo-fpga.",
        usb=(0x1D50, 0x615C),  # Apollo, the firmware of its microcontroller
        price="high",
    ),
)
