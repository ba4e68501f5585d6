"""Frames of Ethernet as bytes: preamble and FCS on the wire, and ARP, IPv4 and UDP in them."""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

__all__ = [
    "ARP",
    "BROADCAST",
    "IPV4",
    "ARPPacket",
    "Datagram",
    "FrameError",
    "arp_of",
    "arp_packet",
    "checksum",
    "datagram_of",
    "datagram_packet",
    "ethernet_frame",
    "on_wire",
    "packet_of",
    "wire_bytes",
]

ARP, IPV4 = 0x0806, 0x0800
BROADCAST = 0xFFFF_FFFF_FFFF
_PREAMBLE = bytes((*(7 * (0x55,)), 0xD5))
_FCS_BYTES = 4
#: Of a frame, without preamble and FCS.
_LEAST, _MOST = 60, 1514
_ETHERNET = struct.Struct(">6s6sH")
_ARP = struct.Struct(">HHBBH6sI6sI")
_ARP_KIND = (1, IPV4, 6, 4)
_IP = struct.Struct(">BBHHHBBHII")
_UDP_PROTOCOL, _TIME_TO_LIVE = 17, 64
_UDP = struct.Struct(">HHHH")
_DO_NOT_FRAGMENT = 0x4000


class FrameError(ValueError):
    """Bytes that are no frame of Ethernet, or whose contents break a rule of ARP, IPv4 or UDP."""


class ARPPacket(NamedTuple):
    """Of ARP: 1 asks for `target`'s MAC address, 2 gives `sender_mac`. Addresses are numbers."""

    operation: int
    sender_mac: int
    sender: int
    target_mac: int
    target: int


class Datagram(NamedTuple):
    """A UDP datagram from `sender` and `from_port` to `target` and `to_port`; addresses are numbers."""

    sender: int
    from_port: int
    target: int
    to_port: int
    payload: bytes


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071); 0 of data that has its own in it.

    >>> hex(checksum(bytes.fromhex("45000073000040004011 0000 c0a80001c0a800c7")))
    '0xb861'
    """
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def _mac(number: int) -> bytes:
    return number.to_bytes(6, "big")


def ethernet_frame(to: int, sender: int, kind: int, packet: bytes) -> bytes:
    """A frame without preamble and FCS, long enough for the wire."""
    return (_ETHERNET.pack(_mac(to), _mac(sender), kind) + packet).ljust(_LEAST, b"\0")


def packet_of(frame: bytes) -> tuple[int, int, int, bytes]:
    """The addresses to and from, the kind and the packet, with what fills it up, of a frame."""
    to, sender, kind = _ETHERNET.unpack_from(frame)
    return int.from_bytes(to, "big"), int.from_bytes(sender, "big"), kind, frame[_ETHERNET.size :]


def on_wire(frame: bytes) -> bytes:
    """A frame with its preamble and FCS.

    >>> on_wire(bytes(60))[-4:].hex()
    '08890404'
    """
    return _PREAMBLE + frame + zlib.crc32(frame).to_bytes(_FCS_BYTES, "little")


def wire_bytes(seen: bytes) -> bytes:
    """The frame in what was seen on the wire. Raises :exc:`FrameError` where it is none."""
    if not seen.startswith(_PREAMBLE):
        raise FrameError(f"the preamble is {seen[:8].hex(' ')}")
    frame, fcs = seen[len(_PREAMBLE) : -_FCS_BYTES], seen[-_FCS_BYTES:]
    if not _LEAST <= len(frame) <= _MOST:
        raise FrameError(f"a frame has {len(frame) + _FCS_BYTES} bytes")
    if zlib.crc32(frame).to_bytes(_FCS_BYTES, "little") != fcs:
        raise FrameError("a frame's FCS is wrong")
    return frame


def arp_packet(arp: ARPPacket) -> bytes:
    """The packet of ARP, for IPv4 over Ethernet."""
    return _ARP.pack(
        *_ARP_KIND, arp.operation, _mac(arp.sender_mac), arp.sender, _mac(arp.target_mac), arp.target
    )


def arp_of(packet: bytes) -> ARPPacket:
    """What a packet of ARP says. Raises :exc:`FrameError` where it is none for IPv4 over Ethernet."""
    if len(packet) < _ARP.size:
        raise FrameError(f"a packet of ARP has {len(packet)} bytes")
    *kind, operation, sender_mac, sender, target_mac, target = _ARP.unpack_from(packet)
    if tuple(kind) != _ARP_KIND or operation not in (1, 2):
        raise FrameError(f"a packet of ARP begins with {packet[:8].hex(' ')}")
    macs = (int.from_bytes(mac, "big") for mac in (sender_mac, target_mac))
    return ARPPacket(operation, next(macs), sender, next(macs), target)


def datagram_packet(datagram: Datagram) -> bytes:
    """The packet of IPv4 of a datagram, with both checksums."""
    size = _UDP.size + len(datagram.payload)
    head = (0x45, 0, _IP.size + size, 0, _DO_NOT_FRAGMENT, _TIME_TO_LIVE, _UDP_PROTOCOL)
    ends = (datagram.sender, datagram.target)
    ip = _IP.pack(*head, checksum(_IP.pack(*head, 0, *ends)), *ends)
    ports = (datagram.from_port, datagram.to_port, size)
    # 0 says that there is none, and its complement means the same number.
    udp = checksum(_pseudo(*ends, size) + _UDP.pack(*ports, 0) + datagram.payload) or 0xFFFF
    return ip + _UDP.pack(*ports, udp) + datagram.payload


def _pseudo(sender: int, target: int, size: int) -> bytes:
    return struct.pack(">IIBBH", sender, target, 0, _UDP_PROTOCOL, size)


def datagram_of(packet: bytes) -> Datagram:
    """The datagram of a packet of IPv4, of which UDP's checksum may be missing (0).

    Raises
    ------
    FrameError
        For another packet, a fragment, or a length or a checksum that is wrong.
    """
    if len(packet) < _IP.size + _UDP.size:
        raise FrameError(f"a packet of IPv4 has {len(packet)} bytes")
    head = packet[: _IP.size]
    version, _, total, _, fragment, _, protocol, _, sender, target = _IP.unpack(head)
    if version != 0x45 or protocol != _UDP_PROTOCOL or fragment & ~_DO_NOT_FRAGMENT:
        raise FrameError(f"a packet is no datagram: {head.hex(' ')}")
    if checksum(head):
        raise FrameError(f"the checksum of a header is wrong: {head.hex(' ')}")
    body = packet[_IP.size : total]
    from_port, to_port, size, udp = _UDP.unpack_from(packet, _IP.size)
    if total > len(packet) or size != len(body) or size < _UDP.size:
        raise FrameError(f"a packet of {len(packet)} bytes says {total}, and its datagram {size}")
    if udp and checksum(_pseudo(sender, target, size) + body):
        raise FrameError("the checksum of a datagram is wrong")
    return Datagram(sender, from_port, target, to_port, body[_UDP.size :])
