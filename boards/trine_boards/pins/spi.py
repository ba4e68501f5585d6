"""A controller of SPI at a board's pins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from trine_boards.pins.process import PinProcess
from trine_sw.driver.spi import SPITransport

__all__ = ["SPIHost", "SPIPins"]

#: Bit times between two looks at the line ``ready``.
_LOOK = 16
_MOST = 0xFF


@dataclass(frozen=True)
class SPIHost:
    """A :class:`trine_boards.pins.host.PinHost` of SPI.

    Parameters
    ----------
    cs, clk, copi, cipo, ready : names of the board's ports
    hz : of SPI's clock
    inverted : the wire of copi is inverted
    """

    cs: str
    clk: str
    copi: str
    cipo: str
    ready: str
    hz: float
    inverted: bool = False

    @property
    def verilog(self) -> Path:
        """The controller's module."""
        return Path(__file__).with_name("spi.v")

    @property
    def ports(self) -> dict[str, str]:
        """Its wires."""
        return {name: getattr(self, name) for name in ("cs", "clk", "copi", "cipo", "ready")}

    @property
    def widths(self) -> dict[str, int]:
        """Of one bit each."""
        return {}

    @property
    def pulled_up(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def arguments(self) -> list[str]:
        """The time of a bit."""
        return [f"+bit_ns={1e9 / self.hz:.6f}", f"+inverted={int(self.inverted)}"]

    def attach(self, process: PinProcess) -> SPIPins:
        """The driver's transport over the controller."""
        return SPIPins(_Bus(process, self.hz))


class _Bus:
    """A :class:`trine_sw.driver.spi.SPIBus` of simulated pins."""

    def __init__(self, process: PinProcess, hz: float) -> None:
        self.bit_seconds = 1 / hz
        self._process = process
        self._bits = 0.0

    def pause(self, bits: int) -> bool:
        """Let up to 255 bit times pass; whether the line ``ready`` is high then."""
        self._bits += bits
        return self._process.ask(bytes((0, bits))) == b"1"

    def transfer(self, data: bytes) -> bytes:
        self._bits += 8 * len(data) + 2.5
        return bytes.fromhex(self._process.ask(b"\1" + len(data).to_bytes(2, "big") + data).decode())

    def ready(self) -> bool:
        return self.pause(1)

    def wait(self, timeout: float) -> None:
        end = self.clock() + timeout
        while not self.pause(_LOOK) and self.clock() < end:
            pass

    def clock(self) -> float:
        """Seconds of the simulation."""
        return self._bits * self.bit_seconds

    def fileno(self) -> int | None:
        return None

    def close(self) -> None:
        self._process.close()


class SPIPins(SPITransport):
    """A :class:`trine_boards.pins.host.PinTransport` over SPI: the driver's, in the simulation's time."""

    def __init__(self, bus: _Bus) -> None:
        super().__init__(bus)
        self.bit_seconds = bus.bit_seconds
        #: None are possible: any bits are bytes.
        self.line_errors = 0
        self._pins = bus

    def begin(self, seconds: float) -> None:
        """The board is not selected."""
        for start in range(0, bits := math.ceil(seconds / self.bit_seconds), _MOST):
            self._pins.pause(min(_MOST, bits - start))

    def clock(self) -> float:
        """Seconds of the simulation."""
        return self._pins.clock()
