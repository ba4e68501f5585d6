"""Sipeed Tang Nano 20K with a GW2AR-18: 27 MHz oscillator, the USB UART of its BL616."""

from amaranth.build import Attrs, Clock, Pins, Resource
from amaranth_boards.resources import LEDResources, UARTResource

from trine_boards.chips import board_on_chip
from trine_boards.gowin_platform import NextpnrGowinPlatform
from trine_boards.transports.uart import UARTTransport
from trine_sw.link.board_design import DEFAULT_BAUD

__all__ = ["BOARDS", "TangNano20KPlatform"]


class TangNano20KPlatform(NextpnrGowinPlatform):
    """Pins of the constraint files in Sipeed's examples (``TangNano-20K-example/uart/src/top.cst`` and
    ``led/flow_led/src/flow_led.cst``)."""

    part = "GW2AR-LV18QN88C8/I7"
    family = device = "GW2AR-18C"
    package = "QN88"
    default_clk = "clk27"
    resources = [
        Resource("clk27", 0, Pins("4", dir="i"), Clock(27e6), Attrs(IO_TYPE="LVCMOS33")),
        *LEDResources(pins="15 16 17 18 19 20", invert=True, attrs=Attrs(IO_TYPE="LVCMOS33")),
        UARTResource(0, rx="70", tx="69", attrs=Attrs(IO_TYPE="LVCMOS33", PULL_MODE="UP")),
    ]
    connectors = []


BOARDS = (
    board_on_chip(
        TangNano20KPlatform,
        name="tang-nano-20k",
        title="Sipeed Tang Nano 20K",
        transports=(UARTTransport(baud=DEFAULT_BAUD),),
        programmer="tangnano20k",
        usb=(0x0403, 0x6010),  # its BL616 answers as an FT2232 does
        usb_interface=1,  # the second channel; the first is the programmer's
        price="low",
        notes="Experimental: no Gowin chip has run an engine yet (docs/engine.md, Gowin chips).",
    ),
)
