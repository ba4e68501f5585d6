"""Transports of bytes: serial ports, sockets, and a board model in this process."""

from __future__ import annotations

import errno
import os
import socket
import termios
import time
from typing import Protocol

import serial

from trine_sw.driver.waiting import readable, writable
from trine_sw.link.board_model import BoardModel
from trine_sw.support.errors import TrineError

__all__ = ["ModelTransport", "SerialTransport", "SocketTransport", "Transport"]

_CHUNK = 1 << 16
#: Seconds for which a port may take no byte.
_WRITE_PATIENCE = 10


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

    Parameters
    ----------
    port : its device file
    baud : bits a second

    Members
    -------
    low_latency : whether the port's driver hands on short replies at once, within 1 ms. An FTDI chip would
        hold each back for 16 ms, and :meth:`trine_sw.driver.board.Board.step` waits for each. Where the port
        cannot be asked for it, everything works, slower.

    Raises
    ------
    TrineError
        Where the port is missing, busy or not allowed, or cannot do ``baud``.
    """

    def __init__(self, port: str, baud: int) -> None:
        try:
            self._port = serial.Serial(port, baud, timeout=0, write_timeout=_WRITE_PATIENCE, exclusive=True)
        except (OSError, ValueError, OverflowError, termios.error) as error:
            raise TrineError(_explain(port, baud, error)) from None
        self.low_latency = _ask_for_low_latency(self._port)

    # pyserial's own read and write wait by select.select, which takes no descriptor above 1,023.

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            if not writable([self._port], _WRITE_PATIENCE):
                raise TimeoutError(errno.ETIMEDOUT, "the port takes no more bytes")
            try:
                rest = rest[os.write(self._port.fileno(), rest) :]
            except BlockingIOError:
                continue

    def read(self, timeout: float) -> bytes:
        if not readable([self._port], timeout):
            return b""
        try:
            data = os.read(self._port.fileno(), _CHUNK)
        except BlockingIOError:
            return b""
        if not data:
            raise ConnectionResetError(errno.ENODEV, "the port gives no more bytes: was it unplugged?")
        return data

    def fileno(self) -> int | None:
        return self._port.fileno()

    def clock(self) -> float:
        return time.monotonic()

    def close(self) -> None:
        self._port.close()


def _ask_for_low_latency(port: serial.Serial) -> bool:
    """Whether the port could be told not to hold short replies back."""
    try:
        port.set_low_latency_mode(True)
    except (AttributeError, NotImplementedError, OSError, ValueError, termios.error):
        return False  # another system, a driver without it (CDC ACM, a pseudo-terminal), or not allowed
    return True


def _explain(port: str, baud: int, error: Exception) -> str:
    number = error.args[0] if isinstance(error, termios.error) else getattr(error, "errno", None)
    if number == errno.ENOENT:
        return f"there is no port {port}; trine ports lists those that are there"
    if number == errno.EACCES:
        return f"you may not use {port}: trine doctor says how to install the udev rules; then plug it in"
    if number in (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK) or "lock" in str(error):
        return f"{port} is in use by another program: end that first"
    if number in (errno.EISDIR, errno.ENOTTY) or "Could not configure port" in str(error):
        return f"{port} is no serial port; trine ports lists those that are there"
    if isinstance(error, (ValueError, OverflowError)):
        return (
            f"{port} cannot be set to {baud} baud: {error}; trine build --baud makes a board of another rate"
        )
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
        except (OSError, UnicodeError) as error:  # a host name that has no form in DNS
            reason = getattr(error, "strerror", None) or error
            raise TrineError(
                f"cannot connect to {host}:{port}: {reason}; does trine board listen there?"
            ) from None
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self, timeout: float) -> bytes:
        if not readable([self._socket], timeout):
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
