"""What is at the other end of a board's link in a simulation at its pins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from trine_boards.pins.process import PinProcess
from trine_sw.driver.transports import Transport

__all__ = ["START_SECONDS", "PinHost", "PinTransport"]

#: In which every board has started: longer than any PLL that locks at once, and the pause after it.
START_SECONDS = 64e-6


class PinTransport(Transport, Protocol):
    """A board's link as its host has it, while the board is simulated at its pins.

    Members
    -------
    bit_seconds : of a bit on the line, or of four cycles of the engine, which of them is longer
    line_errors : what the board sent against the rules of the line, such as bytes without a stop bit
    """

    @property
    def bit_seconds(self) -> float: ...

    @property
    def line_errors(self) -> int: ...

    def begin(self, seconds: float) -> None:
        """Let so many seconds pass while the board starts, the line at rest, and do what a host does before
        it can send bytes.

        Raises
        ------
        TrineError
            Where the board does not answer to that.
        """
        ...


class PinHost(Protocol):
    """The host of one kind of link, as a module of Verilog called ``pin_host``, and what talks to it.

    Members
    -------
    verilog : the file of the module
    ports : of the module's ports, names of the board's ports that they are joined to
    widths : of the module's ports, the bits of those that have several
    pulled_up : of the module's ports, those whose wire has a resistor to the supply
    arguments : of the simulation, such as ``+bit_ns=1000``
    """

    @property
    def verilog(self) -> Path: ...

    @property
    def ports(self) -> Mapping[str, str]: ...

    @property
    def widths(self) -> Mapping[str, int]: ...

    @property
    def pulled_up(self) -> tuple[str, ...]: ...

    @property
    def arguments(self) -> list[str]: ...

    def attach(self, process: PinProcess) -> PinTransport:
        """The transport of a simulation that has been started with the module and the arguments."""
        ...
