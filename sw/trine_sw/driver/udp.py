"""Transport over UDP: a frame of the protocol is a datagram, which has a length and needs no COBS."""

from __future__ import annotations

import errno
import re
import socket
import struct
import time
from collections.abc import Callable

from cobs import cobs

from trine_sw.driver.waiting import readable, writable
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = ["DEFAULT_PORT", "UDPTransport", "udp_connector"]

#: Where a board listens unless it is built with another.
DEFAULT_PORT = 7700
_FORM = f"udp://host or udp://host:port; boards listen at port {DEFAULT_PORT}"
#: Of ``linux/udp.h``: a buffer is sent as datagrams of one length, and such ones are received as one buffer.
_UDP_SEGMENT, _UDP_GRO = 103, 104
_LENGTH = struct.Struct("H")
_GRO_LENGTH = struct.Struct("i")
#: Datagrams that the kernel takes at once, and bytes of all of them.
_MOST_SEGMENTS, _MOST_BYTES = 64, 65000
#: Buffers taken in one read, and the bytes for which the kernel is asked to keep room.
_MOST_READS, _ROOM = 64, 1 << 21
#: Seconds for which the network may take no datagram.
_WRITE_PATIENCE = 10
#: What a kernel or a network device without segmentation says.
_NO_SEGMENTS = (errno.EIO, errno.EINVAL, errno.ENOPROTOOPT, errno.EOPNOTSUPP, errno.EMSGSIZE)


class UDPTransport:
    """A board at an address of an Ethernet as a :class:`trine_sw.driver.transports.Transport`.

    Contract: each frame that is written is sent as one datagram without its COBS encoding, and each datagram
    that comes from the board is read as one frame. Datagrams may be lost, doubled and reordered, as frames of
    any wire. Where the kernel can (Linux), runs of frames of one length are sent and received by one call.

    Parameters
    ----------
    host : address or name
    port : of the board

    Members
    -------
    calls : system calls that have sent and received, for measurements

    Raises
    ------
    TrineError
        Where the host has no address, or no way leads there.
    """

    def __init__(self, host: str, port: int = DEFAULT_PORT) -> None:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            self._socket = socket.socket(family, kind, protocol)
        except (OSError, UnicodeError) as error:  # a host name that has no form in DNS
            raise TrineError(_explain(host, error)) from None
        try:
            self._socket.connect(address)
        except OSError as error:
            self._socket.close()
            raise TrineError(_explain(host, error)) from None
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
        self._segments = hasattr(self._socket, "sendmsg")
        try:
            self._socket.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)
        except OSError:
            pass  # another system, or an old kernel: each datagram is received by itself
        self.calls = 0

    def write(self, data: bytes) -> None:
        frames = [cobs.decode(part) for part in data.split(b"\0") if part]
        at = 0
        while at < len(frames):
            count = self._run(frames, at) if self._segments else 1
            self._send(frames[at : at + count])
            at += count

    @staticmethod
    def _run(frames: list[bytes], at: int) -> int:
        """Frames from there on that are of one length, and one that is shorter behind them."""
        length, count = len(frames[at]), 1
        most = min(_MOST_SEGMENTS, _MOST_BYTES // length, len(frames) - at)
        while count < most and len(frames[at + count]) == length:
            count += 1
        return count + (count < most and 0 < len(frames[at + count]) < length)

    def _send(self, frames: list[bytes]) -> None:
        if len(frames) > 1:
            lengths = [(socket.IPPROTO_UDP, _UDP_SEGMENT, _LENGTH.pack(len(frames[0])))]
            try:
                self._patiently(lambda: self._socket.sendmsg([b"".join(frames)], lengths))
                return
            except OSError as error:
                if error.errno not in _NO_SEGMENTS:
                    raise
                self._segments = False
        for frame in frames:
            self._patiently(lambda frame=frame: self._socket.send(frame))

    def _patiently(self, send: Callable[[], int]) -> None:
        while True:
            self.calls += 1
            try:
                send()
                return
            except BlockingIOError:
                if not writable([self._socket], _WRITE_PATIENCE):
                    raise TimeoutError(errno.ETIMEDOUT, "the network takes no more datagrams") from None

    def read(self, timeout: float) -> bytes:
        read = self._received()
        if not read and timeout > 0 and readable([self._socket], timeout):
            read = self._received()
        return b"\0".join([*read, b""])

    def _received(self) -> list[bytes]:
        """What has come, encoded."""
        read: list[bytes] = []
        for _ in range(_MOST_READS):
            self.calls += 1
            try:
                data, told, *_ = self._socket.recvmsg(1 << 16, socket.CMSG_SPACE(_GRO_LENGTH.size))
            except BlockingIOError:
                break
            length = len(data)
            for level, kind, value in told:
                if level == socket.IPPROTO_UDP and kind == _UDP_GRO:
                    (length,) = _GRO_LENGTH.unpack(value[: _GRO_LENGTH.size])
            read += [cobs.encode(data[at : at + length]) for at in range(0, len(data), length or 1)]
        return read

    def fileno(self) -> int | None:
        return self._socket.fileno()

    def clock(self) -> float:
        return time.monotonic()

    def close(self) -> None:
        self._socket.close()


def _explain(host: str, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or error
    return f"cannot reach {shown(host)}: {reason}; is it the board's address?"


def udp_connector(url: str) -> Callable[[], UDPTransport]:
    """What connects to the board at a URL ``udp://host:port``.

    Raises
    ------
    TrineError
        Where it has not that form.
    """
    found = re.fullmatch(r"udp://(?:\[([^]/]+)\]|([^/:]+))(?::(\d{1,5}))?/?", url)
    port = int(found[3]) if found and found[3] else DEFAULT_PORT
    if found is None or not 0 < port < 1 << 16:
        raise TrineError(f"{shown(url)} is no board on Ethernet: write {_FORM}")
    host = found[1] or found[2]
    return lambda: UDPTransport(host, port)
