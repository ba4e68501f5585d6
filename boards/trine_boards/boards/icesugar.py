"""iCESugar v1.5 with an iCE40UP5K: 12 MHz oscillator, the UART of its iCELink."""

from amaranth_boards.icesugar import ICESugarPlatform

from trine_boards.chips import board_on_chip
from trine_boards.transports.spi import SPITransport
from trine_boards.transports.uart import UARTTransport

__all__ = ["BOARDS"]

BOARDS = (
    board_on_chip(
        ICESugarPlatform,
        name="icesugar",
        title="Muse Lab iCESugar v1.5",
        transports=(
            UARTTransport(baud=115_200),  # what the iCELink is known to carry
            # PMOD 2, as Digilent's interface specification has SPI with an interrupt.
            SPITransport(
                cs="1",
                copi="2",
                cipo="3",
                clk="4",
                ready="7",
                connector=("pmod", 1),
                attrs=(("IO_STANDARD", "SB_LVCMOS"),),
                pull_up=("PULLUP", 1),
            ),
        ),
        programmer="",
        program_note="copy the .bin file to the drive iCELink that appears when it is plugged in.",
        usb=(0x1D50, 0x602B),  # iCELink
        led=None,  # at the open-drain pins of the LED driver
        price="low",
    ),
)
