"""The host of a UART at a board's pins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from trine_boards.pins.process import PinProcess

__all__ = ["UARTHost", "UARTPins"]

#: Bit times that the simulation runs on at once while something is awaited; runs that are asked for ahead.
_RUN, _AHEAD = 10, 2


@dataclass(frozen=True)
class UARTHost:
    """A :class:`trine_boards.pins.host.PinHost` of 8N1.

    Parameters
    ----------
    rx, tx : names of the board's ports, as it sees them: the host writes to `rx` and reads from `tx`
    baud : of the host, which may be a little off the board's
    inverted : the wire to the board's rx is inverted
    open_drain : the board drives `tx` low only, and a resistor pulls it up
    """

    rx: str
    tx: str
    baud: float
    inverted: bool = False
    open_drain: bool = False

    @property
    def verilog(self) -> Path:
        """The host's module."""
        return Path(__file__).with_name("uart.v")

    @property
    def ports(self) -> dict[str, str]:
        """Both wires."""
        return {"rx": self.rx, "tx": self.tx}

    @property
    def widths(self) -> dict[str, int]:
        """Of one bit each."""
        return {}

    @property
    def pulled_up(self) -> tuple[str, ...]:
        """What the board reads, if it drives that low only."""
        return ("tx",) if self.open_drain else ()

    @property
    def arguments(self) -> list[str]:
        """The time of a bit."""
        return [f"+bit_ns={1e9 / self.baud:.6f}", f"+inverted={int(self.inverted)}"]

    def attach(self, process: PinProcess) -> UARTPins:
        """The serial port."""
        return UARTPins(process, self.baud)


class UARTPins:
    """A :class:`trine_boards.pins.host.PinTransport` over a UART, whose
    simulation runs while it is read from."""

    def __init__(self, process: PinProcess, baud: float) -> None:
        self.bit_seconds = 1 / baud
        #: Bytes from the board whose stop bit was low.
        self.line_errors = 0
        self._process = process
        self._running = 0  # runs that have not ended
        self._bits = 0.0  # bit times of all runs and writes so far

    def begin(self, seconds: float) -> None:
        """The line is high."""
        bits = math.ceil(seconds / self.bit_seconds)
        for start in range(0, bits, 8):
            self.hold(1, min(8, bits - start))

    def write(self, data: bytes) -> None:
        """Send bytes to the board's pin."""
        self._bits += 10 * len(data)
        self._process.put(b"".join(b"\1" + data[n : n + 1] for n in range(len(data))))

    def hold(self, level: int, bits: float) -> None:
        """Hold the line to the board at a level for so many bit times, in eighths, up to 15."""
        eighths = round(8 * bits)
        if not 0 <= eighths < 128:
            raise ValueError(f"bits must be at least 0 and below 16, not {bits}")
        self._bits += bits
        self._process.put(bytes((2, eighths << 1 | level)))

    def read(self, timeout: float) -> bytes:
        """Run the simulation until bytes come from the board's pin, or for so many of its seconds."""
        end = self.clock() + timeout
        while True:
            while self._running < _AHEAD:
                self._process.put(bytes((0, _RUN)))
                self._running += 1
            if data := self._take():
                return data
            if self.clock() >= end:
                return b""

    def clock(self) -> float:
        """Seconds of the simulation."""
        return self._bits * self.bit_seconds

    def _take(self) -> bytes:
        data = bytearray()
        for line in self._process.lines():
            if line == b"k":
                self._running -= 1
                self._bits += _RUN
            elif line == b"f":
                self.line_errors += 1
            elif line:
                data.append(int(line, 16))
        return bytes(data)

    def fileno(self) -> int | None:
        """None: it runs only while it is read from."""
        return None

    def close(self) -> None:
        """End the simulator; may be repeated."""
        self._process.close()
