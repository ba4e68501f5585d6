"""A USB host of high speed behind a ULPI PHY: chirps, packets, the PHY's registers."""

from __future__ import annotations

import random
from typing import Protocol

from trine_boards.pins.usb_host import USBHost
from trine_sw.support.errors import TrineError

__all__ = ["CYCLE_SECONDS", "ULPIBus", "ULPIWire", "high_speed_host"]

CYCLE_SECONDS = 1 / 60e6
_SE0, _J, _K = 0b00, 0b01, 0b10
#: Of what a PHY reports: the bus is supplied; a packet comes.
_VBUS, _ACTIVE = 0b11 << 2, 1 << 4
_TRANSMIT, _WRITE = 0b01, 0b10
_FUNCTION_CONTROL = 0x04
#: Of function control: transceiver, termination and mode of the line, and their values at high speed.
_SPEED_BITS, _HIGH_SPEED = 0b11111, 0b00000
#: Cycles until a device's answer must have begun; between packets; that a step takes at most.
_RESPONSE, _GAP, _MOST = 100, 4, 0xFFFF
_MICROFRAME = 125e-6
_PACKET_BYTES = 512


class ULPIBus(Protocol):
    """A board's ULPI bus, of which the PHY's side is driven."""

    def step(self, dir: int, nxt: int, data: int, most: int = 1) -> tuple[int, int, int]:
        """Let up to `most` cycles pass with these levels, fewer where the board's data or its stp change: how
        many, and the board's data and stp at the end of the last."""
        ...


class ULPIWire:
    """A :class:`trine_boards.pins.usb_host.USBWire` behind a PHY.

    Parameters
    ----------
    bus : the PHY's
    chirp : seconds within which a device that was reset has chirped; and of each chirp of the host
    answers : whether the host answers the device's chirp, as one of high speed does
    seed : of the cycles in which the PHY has a stuffed bit, and no byte

    Members
    -------
    registers : of the PHY, as the board has written them
    chirps : cycles of the device's chirps
    """

    def __init__(
        self, bus: ULPIBus, *, chirp: tuple[float, float] = (7e-3, 50e-6), answers: bool = True, seed: int = 1
    ) -> None:
        self.bus, self.answers, self.registers = bus, answers, {_FUNCTION_CONTROL: 0b01000001}
        self.chirps: list[int] = []
        self._chirp, self._random = chirp, random.Random(seed)
        self._line, self._packets, self._cycles = _SE0, [], 0
        self._plugged = False

    @property
    def high_speed(self) -> bool:
        """Whether the board has set its PHY to high speed."""
        return self.registers[_FUNCTION_CONTROL] & _SPEED_BITS == _HIGH_SPEED

    def clock(self) -> float:
        return self._cycles * CYCLE_SECONDS

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
        _, data, _ = self._step(0, 0, 0, min(end - self._cycles, _MOST))
        if data:
            self._obey(data)

    def _obey(self, command: int) -> None:
        """A command that the board has begun."""
        kind = command >> 6
        if kind == _WRITE:
            self._step(0, 1)
            _, value, _ = self._step(0, 1)
            self.registers[command & 0x3F] = value
            while not self._step(0, 0)[2]:
                pass
        elif kind == _TRANSMIT and command & 0x0F:
            pid = command & 0x0F
            packet = bytearray((pid | (pid ^ 0x0F) << 4,))
            self._step(0, 1)
            while True:
                nxt = self._random.random() > 0.05
                _, data, stop = self._step(0, int(nxt))
                if stop:
                    break
                if nxt:
                    packet.append(data)
            self._packets.append(bytes(packet))
        elif kind == _TRANSMIT:
            begin = self._cycles
            self._step(0, 1)
            while not self._step(0, 1, 0, _MOST)[2]:
                pass
            self.chirps.append(self._cycles - begin)
        else:
            raise TrineError(f"the board gives its PHY the command {command:#04x}, which is not modelled")

    def _report(self, line: int) -> None:
        """Tell the board what the lines are."""
        self._line = line
        self._step(1, 0)
        self._step(1, 0, line | _VBUS)
        self._step(0, 0)

    def send(self, packet: bytes) -> None:
        self.rest(_GAP)
        self._step(1, 1)
        told = _J | _VBUS | _ACTIVE
        self._step(1, 0, told)
        for byte in packet:
            while self._random.random() < 0.05:
                self._step(1, 0, told)
            self._step(1, 1, byte)
        self._step(1, 0, self._line | _VBUS)
        self._step(0, 0)

    def receive(self) -> bytes | None:
        end = self._cycles + _RESPONSE
        while not self._packets and self._cycles < end:
            self._wait(end)
        return self._packets.pop(0) if self._packets else None

    def pause(self) -> None:
        self.rest(_RESPONSE)

    def begin(self, seconds: float) -> None:
        """Let the board start, whose lines are those of a device that is plugged in."""
        self._report(_J)
        self.rest(round(seconds / CYCLE_SECONDS))

    def reset(self) -> None:
        """A reset, with the chirps by which host and device agree on high speed.

        Raises
        ------
        TrineError
            Where the board does not chirp, or is not of high speed afterwards.
        """
        self._report(_SE0)
        limit, length = (round(seconds / CYCLE_SECONDS) for seconds in self._chirp)
        end, before = self._cycles + limit, len(self.chirps)
        while len(self.chirps) == before and self._cycles < end:
            self.rest(length)
        if len(self.chirps) == before:
            raise TrineError("the board does not chirp: it is no device of high speed")
        if not self.answers:
            self.rest(limit)
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


def high_speed_host(wire: ULPIWire, *, faults: float = 0, seed: int = 1) -> USBHost:
    """A host of high speed over `wire`."""
    return USBHost(wire, packet_bytes=_PACKET_BYTES, frame_seconds=_MICROFRAME, faults=faults, seed=seed)
