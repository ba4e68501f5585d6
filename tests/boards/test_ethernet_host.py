"""The host at the other end of an Ethernet wire, and the frames that it makes and takes."""

import random
import struct

import pytest
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
    checksum,
    datagram_of,
    datagram_packet,
    ethernet_frame,
    on_wire,
    packet_of,
    wire_bytes,
)
from trine_boards.pins.ethernet_host import EthernetHost, EthernetPort
from trine_boards.pins.rgmii import RGMIIWire
from trine_sw.support.errors import TrineError

MAC, ADDRESS, PORT = 0x0254_C0A8_0132, 0xC0A8_0132, 7700


class Board:
    """A board that answers ARP and sends each datagram back: a wire of the host's. `altered` makes other
    frames of its datagrams."""

    def __init__(self, altered=lambda frame: frame) -> None:
        self.altered = altered
        self.now, self.waiting, self.host_mac = 0.0, [], None

    def send(self, seen: bytes) -> None:
        self.now += 1e-6
        to, sender, kind, packet = packet_of(wire_bytes(seen))
        if kind == ARP:
            arp = arp_of(packet)
            assert (to, arp.operation, arp.target) == (BROADCAST, 1, ADDRESS)
            self.host_mac = arp.sender_mac
            packet = arp_packet(ARPPacket(2, MAC, ADDRESS, arp.sender_mac, arp.sender))
            self.waiting.append(ethernet_frame(arp.sender_mac, MAC, ARP, packet))
            return
        datagram = datagram_of(packet)
        assert (to, sender, datagram.target, datagram.to_port) == (MAC, self.host_mac, ADDRESS, PORT)
        back = Datagram(ADDRESS, PORT, datagram.sender, datagram.from_port, datagram.payload)
        frame = ethernet_frame(self.host_mac, MAC, IPV4, datagram_packet(back))
        self.waiting.append(self.altered(frame))

    def receive(self, seconds: float) -> bytes | None:
        self.now += 1e-6 if self.waiting else seconds
        return self.waiting.pop(0) if self.waiting else None

    def clock(self) -> float:
        return self.now

    def close(self) -> None:
        pass


def test_a_frame_on_the_wire():
    """One of a book: 60 bytes, FCS with the lowest byte first; any wrong bit is seen."""
    rng = random.Random(1)
    frame = rng.randbytes(80)
    seen = on_wire(frame)
    assert seen[:8].hex() == "55555555555555d5" and wire_bytes(seen) == frame
    for _ in range(500):
        at, bit = rng.randrange(len(seen)), rng.randrange(8)
        with pytest.raises(FrameError):
            wire_bytes(seen[:at] + bytes((seen[at] ^ 1 << bit,)) + seen[at + 1 :])
    for wrong in (
        seen[1:],
        b"\x55" + seen,
        seen[:-1],
        on_wire(bytes(59)),
        on_wire(bytes(1515)),
        b"",
        seen[:8],
    ):
        with pytest.raises(FrameError):
            wire_bytes(wrong)
    assert wire_bytes(on_wire(bytes(1514))) == bytes(1514)


@pytest.mark.parametrize("size", [0, 1, 2, 17, 18, 19, 1024])
def test_a_datagram_and_its_checksums(size):
    """There and back; a wrong bit anywhere is seen, but in the fields that say nothing here, and without a
    checksum in the payload too."""
    rng = random.Random(size)
    datagram = Datagram(0xC0A80133, 12345, ADDRESS, PORT, rng.randbytes(size))
    packet = datagram_packet(datagram)
    assert datagram_of(packet) == datagram and datagram_of(packet + bytes(18)) == datagram
    assert checksum(packet[:20]) == 0 and struct.unpack_from(">H", packet, 2) == (len(packet),)
    for at in range(len(packet)):
        wrong = packet[:at] + bytes((packet[at] ^ 1 << rng.randrange(8),)) + packet[at + 1 :]
        with pytest.raises(FrameError):
            datagram_of(wrong)
    unchecked = packet[:26] + b"\0\0" + packet[28:]
    assert datagram_of(unchecked) == datagram
    if size:
        assert datagram_of(unchecked[:-1] + b"\xaa") is not None


def test_a_packet_that_is_cut_short():
    packet = datagram_packet(Datagram(1, 2, 3, 4, b"abc"))
    for size in range(len(packet)):
        with pytest.raises(FrameError):
            datagram_of(packet[:size])
    with pytest.raises(FrameError):
        arp_of(bytes(10))


@pytest.mark.parametrize("address", [ADDRESS, 0x0A000001, 0x0A0000FE, 0x0A000002])
def test_the_host_has_another_address_of_the_network(address):
    host = EthernetHost(MAC, address, PORT)
    assert host.address != address and host.address >> 8 == address >> 8
    assert host.address & 0xFF not in (0, 255)


def test_the_board_is_found_and_answered():
    """Frames come back as frames; what is no COBS is a datagram as it is."""
    port = EthernetPort(EthernetHost(MAC, ADDRESS, PORT), Board())
    port.find()
    frames = [cobs.encode(bytes(payload)) + b"\0" for payload in (b"a", b"\0\0", range(256), bytes(900))]
    port.write(b"\0\0" + b"".join(frames))
    assert [port.read(1e-3) for _ in frames] == frames and port.read(1e-3) == b""
    assert port.errors == 0
    for part in (b"\xff\x01", b"\1"):
        port.write(part + b"\0")
        assert port.read(1e-3) == cobs.encode(part) + b"\0"


def test_a_board_that_does_not_answer():
    port = EthernetPort(EthernetHost(MAC ^ 1, ADDRESS, PORT), Board())
    with pytest.raises(TrineError, match="does not answer ARP as 0254c0a80133"):
        port.find()


@pytest.mark.parametrize("at", [0, 6, 12, 14, 22, 24, 26, 30, 34, 36, 38, 40, 42])
def test_frames_of_the_board_that_break_a_rule(at):
    """Addresses, kind, checksums, ports and lengths: each is counted, and nothing is received."""

    def altered(frame: bytes) -> bytes:
        return frame[:at] + bytes((frame[at] ^ 2,)) + frame[at + 1 :]

    port = EthernetPort(EthernetHost(MAC, ADDRESS, PORT), Board(altered=altered))
    port.find()
    port.write(b"\x06frame\0")
    assert port.read(1e-3) == b"" and port.errors == 1


class Lines:
    """In a simulation's place: these frames of the board, during the first command."""

    def __init__(self, *frames: bytes) -> None:
        self.frames = list(frames)

    def put(self, command: bytes) -> None:
        pass

    def lines(self) -> list[bytes]:
        frames, self.frames = self.frames, []
        return [*frames, b"k 100 0"]


@pytest.mark.parametrize(
    ("line", "errors"),
    [(b"12 0 0", 0), (b"11 0 0", 1), (b"12 3 0", 3), (b"4095 0 2", 2)],
)
def test_faults_that_are_counted_on_the_wire(line, errors):
    good = on_wire(bytes(60))
    wire = RGMIIWire(Lines(b"f " + line + b" " + good.hex().encode()))  # pyright: ignore[reportArgumentType]
    assert wire.receive(1e-6) == bytes(60) and wire.errors == errors and not wire.reset
    assert wire.clock() == pytest.approx(100 * 7.999e-9)
    wire = RGMIIWire(Lines(b"f " + line + b" " + good[1:].hex().encode()))  # pyright: ignore[reportArgumentType]
    assert wire.receive(7e-7) is None and wire.errors == errors + 1
