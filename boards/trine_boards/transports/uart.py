"""The UART of a board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.build import Attrs, Pins, Resource, Subsignal
from amaranth.hdl import Module

from trine_boards.pins.uart import UARTHost
from trine_hw.link.link import Link
from trine_hw.link.uart import UARTLink, uart_divisor

__all__ = ["UARTTransport"]


@dataclass(frozen=True)
class UARTTransport:
    """A UART, 8N1, at the pins `rx` and `tx` of the platform's `resource`, or at two pins of a header.

    Parameters
    ----------
    baud : bits a second
    resource, number : its pins in the platform, where that has them
    rx, tx : their names on the `connector`, or the chip's without one; where not given, those of `resource`
    connector, attrs : name and number of the connector in the platform, and attributes of the pins
    open_drain : whether the board drives `tx` low only, and a resistor pulls it up
    """

    baud: int
    name: str = "uart"
    resource: str = "uart"
    number: int = 0
    rx: str = ""
    tx: str = ""
    connector: tuple[str, int] | None = None
    attrs: tuple[tuple[str, Any], ...] = ()
    open_drain: bool = False

    @property
    def usb(self) -> tuple[int, int] | None:
        """None: the chip that makes a serial port of it is the board's."""
        return None

    @property
    def clocks(self) -> dict[str, float]:
        """None: it runs by the engine's clock."""
        return {}

    @property
    def stores_replies(self) -> bool:
        """It sends a reply while that is made."""
        return False

    def check_clock(self, clock_mhz: float) -> None:
        """Raises :exc:`ClockError` where the baud rate cannot be divided from the clock."""
        uart_divisor(clock_mhz * 1e6, self.baud)

    def pinned(self, link: Link, clock_mhz: float) -> UARTLink:
        """`link` behind a UART."""
        divisor = uart_divisor(clock_mhz * 1e6, self.baud)
        return UARTLink(link, divisor)

    def pins(self) -> Resource | None:
        """What the platform must get beside what it has: pins of a header."""
        if not self.rx:
            return None

        def pin(name: str, of: str, direction: str) -> Subsignal:
            return Subsignal(name, Pins(of, dir=direction, conn=self.connector, assert_width=1))

        attrs = Attrs(**dict(self.attrs))
        return Resource(self.resource, self.number, pin("rx", self.rx, "i"), pin("tx", self.tx, "o"), attrs)

    def pin_host(self, clock_mhz: float) -> UARTHost:
        """A serial port at its baud rate."""
        pin = f"{self.resource}_{self.number}"
        rx, tx = f"{pin}__rx__io", f"{pin}__tx__io"
        return UARTHost(rx, tx, self.baud, open_drain=self.open_drain)

    def join(self, m: Module, pinned: UARTLink, platform: Any) -> None:
        """Join `pinned` to the pins."""
        added = self.pins()
        if added is not None:
            platform.add_resources([added])
        pins = platform.request(self.resource, self.number)
        m.d.comb += pinned.rx.eq(pins.rx.i)
        if self.open_drain:
            m.d.comb += [pins.tx.o.eq(0), pins.tx.oe.eq(~pinned.tx)]
        else:
            m.d.comb += pins.tx.o.eq(pinned.tx)
