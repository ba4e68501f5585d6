"""A USB host at the lines D+ and D- of a board of full speed: NRZI, stuffed bits, the end of a packet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trine_boards.pins.process import PinProcess
from trine_boards.pins.usb_host import USBHost, USBPort
from trine_sw.support.errors import TrineError

__all__ = ["USBLines", "USBLinesHost", "USBPins", "line_bytes", "line_symbols"]

#: Levels of the lines: D+ in bit 0, D- in bit 1.
_SE0, _J, _K = 0b00, 0b01, 0b10
_ONES = 6  # after which a 0 is stuffed
_SYNC = 0x80
_BIT_HZ, _SAMPLES = 12e6, 8
#: Bit times: of a reset, at least what the device takes for one; after it; between packets; until an answer.
_RESET, _RECOVERY, _GAP, _RESPONSE = 480, 60, 2, 16
#: Samples by which a level may be too long or too short: a quarter of a bit.
_SKEW = 2


def line_symbols(packet: bytes) -> bytes:
    """The level of the lines in each bit time of a packet.

    >>> line_symbols(b"\\xd2").hex()
    '02010201020102020101020101020202000001'
    """
    levels, level, ones = bytearray(), _J, 0
    for byte in (_SYNC, *packet):
        for k in range(8):
            if byte >> k & 1:
                ones += 1
            else:
                level, ones = level ^ 3, 0
            levels.append(level)
            if ones == _ONES:
                level, ones = level ^ 3, 0
                levels.append(level)
    return bytes(levels) + bytes((_SE0, _SE0, _J))


def line_bytes(levels: Iterable[int]) -> bytes | None:
    """The packet whose levels were seen in its bit times, from the first after rest to its end; None where
    they are no packet's."""
    bits: list[int] = []
    before, ones, seen = _J, 0, list(levels)
    if seen[-2:] != [_SE0, _SE0]:
        return None
    for level in seen[:-2]:
        if level not in (_J, _K):
            return None
        bit, before = int(level == before), level
        if ones == _ONES:
            if bit:
                return None
            ones = 0
            continue
        ones = ones + 1 if bit else 0
        bits.append(bit)
    if ones == _ONES or len(bits) % 8 or len(bits) < 16:
        return None
    data = bytes(sum(bit << k for k, bit in enumerate(bits[at : at + 8])) for at in range(0, len(bits), 8))
    return data[1:] if data[0] == _SYNC else None


def _without_crossings(runs: Iterable[tuple[int, ...]]) -> list[tuple[int, int]]:
    """Runs of equal levels and their samples, without those of one sample in which both lines are alike.

    The lines of a full-speed device need not change at one instant. A receiver takes them for low both only
    after 14 ns, more than a sample (USB 2.0, 7.1.14.2).
    """
    found: list[tuple[int, int]] = []
    crossing = 0
    for level, length in runs:
        if length == 1 and level not in (_J, _K):
            crossing += 1
        elif found and level == found[-1][0]:
            found[-1] = (level, found[-1][1] + crossing + length)
            crossing = 0
        else:
            found.append((level, crossing + length))
            crossing = 0
    return found


@dataclass(frozen=True)
class USBLinesHost:
    """A :class:`trine_boards.pins.host.PinHost` of USB at full speed.

    Parameters
    ----------
    d_p, d_n, pull_up : names of the board's ports
    bit_seconds : see :class:`trine_boards.pins.host.PinTransport`
    off : by which the host's bits are too short, a fraction
    inverted : the lines are exchanged
    """

    d_p: str
    d_n: str
    pull_up: str
    bit_seconds: float = 1 / _BIT_HZ
    off: float = 5e-4
    inverted: bool = False

    @property
    def verilog(self) -> Path:
        """The host's module."""
        return Path(__file__).with_name("usb_lines.v")

    @property
    def ports(self) -> dict[str, str]:
        """The lines, and the pull-up."""
        return {name: getattr(self, name) for name in ("d_p", "d_n", "pull_up")}

    @property
    def _line_seconds(self) -> float:
        return (1 - self.off) / _BIT_HZ

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
        return [f"+bit_ns={1e9 * self._line_seconds:.6f}", f"+inverted={int(self.inverted)}"]

    def attach(self, process: PinProcess) -> USBPins:
        """The serial port of the device."""
        return USBPins(USBLines(process, self._line_seconds), self.bit_seconds)


class USBLines:
    """A :class:`trine_boards.pins.usb_host.USBWire` of simulated pins.

    Members
    -------
    errors : packets of the device that were none
    """

    def __init__(self, process: PinProcess, bit_seconds: float) -> None:
        self.errors = 0
        self._process, self._bit_seconds = process, bit_seconds
        self._bits = 0.0

    def send(self, packet: bytes) -> None:
        self.rest(_GAP)
        self._drive(line_symbols(packet))

    def _drive(self, levels: bytes) -> None:
        self._bits += len(levels)
        self._process.ask(b"\1" + len(levels).to_bytes(2, "big") + levels)

    def receive(self) -> bytes | None:
        *seen, samples = self._process.ask(b"\2" + _RESPONSE.to_bytes(2, "big")).split()
        self._bits += int(samples) / _SAMPLES
        if not seen:
            return None
        levels: list[int] = []
        for level, length in _without_crossings(tuple(map(int, run.split(b":"))) for run in seen):
            count = max(round(length / _SAMPLES), 1)
            if abs(length - _SAMPLES * count) > _SKEW:
                self.errors += 1
                return None
            levels += count * [level]
        packet = line_bytes(levels)
        self.errors += packet is None
        return packet

    def rest(self, bits: int) -> bool:
        """Let bit times pass; whether the device has a pull-up then."""
        self._bits += bits
        return self._process.ask(b"\0" + bits.to_bytes(2, "big")) == b"1"

    def pause(self) -> None:
        self.rest(_RESPONSE)

    def reset(self) -> None:
        self._drive(bytes(_RESET))
        self.rest(_RECOVERY)

    def clock(self) -> float:
        return self._bits * self._bit_seconds

    def close(self) -> None:
        """End the simulator; may be repeated."""
        self._process.close()


class USBPins(USBPort):
    """A :class:`trine_boards.pins.host.PinTransport` over USB."""

    def __init__(self, lines: USBLines, bit_seconds: float) -> None:
        super().__init__(USBHost(lines))
        self.bit_seconds = bit_seconds
        self._lines = lines

    @property
    def line_errors(self) -> int:
        """Packets of the device that were none."""
        return self._lines.errors

    def begin(self, seconds: float) -> None:
        """The host sees the device, resets it, and gives it its address and its configuration."""
        there = self._lines.rest(round(seconds * _BIT_HZ))
        if not there:
            raise TrineError("the board shows no USB device: its pull-up is off")
        self.host.enumerate()

    def close(self) -> None:
        """End the simulator; may be repeated."""
        self._lines.close()
