"""SPI to a controller beside the board, such as a Raspberry Pi or a microcontroller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.build import Attrs, Pins, PinsN, Resource, Subsignal
from amaranth.hdl import Module

from trine_boards.pins.spi import SPIHost
from trine_hw.link.link import Link
from trine_hw.link.spi import SPILink

__all__ = ["SPITransport"]

#: Of the engine's clock in a bit of SPI, at least; by which the simulation's controller is slower than that.
_CYCLES_A_BIT, _SLOWER = 4, 1.003


@dataclass(frozen=True)
class SPITransport:
    """An SPI peripheral of mode 0 on a connector of the platform, or at other pins of the chip.

    ``cs`` is low while the board is selected, and is pulled up; ``cipo`` is driven only meanwhile; ``ready``
    is high while a reply waits.

    Parameters
    ----------
    cs, clk, copi, cipo, ready : names of their pins on the connector, or of the chip's pins without one
    connector : name and number of the connector in the platform
    attrs, pull_up : attributes of the pins in the platform, and what pulls one up
    """

    cs: str
    clk: str
    copi: str
    cipo: str
    ready: str
    connector: tuple[str, int] | None
    attrs: tuple[tuple[str, Any], ...]
    pull_up: tuple[str, Any]
    name: str = "spi"

    @property
    def baud(self) -> int:
        """0: the controller makes the clock."""
        return 0

    @property
    def usb(self) -> tuple[int, int] | None:
        """None."""
        return None

    @property
    def clocks(self) -> dict[str, float]:
        """None: it samples its pins with the engine's clock."""
        return {}

    @property
    def lut4(self) -> int:
        """Beyond a UART's."""
        return 60

    @property
    def ff(self) -> int:
        """Flip-flops beyond a UART's."""
        return 0

    @property
    def stores_replies(self) -> bool:
        """SPI cannot pause within a frame."""
        return True

    def check_clock(self, clock_mhz: float) -> None:
        """Any clock serves it; SPI's is a quarter of it at most."""

    def bytes_per_s(self, clock_mhz: float) -> int:
        """At SPI's fastest clock."""
        return int(clock_mhz * 1e6 / 4 / 8)

    def pinned(self, link: Link, clock_mhz: float) -> SPILink:
        """`link` behind SPI."""
        return SPILink(link)

    def resource(self) -> Resource:
        """Its pins, for the platform."""

        def pin(name: str, of: str, kind: Any, direction: str) -> Subsignal:
            return Subsignal(name, kind(of, dir=direction, conn=self.connector, assert_width=1))

        cs = PinsN(self.cs, dir="i", conn=self.connector, assert_width=1)
        return Resource(
            f"trine_{self.name}",
            0,
            Subsignal("cs", cs, Attrs(**dict([self.pull_up]))),
            pin("clk", self.clk, Pins, "i"),
            pin("copi", self.copi, Pins, "i"),
            pin("cipo", self.cipo, Pins, "oe"),
            pin("ready", self.ready, Pins, "o"),
            Attrs(**dict(self.attrs)),
        )

    def pin_host(self, clock_mhz: float) -> SPIHost:
        """A controller at the highest clock, a little slower, so that its edges move over the engine's."""
        ports = {name: f"trine_{self.name}_0__{name}__io" for name in ("cs", "clk", "copi", "cipo", "ready")}
        return SPIHost(**ports, hz=clock_mhz * 1e6 / _CYCLES_A_BIT / _SLOWER)

    def join(self, m: Module, pinned: SPILink, platform: Any) -> None:
        """Join `pinned` to the pins."""
        resource = self.resource()
        platform.add_resources([resource])
        pins = platform.request(resource.name, resource.number)
        m.d.comb += [
            pinned.cs.eq(pins.cs.i),
            pinned.clk.eq(pins.clk.i),
            pinned.copi.eq(pins.copi.i),
            pins.cipo.o.eq(pinned.cipo),
            pins.cipo.oe.eq(pins.cs.i),
            pins.ready.o.eq(pinned.ready),
        ]
