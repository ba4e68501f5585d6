"""Icepi Zero v1.3 with an ECP5-25F: 50 MHz oscillator, USB UART, a header like a Raspberry Pi's."""

from amaranth_boards.icepi_zero import IcepiZero1_3Platform

from trine_boards.chips import board_on_chip
from trine_boards.transports.spi import SPITransport
from trine_boards.transports.uart import UARTTransport
from trine_sw.link.board_design import DEFAULT_BAUD

__all__ = ["BOARDS"]

BOARDS = (
    board_on_chip(
        IcepiZero1_3Platform,
        name="icepi-zero",
        title="Icepi Zero v1.3",
        transports=(
            UARTTransport(baud=DEFAULT_BAUD),
            # GPIO 8 to 11 are a Raspberry Pi's SPI0, pin to pin.
            SPITransport(
                cs="8",
                clk="11",
                copi="10",
                cipo="9",
                ready="25",
                connector=("gpio", 0),
                attrs=(("IO_TYPE", "LVCMOS33"),),
                pull_up=("PULLMODE", "UP"),
            ),
        ),
        programmer="icepi-zero",
        usb=(0x0403, 0x6015),  # FT231X
        price="middle",
    ),
)
