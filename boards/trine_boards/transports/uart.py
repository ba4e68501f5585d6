"""The UART of a board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module

from trine_hw.link.link import Link
from trine_hw.link.uart import UARTLink, uart_divisor

__all__ = ["UARTTransport"]


@dataclass(frozen=True)
class UARTTransport:
    """A UART, 8N1, at the pins `rx` and `tx` of the platform's `resource`."""

    baud: int
    name: str = "uart"
    resource: str = "uart"
    number: int = 0

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

    def join(self, m: Module, pinned: UARTLink, platform: Any) -> None:
        """Join `pinned` to the pins."""
        pins = platform.request(self.resource, self.number)
        m.d.comb += [
            pinned.rx.eq(pins.rx.i),
            pins.tx.o.eq(pinned.tx),
        ]
