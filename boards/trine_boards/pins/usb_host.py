"""A USB host's transactions with a serial port (CDC-ACM), over any wire that carries packets."""

from __future__ import annotations

import random
from typing import Protocol

from trine_sw.support.errors import TrineError

__all__ = ["ACK", "DATA", "NAK", "NYET", "STALL", "USBHost", "USBPort", "USBWire", "crc5", "crc16"]

OUT, IN, SOF, SETUP, PING = 0xE1, 0x69, 0xA5, 0x2D, 0xB4
DATA = (0xC3, 0x4B)
ACK, NAK, STALL, NYET = 0xD2, 0x5A, 0x1E, 0x96
_CONTROL_BYTES = 64
_DATA_ENDPOINT = 4
#: Times that a packet is sent before the device is taken for one that does not answer, as a host's controller
#: and its driver do; times that a packet is sent while the device has no room.
_TRIES, _PATIENCE = 40, 5000
_FRAMES = 1 << 11


def crc5(value: int) -> int:
    """Of a token's 11 bits."""
    crc = 0x1F
    for k in range(11):
        bit = value >> k & 1
        crc = (crc >> 1) ^ (0x14 if (crc & 1) ^ bit else 0)
    return crc ^ 0x1F


def crc16(data: bytes) -> int:
    """Of a packet's data."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
    return crc ^ 0xFFFF


class USBWire(Protocol):
    """What brings packets to a device and back: their bytes from the PID to the checksum."""

    def send(self, packet: bytes) -> None:
        """Send a packet."""
        ...

    def receive(self) -> bytes | None:
        """The packet that begins within the time that a device has for its response; None where none does."""
        ...

    def pause(self) -> None:
        """Let the time of a few bits pass."""
        ...

    def reset(self) -> None:
        """A reset of the bus, with what it takes to agree on the speed."""
        ...

    def clock(self) -> float:
        """Seconds of the simulation."""
        ...


class USBHost:
    """Transactions with a device; each returns once the simulation has made it.

    Parameters
    ----------
    wire : to the device
    packet_bytes : of the serial port's packets, at most; above 64 the bus is of high speed, whose host asks
        for room before it sends again what was refused
    frame_seconds : between the packets by which a host says that the bus is in use
    faults : part of the packets that are lost or damaged on the way, in either direction

    Members
    -------
    address : of the device, 0 before it has one
    toggles : of the next packet, by endpoint and direction
    injected, naks, repeats : faults; packets that were refused; packets that came twice
    lose : so many of the next handshakes are lost, in either direction
    """

    def __init__(
        self,
        wire: USBWire,
        *,
        packet_bytes: int = 64,
        frame_seconds: float = 1e-3,
        faults: float = 0,
        seed: int = 1,
    ) -> None:
        self.wire, self.packet_bytes, self.faults = wire, packet_bytes, faults
        self.injected = self.naks = self.repeats = self.lose = 0
        self.address = 0
        self.toggles: dict[tuple[int, int], int] = {}
        self._random = random.Random(seed)
        self._frame_seconds, self._frame, self._next_frame = frame_seconds, 0, 0.0

    def clock(self) -> float:
        """Seconds of the simulation."""
        return self.wire.clock()

    def _damaged(self, packet: bytes) -> bytes | None:
        """The packet, or what is left of it on a bad wire; None where it is lost."""
        if self._random.random() >= self.faults:
            return packet
        self.injected += 1
        if len(packet) < 4 or self._random.random() < 0.5:
            return None
        at = self._random.randrange(1, len(packet))
        return packet[:at] + bytes((packet[at] ^ 1 << self._random.randrange(8),)) + packet[at + 1 :]

    def _send(self, packet: bytes) -> None:
        sent = self._damaged(packet)
        if sent is None:
            self.wire.pause()
        else:
            self.wire.send(sent)

    def _receive(self) -> bytes | None:
        packet = self.wire.receive()
        return packet and self._damaged(packet)

    def _token(self, pid: int, endpoint: int) -> None:
        self._keep_alive()
        self._send(_token(pid, self.address | endpoint << 7))

    def _keep_alive(self) -> None:
        """The packet that begins a frame, where one is due."""
        if self.clock() >= self._next_frame:
            self.wire.send(_token(SOF, self._frame))
            self._frame = (self._frame + 1) % _FRAMES
            self._next_frame = self.clock() + self._frame_seconds

    def _out(self, pid: int, endpoint: int, data: bytes) -> int | None:
        """The handshake of a transaction to the device."""
        toggle = self.toggles.get((endpoint, OUT), 0)
        self._token(pid, endpoint)
        self._send(bytes((DATA[toggle],)) + data + crc16(data).to_bytes(2, "little"))
        answer = self._receive()
        if self.lose and answer is not None:
            self.lose -= 1
            return None
        if answer == bytes((ACK,)):
            self.toggles[endpoint, OUT] = toggle ^ 1
        return None if answer is None else answer[0]

    def _in(self, endpoint: int) -> bytes | int | None:
        """Data from the device, or its handshake; None where nothing came, or nothing new."""
        self._token(IN, endpoint)
        packet = self._receive()
        if packet is None or len(packet) == 1:
            return packet and packet[0]
        toggle = self.toggles.get((endpoint, IN), 0)
        data, crc = packet[1:-2], packet[-2:]
        if packet[0] not in DATA or crc != crc16(data).to_bytes(2, "little"):
            return None
        if self.lose:
            self.lose -= 1
        else:
            self._send(bytes((ACK,)))
        if packet[0] != DATA[toggle]:
            self.repeats += 1
            return None
        self.toggles[endpoint, IN] = toggle ^ 1
        return data

    def control(
        self, kind: int, request: int, value: int = 0, index: int = 0, length: int = 0
    ) -> bytes | int:
        """A request to the device: the data of its answer, empty for one without; or STALL.

        Raises
        ------
        TrineError
            Where the device does not answer.
        """
        words = b"".join(number.to_bytes(2, "little") for number in (value, index, length))
        setup = bytes((kind, request)) + words
        for _ in range(_TRIES):
            self.toggles[0, OUT] = 0
            if self._out(SETUP, 0, setup) == ACK:
                break
        else:
            raise TrineError("the USB device does not answer")
        self.toggles[0, IN] = self.toggles[0, OUT] = 1
        data, silent = b"", 0
        while length and len(data) < length:
            part = self._in(0)
            if part == STALL:
                return STALL
            silent = silent + 1 if part is None else 0
            if silent > _TRIES:
                raise TrineError("the USB device does not answer a request")
            if isinstance(part, bytes):
                data += part
                if len(part) < _CONTROL_BYTES:
                    break
        for _ in range(_TRIES):
            if length:
                self.toggles[0, OUT] = 1
                if self._out(OUT, 0, b"") == ACK:
                    break
            else:
                answer = self._in(0)
                if answer == STALL:
                    return STALL
                if answer == b"":
                    break
        return data

    def plug(self) -> None:
        """A reset of the bus: the device has address 0 and no configuration."""
        self.address = 0
        self.toggles.clear()
        self.wire.reset()

    def enumerate(self, address: int = 5) -> bytes:
        """Give the device its address and its configuration; its device descriptor.

        Raises
        ------
        TrineError
            Where it does not answer, or not as a USB device does.
        """
        self.plug()
        self.control(0x00, 5, address)
        self.address = address
        device = self.control(0x80, 6, 0x0100, 0, 18)
        if not isinstance(device, bytes) or len(device) != 18 or device[:2] != b"\x12\x01":
            raise TrineError("the USB device has no device descriptor")
        self.control(0x00, 9, 1)
        return device

    def out(self, data: bytes) -> int | None:
        """A packet to the serial port: the device's handshake."""
        answer = self._out(OUT, _DATA_ENDPOINT, data)
        self.naks += answer == NAK
        return answer

    def has_room(self) -> bool:
        """Whether the serial port would take a packet, of a device of high speed."""
        self._token(PING, _DATA_ENDPOINT)
        return self._receive() == bytes((ACK,))

    def fetch(self) -> bytes | None:
        """A packet from the serial port, None where none waits or it was damaged."""
        answer = self._in(_DATA_ENDPOINT)
        self.naks += answer == NAK
        return answer if isinstance(answer, bytes) else None


def _token(pid: int, value: int) -> bytes:
    value |= crc5(value) << 11
    return bytes((pid, value & 0xFF, value >> 8))


class USBPort:
    """The serial port of a simulated device: a :class:`trine_sw.driver.transports.Transport`.

    A packet is sent until it was acknowledged, as a host's controller does.
    """

    def __init__(self, host: USBHost) -> None:
        self.host = host

    def _there(self) -> None:
        if not self.host.address:
            raise OSError(19, "No such device")

    def write(self, data: bytes) -> None:
        self._there()
        size = self.host.packet_bytes
        for at in range(0, len(data), size):
            answer = None
            for _ in range(_PATIENCE):
                if size > 64 and answer == NAK and not self.host.has_room():
                    continue
                answer = self.host.out(data[at : at + size])
                if answer == ACK:
                    break
            else:
                raise OSError(5, "the device takes no more")

    def read(self, timeout: float) -> bytes:
        self._there()
        until = self.host.clock() + timeout
        while True:
            data = self.host.fetch()
            if data or self.host.clock() >= until:
                return data or b""

    def fileno(self) -> int | None:
        return None

    def clock(self) -> float:
        return self.host.clock()

    def close(self) -> None:
        pass
