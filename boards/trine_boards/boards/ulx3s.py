"""ULX3S with an ECP5 of any size: 25 MHz oscillator, USB UART, USB at pins of the chip."""

from amaranth_boards.ulx3s import (
    ULX3S_12F_Platform,
    ULX3S_25F_Platform,
    ULX3S_45F_Platform,
    ULX3S_85F_Platform,
)

from trine_boards.board_spec import BoardSpec, HeldPin
from trine_boards.chips import board_on_chip
from trine_boards.transports.spi import SPITransport
from trine_boards.transports.uart import UARTTransport
from trine_boards.transports.usb import USBTransport
from trine_sw.link.board_design import DEFAULT_BAUD

__all__ = ["BOARDS"]


def _ulx3s(name: str, size: str, platform: type, price: str) -> BoardSpec:
    return board_on_chip(
        platform,
        name=name,
        title=f"Radiona ULX3S-{size}",
        transports=(
            UARTTransport(baud=DEFAULT_BAUD),
            # On the header J1, beside each other; the pins from gp11 on are shared with ESP32 and ADC.
            SPITransport(
                cs="0+",
                clk="0-",
                copi="1+",
                cipo="1-",
                ready="2+",
                connector=("gpio", 0),
                attrs=(("IO_TYPE", "LVCMOS33"),),
                pull_up=("PULLMODE", "UP"),
            ),
            USBTransport("Trine ULX3S"),  # at US2
        ),
        programmer="ulx3s",
        usb=(0x0403, 0x6015),  # FT231X
        # wifi_gpio0, pin L2. An ECP5 pulls down what a design leaves unused, and the ESP32, with the firmware
        # that boards are sold with, takes a low level for a wish to have its own bitstream loaded.
        held=(HeldPin("esp32", 1, subsignal="gpio0"),),
        price=price,
    )


BOARDS = (
    _ulx3s("ulx3s-12f", "12F", ULX3S_12F_Platform, "middle"),
    _ulx3s("ulx3s-25f", "25F", ULX3S_25F_Platform, "middle"),
    _ulx3s("ulx3s-45f", "45F", ULX3S_45F_Platform, "middle"),
    _ulx3s("ulx3s", "85F", ULX3S_85F_Platform, "high"),
)
