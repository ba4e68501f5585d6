"""A USB host of high speed behind a ULPI PHY: chirps, packets, the PHY's registers."""

from __future__ import annotations

import random
from typing import NamedTuple, Protocol

from trine_boards.pins.usb_host import ACK, DATA, NAK, NYET, STALL, USBHost, crc16
from trine_sw.support.errors import TrineError

__all__ = ["CYCLE_SECONDS", "ULPIBus", "ULPITimes", "ULPIWire", "high_speed_host"]

CYCLE_SECONDS = 1 / 60e6
_SE0, _J, _K = 0b00, 0b01, 0b10
#: Of what a PHY reports: the bus is supplied; a packet comes.
_VBUS, _ACTIVE = 0b11 << 2, 1 << 4
_TRANSMIT, _WRITE = 0b01, 0b10
_FUNCTION_CONTROL, _INTERFACE_CONTROL, _OTG_CONTROL = 0x04, 0x07, 0x0A
#: Of function control: transceiver, termination and mode of the line, and their values at high speed, at full
#: speed with the pull-up, while the device chirps; a reset of the PHY, and its value when it starts.
_SPEED_BITS, _HIGH_SPEED, _FULL_SPEED, _CHIRP = 0b11111, 0b00000, 0b00101, 0b10100
_MODE_BITS, _PHY_RESET, _AT_START = 0b11000, 1 << 5, 0b01000001
#: Cycles until a device's answer must have begun; between packets; that a step takes at most.
_RESPONSE, _GAP, _MOST = 100, 4, 0xFFFF
_MICROFRAME = 125e-6
_PACKET_BYTES = 512
_HANDSHAKES = (ACK, NAK, STALL, NYET)


class ULPIBus(Protocol):
    """A board's ULPI bus, of which the PHY's side is driven.

    Members
    -------
    cycle_seconds : of the PHY's clock
    errors : cycles in which the board drove the bus while that was not its, and others that break its rules
    """

    cycle_seconds: float
    errors: int

    def step(self, dir: int, nxt: int, data: int, most: int = 1) -> tuple[int, int, int]:
        """Let up to `most` cycles pass with these levels, fewer where the board's data or its stp change: how
        many, and the board's data and stp at the end of the last."""
        ...


class ULPITimes(NamedTuple):
    """Seconds of what is long on a USB of high speed (USB 2.0, 7.1.7.5), and of what the host does.

    Members
    -------
    start : within which a board that has left its reset shows its pull-up
    chirp_end : within which a device that was reset has chirped
    least_chirp : of a device, at least
    host_chirp : of each K and J by which the host answers
    """

    start: float = 10e-3
    chirp_end: float = 7e-3
    least_chirp: float = 1e-3
    host_chirp: float = 50e-6


_TIMES = ULPITimes()


