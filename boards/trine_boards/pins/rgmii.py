"""A PHY of Gigabit Ethernet at a board's RGMII pins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from trine_boards.pins.ethernet_frames import FrameError, wire_bytes
from trine_boards.pins.ethernet_host import EthernetHost, EthernetPort
from trine_boards.pins.process import PinProcess
from trine_sw.support.errors import TrineError

__all__ = ["RGMIIHost", "RGMIIPins", "RGMIIWire"]

#: Of a byte on the wire, as the module has it.
_BYTE_SECONDS = 7.999e-9
#: Bytes between two frames, at least.
_GAP = 12
_MOST = 0xFFFF


@dataclass(frozen=True)
class RGMIIHost:
    """A :class:`trine_boards.pins.host.PinHost` of Ethernet at 1 Gbit/s.

    Parameters
    ----------
    rx_clk, rx_ctl, rx_data, tx_clk, tx_ctl, tx_data, rst : names of the board's ports, as it sees them; `rst`
        is low while the PHY is in reset
    address, port : of the board, as numbers
    mac : of the board
    rx_delay_ns, tx_delay_ns : by which the PHY delays the clock that it sends, and the one that it receives
    bit_seconds : see :class:`trine_boards.pins.host.PinTransport`
    inverted : the nibbles of a byte are exchanged
    """

    rx_clk: str
    rx_ctl: str
    rx_data: str
    tx_clk: str
    tx_ctl: str
    tx_data: str
    rst: str
    address: int
    port: int
    mac: int
    rx_delay_ns: float
    tx_delay_ns: float
    bit_seconds: float = 1e-9
    inverted: bool = False

    @property
    def verilog(self) -> Path:
        """The PHY's module."""
        return Path(__file__).with_name("rgmii.v")

    @property
    def ports(self) -> dict[str, str]:
        """Its wires."""
        names = ("rx_clk", "rx_ctl", "rx_data", "tx_clk", "tx_ctl", "tx_data", "rst")
        return {name: getattr(self, name) for name in names}

    @property
    def widths(self) -> dict[str, int]:
        """Nibbles of data."""
        return {"rx_data": 4, "tx_data": 4}

    @property
    def pulled_up(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def arguments(self) -> list[str]:
        """The delays."""
        delays = [f"+rx_ns={self.rx_delay_ns:.3f}", f"+tx_ns={self.tx_delay_ns:.3f}"]
        return [*delays, f"+inverted={int(self.inverted)}"]

    def attach(self, process: PinProcess) -> RGMIIPins:
        """The board's UDP port."""
        host = EthernetHost(self.mac, self.address, self.port)
        return RGMIIPins(host, RGMIIWire(process), self.bit_seconds)


class RGMIIWire:
    """A :class:`trine_boards.pins.ethernet_host.EthernetWire` of simulated pins.

    Members
    -------
    errors : faults of the board: edges around which data was not steady, bytes with tx_er, gaps between
        frames that were too short, and frames that were none
    reset : whether the PHY was in reset when time last passed
    """

    def __init__(self, process: PinProcess) -> None:
        self.errors = 0
        self.reset = True
        self._process = process
        self._bytes = 0
        self._frames: list[bytes] = []

    def send(self, seen: bytes) -> None:
        self._run(b"\1" + len(seen).to_bytes(2, "big") + seen)

    def receive(self, seconds: float) -> bytes | None:
        end = self._bytes + math.ceil(seconds / _BYTE_SECONDS)
        while not self._frames and self._bytes < end:
            self._run(b"\0" + min(end - self._bytes, _MOST).to_bytes(2, "big"))
        return self._frames.pop(0) if self._frames else None

    def clock(self) -> float:
        return self._bytes * _BYTE_SECONDS

    def close(self) -> None:
        self._process.close()

    def _run(self, command: bytes) -> None:
        """What a command makes of the board, until time stands still again."""
        self._process.put(command)
        while True:
            for line in self._process.lines():
                kind, *words = line.split()
                if kind == b"k":
                    self._bytes += int(words[0])
                    self.reset = words[1] == b"1"
                    return
                self._take(*map(int, words[:3]), bytes.fromhex(words[3].decode()))

    def _take(self, gap: int, unsteady: int, errors: int, seen: bytes) -> None:
        self.errors += unsteady + errors + (gap < _GAP)
        try:
            self._frames.append(wire_bytes(seen))
        except FrameError:
            self.errors += 1


class RGMIIPins(EthernetPort):
    """A :class:`trine_boards.pins.host.PinTransport` over Ethernet.

    Members
    -------
    wire : the simulated pins
    """

    def __init__(self, host: EthernetHost, wire: RGMIIWire, bit_seconds: float) -> None:
        super().__init__(host, wire)
        self.bit_seconds = bit_seconds
        self.wire = wire

    @property
    def line_errors(self) -> int:
        """What the board did against the rules of RGMII, Ethernet, ARP, IPv4 or UDP."""
        return self.wire.errors + self.errors

    def begin(self, seconds: float) -> None:
        """The board starts, and the host asks for its MAC address."""
        while (left := seconds - self.wire.clock()) > 0:
            self.pause(left)
        if self.wire.reset:
            raise TrineError("the board holds its PHY in reset")
        self.find()
