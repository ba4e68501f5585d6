"""A host on an Ethernet with one board: ARP, and datagrams of UDP that are frames of the protocol."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from cobs import cobs

from trine_boards.pins.ethernet_frames import (
    ARP,
    BROADCAST,
    IPV4,
    ARPPacket,
    Datagram,
    FrameError,
    arp_of,
    arp_packet,
    datagram_of,
    datagram_packet,
    ethernet_frame,
    on_wire,
    packet_of,
)
from trine_sw.support.errors import TrineError

__all__ = ["EthernetHost", "EthernetPort", "EthernetWire"]

_MAC, _PORT = 0x0200_0000_0001, 0x3039
#: Until the board has answered who it is.
_ARP_SECONDS = 50e-6


class EthernetWire(Protocol):
    """What carries frames of Ethernet."""

    def send(self, seen: bytes) -> None:
        """Put a frame on the wire, with its preamble and FCS as they are, and the gap behind it."""
        ...

    def receive(self, seconds: float) -> bytes | None:
        """The next frame of the board, without preamble and FCS; None where none ends in so many seconds."""
        ...

    def clock(self) -> float:
        """Seconds."""
        ...

    def close(self) -> None:
        """May be repeated."""
        ...


class EthernetHost:
    """What a host with an address beside a board's says to it and understands, as frames without preamble and
    FCS.

    Parameters
    ----------
    mac, address, port : of the board, as numbers

    Members
    -------
    address : of the host
    """

    def __init__(self, mac: int, address: int, port: int) -> None:
        self.address = address ^ 1 if address & 0xFE not in (0, 0xFE) else address ^ 2
        self.board_mac = mac
        self._board, self._port = address, port

    def question(self) -> bytes:
        """Asks everybody for the board's MAC address."""
        packet = arp_packet(ARPPacket(1, _MAC, self.address, 0, self._board))
        return ethernet_frame(BROADCAST, _MAC, ARP, packet)

    def frame(self, payload: bytes) -> bytes:
        """A datagram to the board."""
        datagram = Datagram(self.address, _PORT, self._board, self._port, payload)
        return ethernet_frame(self.board_mac, _MAC, IPV4, datagram_packet(datagram))

    def understood(self, frame: bytes) -> ARPPacket | Datagram:
        """What a frame of the board says. Raises :exc:`FrameError` where it breaks a rule of ARP, IPv4 or
        UDP, or is not from the board to the host."""
        to, sender, kind, packet = packet_of(frame)
        if (to, sender) != (_MAC, self.board_mac):
            raise FrameError(f"a frame goes from {sender:012x} to {to:012x}")
        if kind == ARP:
            arp = arp_of(packet)
            if arp != ARPPacket(2, self.board_mac, self._board, _MAC, self.address):
                raise FrameError(f"a packet of ARP says {arp}")
            return arp
        if kind != IPV4:
            raise FrameError(f"a frame of the board is of the kind {kind:04x}")
        datagram = datagram_of(packet)
        if datagram[:4] != (self._board, self._port, self.address, _PORT):
            raise FrameError(f"a datagram goes from {datagram[:2]} to {datagram[2:4]}")
        return datagram


class EthernetPort:
    """A board's UDP port as a :class:`trine_sw.driver.transports.Transport`, as
    :class:`trine_sw.driver.udp.UDPTransport` is one of a network.

    Bytes that are written but are no COBS code of anything are sent as they are: no frame either.

    Members
    -------
    host : what talks to the board
    errors : frames of the board that it could not understand
    """

    def __init__(self, host: EthernetHost, wire: EthernetWire) -> None:
        self.host = host
        self.errors = 0
        self._wire = wire
        self._found = False
        self._payloads: deque[bytes] = deque()

    def find(self) -> None:
        """Ask for the board's MAC address. Raises :exc:`TrineError` where it does not answer."""
        self._wire.send(on_wire(self.host.question()))
        end = self.clock() + _ARP_SECONDS
        while not self._found and self.clock() < end:
            self.pause(end - self.clock())
        if not self._found:
            raise TrineError(f"the board does not answer ARP as {self.host.board_mac:012x}")

    def pause(self, seconds: float) -> None:
        """Let so many seconds pass, or less where the board sends a frame, which is taken."""
        frame = self._wire.receive(seconds)
        if frame is None:
            return
        try:
            said = self.host.understood(frame)
        except FrameError:
            self.errors += 1
            return
        if isinstance(said, Datagram):
            self._payloads.append(said.payload)
        else:
            self._found = True

    def write(self, data: bytes) -> None:
        for part in data.split(b"\0"):
            if part:
                self._wire.send(on_wire(self.host.frame(_decoded(part) or part)))

    def read(self, timeout: float) -> bytes:
        end = self.clock() + timeout
        while not self._payloads and self.clock() < end:
            self.pause(end - self.clock())
        return cobs.encode(self._payloads.popleft()) + b"\0" if self._payloads else b""

    def fileno(self) -> int | None:
        return None

    def clock(self) -> float:
        """Seconds of the wire."""
        return self._wire.clock()

    def close(self) -> None:
        self._wire.close()


def _decoded(part: bytes) -> bytes:
    try:
        return cobs.decode(part)
    except cobs.DecodeError:
        return b""
