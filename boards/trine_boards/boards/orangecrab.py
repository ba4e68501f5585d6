"""OrangeCrab r0.2 with an ECP5 of 25F or 85F: 48 MHz oscillator, USB at pins of the chip, Feather headers."""

from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_25FPlatform, OrangeCrabR0_2_85FPlatform

from trine_boards.board_spec import BoardPin, BoardSpec
from trine_boards.chips import board_on_chip
from trine_boards.transports.spi import SPITransport
from trine_boards.transports.uart import UARTTransport
from trine_boards.transports.usb import USBTransport
from trine_sw.link.board_design import DEFAULT_BAUD

__all__ = ["BOARDS"]

_LEVEL = (("IO_TYPE", "LVCMOS33"),)


def _orangecrab(size: str, platform: type) -> BoardSpec:
    return board_on_chip(
        platform,
        name=f"orangecrab-{size.lower()}",
        title=f"OrangeCrab r0.2 {size}",
        transports=(
            # A Feather's pins 0 and 1, its UART, for a serial adapter of 3.3 V.
            UARTTransport(baud=DEFAULT_BAUD, rx="0", tx="1", connector=("io", 0), attrs=_LEVEL),
            # A Feather's SPI, with pins 10 and 11 beside it.
            SPITransport(
                cs="10",
                clk="sck",
                copi="copi",
                cipo="cipo",
                ready="11",
                connector=("io", 0),
                attrs=_LEVEL,
                pull_up=("PULLMODE", "UP"),
            ),
            USBTransport("Trine OrangeCrab"),
        ),
        programmer="orangeCrab",
        led=BoardPin("rgb_led", "g"),
        price="middle" if size == "25F" else "high",
        notes="Its own USB is the link usb; the first, uart, needs a serial adapter at pins 0 and 1.",
    )


BOARDS = (
    _orangecrab("25F", OrangeCrabR0_2_25FPlatform),
    _orangecrab("85F", OrangeCrabR0_2_85FPlatform),
)
