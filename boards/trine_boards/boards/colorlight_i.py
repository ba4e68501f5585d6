"""Colorlight i5 V7.0 and i9 V7.2, modules with an ECP5 of 25F and 45F, on Muse Lab's extension board.

25 MHz oscillator; UART and JTAG through the extension board's microcontroller, a CMSIS-DAP probe. Pins:
litex-hub/litex-boards on GitHub, ``litex_boards/platforms/colorlight_i5.py``.
"""

from amaranth.build import Attrs, Clock, Connector, Pins, Resource
from amaranth.vendor import LatticeECP5Platform
from amaranth_boards.resources import LEDResources, UARTResource

from trine_boards.board_spec import BoardSpec
from trine_boards.chips import board_on_chip
from trine_boards.transports.spi import SPITransport
from trine_boards.transports.uart import UARTTransport

__all__ = ["BOARDS", "ColorlightI5Platform", "ColorlightI9Platform"]

_LEVEL = Attrs(IO_TYPE="LVCMOS33")
_COMMON = [
    Resource("clk25", 0, Pins("P3", dir="i"), Clock(25e6), _LEVEL),
    UARTResource(0, rx="H18", tx="J17", attrs=_LEVEL),
]
_PMODS = [
    Connector("pmod", 0, "C17 B18 B20 F20 - - A18 A19 B19 D20 - -"),  # PMOD E of the extension board
    Connector("pmod", 1, "D1 C1 C2 E3 - - E2 D2 B1 A3 - -"),  # PMOD F
]


class ColorlightI5Platform(LatticeECP5Platform):
    """The pins that Trine may use: oscillator, LED, UART and two PMODs."""

    device, package, speed = "LFE5U-25F", "BG381", "6"
    default_clk = "clk25"
    resources = [*_COMMON, *LEDResources(pins="U16", invert=True, attrs=_LEVEL)]
    connectors = _PMODS


class ColorlightI9Platform(LatticeECP5Platform):
    """The same of an i9."""

    device, package, speed = "LFE5U-45F", "BG381", "6"
    default_clk = "clk25"
    resources = [*_COMMON, *LEDResources(pins="L2", invert=True, attrs=_LEVEL)]
    connectors = _PMODS


def _colorlight(size: str, version: str, platform: type) -> BoardSpec:
    return board_on_chip(
        platform,
        name=f"colorlight-{size}",
        title=f"Colorlight {size} {version} on its extension board",
        transports=(
            UARTTransport(baud=115_200),  # what that microcontroller is known to carry
            # PMOD E, as Digilent's interface specification has SPI with an interrupt.
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
        programmer=f"colorlight-{size}",
        usb=(0x0D28, 0x0204),  # a CMSIS-DAP probe of Arm's DAPLink
        price="low" if size == "i5" else "middle",
    )


BOARDS = (
    _colorlight("i5", "V7.0", ColorlightI5Platform),
    _colorlight("i9", "V7.2", ColorlightI9Platform),
)
