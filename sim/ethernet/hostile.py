"""What comes over a network that a board does not ask for: damaged, misformed, or for others."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator

from sim.ethernet.board import BOARD, BOARD_MAC, PORT
from trine_boards.pins.ethernet_frames import ARP, BROADCAST, IPV4, checksum

__all__ = ["Hostile"]

STRANGER_MAC = 0x0200_0000_0099
UDP, ICMP, TCP = 17, 1, 6
VLAN = 0x8100


class Hostile:
    """Bytes as they are on the wire, some of them frames: iterate over it for ever.

    None is of a host whose address ends in 1 or 3, which are those of the tests.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def some(self, usual: int, most: int) -> int:
        """What is right, mostly, or anything."""
        return usual if self.rng.random() < 0.7 else self.rng.randrange(most + 1)

    def noise(self, most: int) -> bytes:
        return self.rng.randbytes(self.rng.randrange(most + 1))

    def stranger(self) -> int:
        """Another host than the one whose frames are answered."""
        return 0x0A4D_0000 | self.rng.choice((9, 77, 200, 255, 0))

    def datagram(self) -> bytes:
        """With a length that may be wrong, for any port."""
        body = self.noise(self.rng.choice((2, 60, 1400)))
        ports = self.some(4000, 0xFFFF), self.some(PORT, 0xFFFF)
        return struct.pack(">HHHH", *ports, self.some(8 + len(body), 0xFFFF), self.some(0, 0xFFFF)) + body

    def echo(self) -> bytes:
        body = struct.pack(">HH", 1, 1) + self.noise(self.rng.choice((0, 60, 900)))
        head = b"\x08\0\0\0" + body
        return head[:2] + checksum(head).to_bytes(2, "big") + body

    def packet(self) -> bytes:
        """Of IPv4, with options, as a fragment, of other lengths than it says, or all in order."""
        protocol = self.rng.choice((UDP, UDP, ICMP, TCP, self.rng.randrange(256)))
        body = self.echo() if protocol == ICMP else self.datagram()
        total = self.some(20 + len(body), 0xFFFF)
        head = struct.pack(
            ">BBHHHBBHII",
            self.some(0x45, 0xFF),
            self.some(0, 0xFF),
            total,
            self.some(0, 0xFFFF),
            self.some(0x4000, 0xFFFF),
            self.some(64, 0xFF),
            protocol,
            0,
            self.stranger(),
            self.some(BOARD, 0xFFFF_FFFF),
        )
        right = checksum(head)
        return head[:10] + self.some(right, 0xFFFF).to_bytes(2, "big") + head[12:] + body

    def arp(self) -> bytes:
        kind = self.some(1, 0xFFFF), self.some(IPV4, 0xFFFF), self.some(6, 255), self.some(4, 255)
        ends = STRANGER_MAC.to_bytes(6, "big"), self.stranger(), bytes(6), self.some(BOARD, 0xFFFF_FFFF)
        packet = struct.pack(">HHBBH6sI6sI", *kind, self.some(1, 5), *ends)
        return packet[: self.some(len(packet), len(packet))] + self.noise(40)

    def frame(self) -> bytes:
        """Of any kind and length, without preamble and FCS."""
        to = self.rng.choice((BOARD_MAC, BOARD_MAC, BROADCAST, 0x0100_5E00_0001, self.rng.getrandbits(48)))
        kind, packet = self.rng.choice(
            ((IPV4, self.packet()), (IPV4, self.packet()), (ARP, self.arp()), (VLAN, self.packet()))
        )
        if self.rng.random() < 0.1:
            kind, packet = self.rng.randrange(0x10000), self.noise(3000)
        addresses = to.to_bytes(6, "big") + STRANGER_MAC.to_bytes(6, "big")
        whole = addresses + kind.to_bytes(2, "big") + packet
        return whole if self.rng.random() < 0.2 else whole.ljust(60, b"\0")

    def seen(self) -> bytes:
        """As the board's pins see it."""
        rng = self.rng
        if rng.random() < 0.1:
            return bytes(rng.choice((0x55, 0xD5, rng.randrange(256))) for _ in range(rng.randrange(1, 90)))
        frame = self.frame()
        fcs = zlib.crc32(frame) ^ self.some(0, 0xFFFF_FFFF)
        whole = self.some(7, 20) * b"\x55" + b"\xd5" + frame + fcs.to_bytes(4, "little")
        return whole if rng.random() < 0.8 else whole[: rng.randrange(1, len(whole))]

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield self.seen()
