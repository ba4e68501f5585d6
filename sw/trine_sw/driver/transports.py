"""What carries bytes to a board and back: serial ports, sockets, and a board model in this process."""

from __future__ import annotations

import errno
import select
import socket
import time
from typing import Protocol

import serial

from trine_sw.errors import TrineError
from trine_sw.link.board_model import BoardModel

__all__ = ["ModelTransport", "SerialTransport", "SocketTransport", "Transport"]

_CHUNK = 1 << 16


class Transport(Protocol):
    """A byte stream to a board. Any method may raise :exc:`OSError` once the other side has gone."""

    def write(self, data: bytes) -> None:
        """Send all of it; may block."""
        ...

    def read(self, timeout: float) -> bytes:
        """What has come, waiting for the first byte no longer than ``timeout`` seconds; may be empty."""
        ...

    def fileno(self) -> int | None:
        """Readable when :meth:`read` will not wait; None where it never does."""
        ...

    def clock(self) -> float:
        """Seconds; timeouts are counted in them. A simulated board has a time of its own."""
        ...

    def close(self) -> None:
        """May be repeated."""
        ...


class SerialTransport:
    """A serial port, 8N1, held for this process alone.

    Raises
    ------
    TrineError
        Where the port is missing, busy or not allowed, or cannot do ``baud``.
    """

    def __init__(self, port: str, baud: int) -> None:
        try:
            self._port = serial.Serial(port, baud, timeout=0, write_timeout=10, exclusive=True)
        except (OSError, ValueError) as error:
            raise TrineError(_explain(port, baud, error)) from None

    def write(self, data: bytes) -> None:
        self._port.write(data)

    def read(self, timeout: float) -> bytes:
        if not select.select([self._port], [], [], timeout)[0]:
            return b""
        return self._port.read(max(self._port.in_waiting, 1))

    def fileno(self) -> int | None:
        return self._port.fileno()

    def clock(self) -> float:
        return time.monotonic()

    def close(self) -> None:
        self._port.close()


def _explain(port: str, baud: int, error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number == errno.ENOENT:
        return f"there is no port {port}; trine ports lists those that are there"
    if number == errno.EACCES:
        return f"you may not use {port}: install the udev rule (docs/driver.md), then plug the board in again"
    if number in (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK) or "lock" in str(error):
        return f"{port} is in use by another program: end that first"
    if number in (errno.EISDIR, errno.ENOTTY) or "Could not configure port" in str(error):
        return f"{port} is no serial port; trine ports lists those that are there"
    if isinstance(error, ValueError):
        return f"{port} cannot be set to {baud} baud: {error}"
    return f"cannot open {port}: {error}"


class SocketTransport:
    """A TCP connection, such as to ``trine board --listen``.

    Raises
    ------
    TrineError
        Where nobody listens there.
    """

    def __init__(self, host: str, port: int, *, timeout: float = 10) -> None:
        try:
            self._socket = socket.create_connection((host, port), timeout)
        except OSError as error:
            raise TrineError(
                f"cannot connect to {host}:{port}: {error.strerror or error}; does trine board listen there?"
            ) from None
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self, timeout: float) -> bytes:
        if not select.select([self._socket], [], [], timeout)[0]:
            return b""
        data = self._socket.recv(_CHUNK)
        if not data:
            raise ConnectionResetError("the connection was closed by the other side")
        return data

    def fileno(self) -> int | None:
        return self._socket.fileno()

    def clock(self) -> float:
        return time.monotonic()

    def close(self) -> None:
        self._socket.close()


class ModelTransport:
    """A board model in this process; it answers while it is written to."""

    def __init__(self, board: BoardModel) -> None:
        self.board = board
        self._answers = b""

    def write(self, data: bytes) -> None:
        self._answers += self.board.exchange(data)

    def read(self, timeout: float) -> bytes:
        answers, self._answers = self._answers, b""
        return answers

    def fileno(self) -> int | None:
        return None

    def clock(self) -> float:
        return time.monotonic()

    def close(self) -> None:
        pass