class ULPIWire:
    """A :class:`trine_boards.pins.usb_host.USBWire` behind a PHY.

    Parameters
    ----------
    bus : the PHY's
    times : of the device and of the host
    answers : whether the host answers the device's chirp, as one of high speed does
    supplied : whether the host is plugged in while the board starts, or once that shows its pull-up
    seed : of the cycles in which the PHY has a stuffed bit, and no byte

    Members
    -------
    registers : of the PHY, as the board has written them
    chirps : cycles of the device's chirps
    """

    def __init__(
        self,
        bus: ULPIBus,
        *,
        times: ULPITimes = _TIMES,
        answers: bool = True,
        supplied: bool = False,
        seed: int = 1,
    ) -> None:
        self.bus, self.answers, self.supplied = bus, answers, supplied
        self.registers = {_FUNCTION_CONTROL: _AT_START, _INTERFACE_CONTROL: 0, _OTG_CONTROL: 0b110}
        self.chirps: list[int] = []
        self._times, self._random = times, random.Random(seed)
        self._line, self._cycles = _SE0, 0
        self._packets: list[bytes] = []
        self._broken = 0
        self._attached = self._asked = False

    @property
    def errors(self) -> int:
        """What the board did against the rules of the bus; once the host saw it, of ULPI and USB too."""
        return self._broken + self.bus.errors

    @property
    def high_speed(self) -> bool:
        """Whether the board has set its PHY to high speed."""
        return self._speed == _HIGH_SPEED

    @property
    def _speed(self) -> int:
        return self.registers[_FUNCTION_CONTROL] & _SPEED_BITS

    def clock(self) -> float:
        return self._cycles * self.bus.cycle_seconds

    def _in_cycles(self, seconds: float) -> int:
        return round(seconds / self.bus.cycle_seconds)

    def _rule(self, kept: object) -> None:
        """Count a rule that was not kept."""
        self._broken += self._attached and not kept

    def _step(self, dir: int, nxt: int, data: int = 0, most: int = 1) -> tuple[int, int, int]:
        cycles, found, stop = self.bus.step(dir, nxt, data, most)
        self._cycles += cycles
        return cycles, found, stop

    def rest(self, cycles: int) -> None:
        """Let cycles pass in which the bus is the board's."""
        end = self._cycles + cycles
        while self._cycles < end:
            self._wait(end)

    def _wait(self, end: int) -> None:
        """Wait until the cycle `end`, or until a command of the board has been obeyed."""
        _, data, stop = self._step(0, 0, 0, min(end - self._cycles, _MOST))
        self._rule(not stop)
        if data:
            self._obey(data)

    def _obey(self, command: int) -> None:
        """A command that the board has begun."""
        kind, number = command >> 6, command & 0x3F
        if kind == _WRITE and number in self.registers:
            self._write(number)
        elif kind == _TRANSMIT and not number:
            self._chirp()
        elif kind == _TRANSMIT and number < 16:
            self._packet(number)
        else:
            raise TrineError(f"the board gives its PHY the command {command:#04x}, which is not modelled")

    def _write(self, register: int) -> None:
        """The board writes a register: the PHY takes command and value, and then stp must come."""
        _, _, early = self._step(0, 1)
        _, value, soon = self._step(0, 1)
        if register == _FUNCTION_CONTROL and value & _PHY_RESET:
            raise TrineError("the board resets its PHY by a register, which is not modelled")
        self.registers[register] = value
        _, data, stop = self._step(0, 0)
        self._rule(stop and not (early or soon or data))

    def _packet(self, pid: int) -> None:
        """The board sends a packet, with a pause wherever the PHY stuffs a bit."""
        packet = bytearray((pid | (pid ^ 0x0F) << 4,))
        self._step(0, 1)
        data = stop = 0
        while len(packet) < _PACKET_BYTES + 4:
            nxt = self._random.random() > 0.05
            _, data, stop = self._step(0, int(nxt))
            if stop:
                break
            if nxt:
                packet.append(data)
        self._rule(stop and not data and _is_packet(packet))
        self._rule(self._asked and not self.registers[_FUNCTION_CONTROL] & _MODE_BITS)
        self._packets.append(bytes(packet))

    def _chirp(self) -> None:
        """The board holds the lines at K, up to a stp."""
        begin = self._cycles
        end = begin + self._in_cycles(self._times.chirp_end)
        stop = 0
        while not stop and self._cycles < end:
            _, _, stop = self._step(0, 1, 0, _MOST)
        if not stop:
            raise TrineError("the board does not end its chirp")
        self._rule(self._speed == _CHIRP)
        self.chirps.append(self._cycles - begin)

    def _report(self, line: int, supply: int = _VBUS) -> None:
        """Tell the board what the lines are."""
        self._line = line
        self._step(1, 0)
        self._step(1, 0, line | supply)
        self._step(0, 0)

    def send(self, packet: bytes) -> None:
        self._asked = False
        self.rest(_GAP)
        self._rule(not self._packets)
        self._packets.clear()
        self._step(1, 1)
        told = _J | _VBUS | _ACTIVE
        self._step(1, 0, told)
        for byte in packet:
            while self._random.random() < 0.05:
                self._step(1, 0, told)
            self._step(1, 1, byte)
        self._step(1, 0, self._line | _VBUS)
        self._step(0, 0)
        self._asked = True

    def receive(self) -> bytes | None:
        end = self._cycles + _RESPONSE
        while not self._packets and self._cycles < end:
            self._wait(end)
        return self._packets.pop(0) if self._packets else None

    def pause(self) -> None:
        self.rest(_RESPONSE)

    def begin(self, seconds: float) -> None:
        """Let the board start, and see its pull-up.

        Raises
        ------
        TrineError
            Where it shows none.
        """
        self.rest(self._in_cycles(seconds))
        self._report(_SE0, _VBUS if self.supplied else 0)
        end = self._cycles + self._in_cycles(self._times.start)
        while self._speed != _FULL_SPEED and self._cycles < end:
            self._wait(end)
        if self._speed != _FULL_SPEED:
            raise TrineError("the board shows no USB device: it has not switched its PHY's pull-up on")
        self._report(_J)
        self.rest(self._in_cycles(self._times.host_chirp))
        self._attached = True

    def reset(self) -> None:
        """A reset, with the chirps by which host and device agree on high speed.

        Raises
        ------
        TrineError
            Where the board does not chirp, or too shortly, or is not of high speed afterwards.
        """
        self._report(_SE0)
        self._asked = False
        self._packets.clear()
        end, before = self._cycles + self._in_cycles(self._times.chirp_end), len(self.chirps)
        length = self._in_cycles(self._times.host_chirp)
        while len(self.chirps) == before and self._cycles < end:
            self.rest(length)
        if len(self.chirps) == before:
            raise TrineError("the board does not chirp: it is no device of high speed")
        self._rule(self.chirps[-1] >= self._in_cycles(self._times.least_chirp))
        if not self.answers:
            self.rest(self._in_cycles(self._times.chirp_end))
            self._report(_J)
            self.rest(length)
            return
        for _ in range(3):
            for line in (_K, _J):
                self._report(line)
                self.rest(length)
        self._report(_SE0)
        self.rest(length)
        if not self.high_speed:
            raise TrineError("the board has not come to high speed")


def _is_packet(packet: bytes) -> bool:
    """Whether it is one that a device sends: a handshake, or data with its checksum."""
    if packet[0] not in DATA:
        return packet[0] in _HANDSHAKES and len(packet) == 1
    data, crc = packet[1:-2], packet[-2:]
    return len(data) <= _PACKET_BYTES and crc == crc16(data).to_bytes(2, "little")


def high_speed_host(wire: ULPIWire, *, faults: float = 0, seed: int = 1) -> USBHost:
    """A host of high speed over `wire`."""
    return USBHost(wire, packet_bytes=_PACKET_BYTES, frame_seconds=_MICROFRAME, faults=faults, seed=seed)
