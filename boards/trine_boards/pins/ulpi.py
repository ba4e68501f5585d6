"""A ULPI PHY at a board's pins, with a USB host of high speed behind it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trine_boards.pins.process import PinProcess
from trine_boards.pins.ulpi_wire import CYCLE_SECONDS, ULPIWire, high_speed_host
from trine_boards.pins.usb_host import USBPort

__all__ = ["ULPIHost", "ULPIPins"]


@dataclass(frozen=True)
class ULPIHost:
    """A :class:`trine_boards.pins.host.PinHost` of USB at high speed.

    Parameters
    ----------
    clk, dir, nxt, stp, rst, data : names of the board's ports, of which the PHY makes the clock
    bit_seconds : see :class:`trine_boards.pins.host.PinTransport`
    off : by which the PHY's cycles are too short, a fraction
    inverted : the lowest two wires of the data are exchanged
    supplied : the host is plugged in while the board starts, or once that shows its pull-up
    """

    clk: str
    dir: str
    nxt: str
    stp: str
    rst: str
    data: str
    bit_seconds: float
    off: float = 5e-4
    inverted: bool = False
    supplied: bool = False

    @property
    def verilog(self) -> Path:
        """The PHY's module."""
        return Path(__file__).with_name("ulpi.v")

    @property
    def ports(self) -> dict[str, str]:
        """Its pins at the board."""
        return {name: getattr(self, name) for name in ("clk", "dir", "nxt", "stp", "rst", "data")}

    @property
    def widths(self) -> dict[str, int]:
        """Of the data."""
        return {"data": 8}

    @property
    def pulled_up(self) -> tuple[str, ...]:
        """None outside the module."""
        return ()

    @property
    def _cycle_seconds(self) -> float:
        return (1 - self.off) * CYCLE_SECONDS

    @property
    def arguments(self) -> list[str]:
        """The time of a cycle."""
        return [f"+cycle_ns={1e9 * self._cycle_seconds:.6f}", f"+inverted={int(self.inverted)}"]

    def attach(self, process: PinProcess) -> ULPIPins:
        """The serial port of the device."""
        wire = ULPIWire(_Bus(process, self._cycle_seconds), supplied=self.supplied)
        return ULPIPins(wire, process, self.bit_seconds)


class _Bus:
    """A :class:`trine_boards.pins.ulpi_wire.ULPIBus` of simulated pins."""

    def __init__(self, process: PinProcess, cycle_seconds: float) -> None:
        self.cycle_seconds, self.errors = cycle_seconds, 0
        self._process = process

    def step(self, dir: int, nxt: int, data: int, most: int = 1) -> tuple[int, int, int]:
        command = bytes((0, dir | nxt << 1, data)) + most.to_bytes(2, "big")
        passed, found, stop, self.errors = map(int, self._process.ask(command).split())
        return passed, found, stop


class ULPIPins(USBPort):
    """A :class:`trine_boards.pins.host.PinTransport` over USB of high speed.

    Members
    -------
    wire : to the board's PHY
    """

    def __init__(self, wire: ULPIWire, process: PinProcess, bit_seconds: float) -> None:
        super().__init__(high_speed_host(wire))
        self.wire, self.bit_seconds = wire, bit_seconds
        self._process = process

    @property
    def line_errors(self) -> int:
        """What the board did against the rules of ULPI and USB."""
        return self.wire.errors

    def begin(self, seconds: float) -> None:
        """The host sees the device, resets it, and gives it its address and its configuration."""
        self.wire.begin(seconds)
        self.host.enumerate()

    def close(self) -> None:
        """End the simulator; may be repeated."""
        self._process.close()
