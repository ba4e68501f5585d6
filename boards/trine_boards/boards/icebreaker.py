"""iCEBreaker with an iCE40UP5K: 12 MHz oscillator, the USB UART of its FT2232H."""

from amaranth_boards.icebreaker import ICEBreakerPlatform

from trine_boards.chips import board_on_chip
from trine_boards.transports.spi import SPITransport
from trine_boards.transports.uart import UARTTransport
from trine_sw.link.board_design import DEFAULT_BAUD

__all__ = ["BOARDS"]

ICEBREAKER = board_on_chip(
    ICEBreakerPlatform,
    name="icebreaker",
    title="1BitSquared iCEBreaker",
    transports=(
        UARTTransport(baud=DEFAULT_BAUD),
        # PMOD 1A, as Digilent's interface specification has SPI with an interrupt: CS, MOSI, MISO, SCK, INT.
        SPITransport(
            cs="1",
            copi="2",
            cipo="3",
            clk="4",
            ready="7",
            connector=("pmod", 0),
            attrs=(("IO_STANDARD", "SB_LVCMOS"),),
            pull_up=("PULLUP", 1),
        ),
    ),
    programmer="ice40_generic",
    usb=(0x0403, 0x6010),  # FT2232H
    sram_note=(
        "An iCEBreaker's programmer is wired for the flash: loading the chip itself needs the SPI jumpers "
        "beside the flash turned, as the board's own documentation shows."
    ),
    usb_interface=1,  # its channel B; A is the programmer's
    price="middle",
)

BOARDS = (ICEBREAKER,)
