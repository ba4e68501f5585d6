"""What a board's transport is, as the board's description names it."""

from __future__ import annotations

from typing import Any, Protocol

from amaranth.hdl import Module

from trine_boards.pins.host import PinHost
from trine_hw.link.link import Link

__all__ = ["BoardTransport", "PinnedLink", "line_bytes_per_s"]


class PinnedLink(Protocol):
    """A :class:`trine_hw.link.link.Link` behind a transport: an Amaranth component.

    Members
    -------
    link : the link
    busy : Out(1), a command is under way
    lock_lost : In(1), the PLL has lost its lock
    """

    link: Link
    busy: Any
    lock_lost: Any


class BoardTransport(Protocol):
    """A transport that a board has: what it is called, what it needs, and how it is made.

    Members
    -------
    name : what ``trine build --link`` takes, and the name of its part of the design
    baud : bits a second of the line, which the board tells its host; 0 where there is no such number
    usb : vendor and product number, where the design itself is a device on the USB; else None
    clocks : MHz of the clocks that it needs beside the engine's, by their domains
    lut4, ff : what it takes beyond a UART (``python -m sim.measure.transports``); may be missing, as none
    stores_replies : whether it keeps a reply until that is complete, in a memory of its own
    stores_datagrams : whether whole datagrams wait in memories; may be missing, as no
    stores_packets : whether packets of USB at high speed do; may be missing, as no
    address : IPv4 address of the board on its network; may be missing, where it has none
    link : sizes of the link's buffers, where they are other than the board's; may be missing
    """

    @property
    def name(self) -> str: ...

    @property
    def baud(self) -> int: ...

    @property
    def usb(self) -> tuple[int, int] | None: ...

    @property
    def clocks(self) -> dict[str, float]: ...

    @property
    def stores_replies(self) -> bool: ...

    def check_clock(self, clock_mhz: float) -> None:
        """Raise :exc:`trine_sw.support.errors.ClockError` where the engine's clock does not serve it."""
        ...

    def pinned(self, link: Link, clock_mhz: float) -> PinnedLink:
        """`link` behind this transport, at a clock of the engine.

        Raises
        ------
        ClockError
            Where the clock does not serve it.
        TrineError
            Where a package is missing that its gateware is made of.
        """
        ...

    def pin_host(self, clock_mhz: float) -> PinHost:
        """What is at the other end of its pins in a simulation, at a clock of the engine."""
        ...

    def join(self, m: Module, pinned: Any, platform: Any) -> None:
        """Join what :meth:`pinned` made to the board's pins."""
        ...


def line_bytes_per_s(transport: BoardTransport, clock_mhz: float) -> int | None:
    """Most bytes a second that a transport's line carries each way; None where nothing is known of it.

    A UART takes ten bits for a byte. Another has a method ``bytes_per_s`` of the engine's clock in MHz.

    >>> from trine_boards.transports.uart import UARTTransport
    >>> line_bytes_per_s(UARTTransport(baud=3_000_000), 75)
    300000
    """
    if transport.baud:
        return transport.baud // 10
    rate = getattr(transport, "bytes_per_s", None)
    return None if rate is None else rate(clock_mhz)
