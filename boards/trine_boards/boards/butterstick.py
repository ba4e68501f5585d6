"""ButterStick with an ECP5-5G 85F: 30 MHz oscillator; no serial port, so one at the slot of its SD card.

The SYZYGY connectors have no supply until gateware makes one, and the pins of the slot are always at 3.3 V.
"""

from amaranth_boards.butterstick import ButterStickPlatform

from trine_boards.chips import board_on_chip
from trine_boards.transports.spi import SPITransport
from trine_boards.transports.uart import UARTTransport
from trine_sw.link.board_design import DEFAULT_BAUD

__all__ = ["BOARDS"]

BOARDS = (
    board_on_chip(
        ButterStickPlatform,
        name="butterstick",
        title="GsD ButterStick r1.0",
        transports=(
            # DAT1 and DAT2, which an SD card that talks SPI leaves alone.
            UARTTransport(baud=DEFAULT_BAUD, rx="A12", tx="D14", attrs=(("IO_TYPE", "LVCMOS33"),)),
            # CS, CLK, CMD and DAT0 are an SD card's SPI; DAT1 is its interrupt.
            SPITransport(
                cs="A14",
                clk="B13",
                copi="A13",
                cipo="C12",
                ready="A12",
                connector=None,
                attrs=(("IO_TYPE", "LVCMOS33"),),
                pull_up=("PULLMODE", "UP"),
            ),
        ),
        programmer="",
        program_note="hold its button at power-on, then dfu-util --alt 0 --download loads the .bit file.",
        led=None,  # its LEDs are a matrix
        price="high",
        notes="UART and SPI are at the SD card's slot: plug in a breakout board for that slot.",
    ),
)
