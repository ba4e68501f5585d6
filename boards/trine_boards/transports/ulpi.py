"""USB of high speed by a ULPI PHY beside the chip: the host sees a serial port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import ClockDomain, Module, Signal
from amaranth.lib.cdc import ResetSynchronizer

from trine_boards.pins.ulpi import ULPIHost
from trine_boards.transports.usb import TEST_NUMBERS
from trine_hw.link.link import Link
from trine_hw.link.usb import USBLink
from trine_sw.link.protocol import LinkConfig

__all__ = ["ULPITransport"]

_PHY_MHZ, _BIT_MHZ = 60.0, 480.0
#: Cycles of the engine's clock for which the PHY is held in reset: 10 us of any clock up to 200 MHz.
_RESET_CYCLES = 1 << 11
#: Cycles of the PHY's clock until it takes commands, 1.09 ms; Microchip asks for 1 ms (USB334x, Tstart).
_START_CYCLES = 1 << 16


@dataclass(frozen=True)
class ULPITransport:
    """A USB device at the pins of a ULPI PHY that makes the clock, the platform's `resource`.

    Parameters
    ----------
    product : what the device calls itself
    usb : its vendor and product number
    resource, number : the PHY's pins in the platform
    link : sizes of the link's buffers, where a board is built with this transport
    """

    product: str
    usb: tuple[int, int] = TEST_NUMBERS
    name: str = "ulpi"
    resource: str = "ulpi"
    number: int = 0
    link: LinkConfig = LinkConfig(window=8, slot_bytes=1024, receive_bytes=8192, codec="fast")

    @property
    def baud(self) -> int:
        """0: USB's bits are of one length, and a packet's time is the host's."""
        return 0

    @property
    def clocks(self) -> dict[str, float]:
        """None: the PHY makes its clock."""
        return {}

    @property
    def lut4(self) -> int:
        """Beyond a UART's: the device."""
        return 1702

    @property
    def ff(self) -> int:
        """Flip-flops beyond a UART's."""
        return 853

    @property
    def stores_replies(self) -> bool:
        """It sends a reply while that is made."""
        return False

    @property
    def stores_packets(self) -> bool:
        """Packets wait in block RAMs, two of either direction."""
        return True

    def check_clock(self, clock_mhz: float) -> None:
        """Any clock serves it: USB has a clock of its own."""

    def bytes_per_s(self, clock_mhz: float) -> int:
        """Nominal: of the 13 packets of 512 bytes that fit a microframe (USB 2.0, 5.8.4) some three quarters;
        and a byte in a cycle of the engine's clock."""
        return int(min(40.0, clock_mhz) * 1e6)

    def pinned(self, link: Link, clock_mhz: float) -> USBLink:
        """`link` on USB. Raises :exc:`TrineError` where LUNA is missing."""
        return USBLink(link, *self.usb, self.product, high_speed=True)

    def pin_host(self, clock_mhz: float) -> ULPIHost:
        """A PHY and a host behind it."""
        wires = ("clk", "dir", "nxt", "stp", "rst", "data")
        pins = (f"{self.resource}_{self.number}__{wire}__io" for wire in wires)
        return ULPIHost(*pins, bit_seconds=1e-6 * max(1 / _BIT_MHZ, 4 / clock_mhz))

    def join(self, m: Module, pinned: USBLink, platform: Any) -> None:
        """Join `pinned` to the PHY's pins, with the domain ``usb``, whose clock the PHY makes."""
        pins, bus = platform.request(self.resource, self.number), pinned.bus
        m.d.comb += [
            bus.data.i.eq(pins.data.i),
            bus.dir.i.eq(pins.dir.i),
            bus.nxt.i.eq(pins.nxt.i),
            pins.data.o.eq(bus.data.o),
            pins.data.oe.eq(bus.data.oe),
            pins.stp.o.eq(bus.stp.o),
        ]
        m.domains.usb = usb = ClockDomain("usb")
        usb.clk = Signal(name="usb_clk", attrs={"keep": 1})
        platform.add_clock_constraint(usb.clk, _PHY_MHZ * 1e6)
        # By the engine's clock: a PHY in reset need not make one.
        held = Signal(range(_RESET_CYCLES + 1))
        resets = Signal(init=1)
        with m.If(held[-1]):
            m.d.sync += resets.eq(0)
        with m.Else():
            m.d.sync += held.eq(held + 1)
        m.domains.ulpi_start = start = ClockDomain("ulpi_start")
        start.clk = usb.clk
        m.submodules.start_reset = ResetSynchronizer(resets, domain="ulpi_start")
        started = Signal(range(_START_CYCLES + 1))
        with m.If(~started[-1]):
            m.d.ulpi_start += started.eq(started + 1)
        assert usb.rst is not None
        m.d.comb += [usb.clk.eq(pins.clk.i), usb.rst.eq(~started[-1]), pins.rst.o.eq(resets)]
