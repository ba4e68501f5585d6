"""ECPIX-5 with an ECP5-5G of either size: 100 MHz oscillator, the USB UART of its FT2232H, Ethernet,
USB of high speed."""

from amaranth_boards.ecpix5 import ECPIX545Platform, ECPIX585Platform

from trine_boards.board_spec import BoardPin, BoardSpec
from trine_boards.chips import board_on_chip
from trine_boards.transports.ethernet import EthernetTransport
from trine_boards.transports.spi import SPITransport
from trine_boards.transports.uart import UARTTransport
from trine_boards.transports.ulpi import ULPITransport
from trine_sw.link.board_design import DEFAULT_BAUD

__all__ = ["BOARDS"]


def _ecpix5(size: str, platform: type) -> BoardSpec:
    return board_on_chip(
        platform,
        name=f"ecpix5-{size.lower()}",
        title=f"LambdaConcept ECPIX-5 {size}",
        transports=(
            UARTTransport(baud=DEFAULT_BAUD),
            # PMOD 0, as Digilent's interface specification has SPI with an interrupt.
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
            # Its KSZ9031 delays the clock that it sends alone (Microchip DS00002117, 7.1).
            EthernetTransport(
                rx_control="rx_ctrl",
                tx_control="tx_ctrl",
                tx_delay_ns=2.0,
                rx_delay_ns=0.0,
                phy_tx_delay_ns=0.0,
                phy_rx_delay_ns=1.2,
            ),
            ULPITransport(f"Trine ECPIX-5 {size}"),  # the USB3300 at its USB-C socket
        ),
        programmer="ecpix5",
        usb=(0x0403, 0x6010),  # FT2232H
        usb_interface=1,  # its channel B; A is the programmer's
        led=BoardPin("rgb_led", "g"),
        price="high",
    )


BOARDS = (_ecpix5("45F", ECPIX545Platform), _ecpix5("85F", ECPIX585Platform))
