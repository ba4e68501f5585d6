"""Sipeed Tang Nano 9K with a GW1NR-9: 27 MHz oscillator, the USB UART of its BL702."""

from amaranth_boards.tang_nano_9k import TangNano9kPlatform

from trine_boards.chips import board_on_chip
from trine_boards.gowin_platform import NextpnrGowinPlatform
from trine_boards.transports.uart import UARTTransport
from trine_sw.link.board_design import DEFAULT_BAUD
from trine_sw.link.protocol import LinkConfig

__all__ = ["BOARDS", "TangNano9KPlatform"]


class TangNano9KPlatform(NextpnrGowinPlatform, TangNano9kPlatform):
    """amaranth-boards' platform, with constraints of clocks."""

    device = "GW1NR-9C"
    package = "QN88P"


BOARDS = (
    board_on_chip(
        TangNano9KPlatform,
        name="tang-nano-9k",
        title="Sipeed Tang Nano 9K",
        transports=(UARTTransport(baud=DEFAULT_BAUD),),
        programmer="tangnano9k",
        usb=(0x0403, 0x6010),  # its BL702 answers as an FT2232 does
        usb_interface=1,  # the second channel; the first is the programmer's
        link=LinkConfig(window=1, receive_bytes=512),
        price="low",
        notes="Experimental: no Gowin chip has run an engine yet (docs/engine.md, Gowin chips).",
    ),
)
