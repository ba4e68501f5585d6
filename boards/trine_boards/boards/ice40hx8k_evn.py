"""iCE40-HX8K breakout board (iCE40HX8K-B-EVN): 12 MHz oscillator, the USB UART of its FT2232H."""

from amaranth_boards.ice40_hx8k_b_evn import ICE40HX8KBEVNPlatform

from trine_boards.chips import board_on_chip
from trine_boards.clock.ice40 import ICE40InnerClockDomain
from trine_boards.transports.spi import SPITransport
from trine_boards.transports.uart import UARTTransport
from trine_sw.link.board_design import DEFAULT_BAUD

__all__ = ["BOARDS"]

BOARDS = (
    board_on_chip(
        ICE40HX8KBEVNPlatform,
        name="ice40hx8k-evn",
        title="Lattice iCE40-HX8K breakout board",
        transports=(
            UARTTransport(baud=DEFAULT_BAUD),
            # On the header J2, beside each other.
            SPITransport(
                cs="9",
                clk="10",
                copi="11",
                cipo="12",
                ready="13",
                connector=("j", 2),
                attrs=(("IO_STANDARD", "SB_LVCMOS"),),
                pull_up=("PULLUP", 1),
            ),
        ),
        programmer="ice40_generic",
        clock_domain=ICE40InnerClockDomain,  # the oscillator, J3, is not at a PLL's pin
        usb=(0x0403, 0x6010),  # FT2232H
        usb_interface=1,  # its channel B; A is the programmer's
        sram_note=(
            "The breakout board is wired for the flash: loading the chip itself needs the jumpers set for "
            "CRAM programming, as the board's own documentation shows."
        ),
        price="middle",
    ),
)
