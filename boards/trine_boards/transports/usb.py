"""USB of full speed at pins of the board itself: the host sees a serial port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module

from trine_boards.pins.usb_lines import USBLinesHost
from trine_hw.link.link import Link
from trine_hw.link.usb import USBLink

__all__ = ["TEST_NUMBERS", "USBTransport"]

#: Of pid.codes, for tests in private: a product that is sold needs a number of its own.
TEST_NUMBERS = (0x1209, 0x0001)
#: A quarter of what USB's PHY samples at, and it.
_USB_MHZ, _USB_IO_MHZ = 12.0, 48.0


@dataclass(frozen=True)
class USBTransport:
    """A USB device at the pins `d_p`, `d_n` and `pullup` of the platform's `resource`.

    Parameters
    ----------
    product : what the device calls itself
    usb : its vendor and product number
    resource, number : its pins in the platform
    """

    product: str
    usb: tuple[int, int] = TEST_NUMBERS
    name: str = "usb"
    resource: str = "usb"
    number: int = 0

    @property
    def baud(self) -> int:
        """0: USB's bits are of one length, and a packet's time is the host's."""
        return 0

    @property
    def clocks(self) -> dict[str, float]:
        """USB's bits at 12 MHz, and the PHY's samples of them."""
        return {"usb_io": _USB_IO_MHZ, "usb": _USB_MHZ}

    @property
    def lut4(self) -> int:
        """Beyond a UART's, with the PHY."""
        return 1831

    @property
    def ff(self) -> int:
        """Flip-flops beyond a UART's."""
        return 859

    @property
    def stores_replies(self) -> bool:
        """It sends a reply while that is made."""
        return False

    def check_clock(self, clock_mhz: float) -> None:
        """Any clock serves it: USB has clocks of its own."""

    def bytes_per_s(self, clock_mhz: float) -> int:
        """Of full speed: 19 packets of 64 bytes in each frame of a millisecond (USB 2.0, 5.8.4)."""
        return 19 * 64 * 1000

    def pinned(self, link: Link, clock_mhz: float) -> USBLink:
        """`link` on USB. Raises :exc:`TrineError` where LUNA is missing."""
        return USBLink(link, *self.usb, self.product)

    def pin_host(self, clock_mhz: float) -> USBLinesHost:
        """A host at D+ and D-."""
        d_p, d_n, pull_up = (
            f"{self.resource}_{self.number}__{name}__io" for name in ("d_p", "d_n", "pullup")
        )
        return USBLinesHost(d_p, d_n, pull_up, bit_seconds=1e-6 * max(1 / _USB_MHZ, 4 / clock_mhz))

    def join(self, m: Module, pinned: USBLink, platform: Any) -> None:
        """Join `pinned` to the pins, by a PHY in gateware."""
        from luna.gateware.interface.gateware_phy import GatewarePHY

        m.submodules.usb_phy = phy = GatewarePHY(io=platform.request(self.resource, self.number))
        bus = pinned.bus
        to_phy = ("tx_data", "tx_valid", "xcvr_select", "term_select", "op_mode")
        to_device = ("tx_ready", "rx_data", "rx_valid", "rx_active", "rx_error", "line_state")
        to_device += ("vbus_valid", "session_end")
        m.d.comb += [getattr(phy, name).eq(getattr(bus, name)) for name in to_phy]
        m.d.comb += [getattr(bus, name).eq(getattr(phy, name)) for name in to_device]
