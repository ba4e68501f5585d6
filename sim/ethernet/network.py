"""A network of this process alone, with a TAP interface in it."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["missing", "tap_in_own_network"]

_NEW_NETWORK = 0x40000000
_DEVICE = "/dev/net/tun"
_SET_INTERFACE, _TAP_WITHOUT_HEADER = 0x400454CA, 0x1002
_SET_ADDRESS, _SET_MASK, _SET_FLAGS, _UP = 0x8916, 0x891C, 0x8914, 0x1
_NAME = b"trine0"
_LIBC = ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@contextmanager
def tap_in_own_network(address: str, mask: str = "255.255.255.0") -> Iterator[int]:
    """The file descriptor of a TAP interface with this address, in a network namespace that this thread is in
    until the block ends. Raises :exc:`OSError` where the system does not permit it."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _check(_LIBC.unshare(_NEW_NETWORK))
        try:
            tap = os.open(_DEVICE, os.O_RDWR | os.O_NONBLOCK)
            try:
                fcntl.ioctl(tap, _SET_INTERFACE, struct.pack("16sH22x", _NAME, _TAP_WITHOUT_HEADER))
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
                    for request, number in ((_SET_ADDRESS, address), (_SET_MASK, mask)):
                        where = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(number))
                        fcntl.ioctl(control, request, struct.pack("16s16s8x", _NAME, where))
                    fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sH22x", _NAME, _UP))
                yield tap
            finally:
                os.close(tap)
        finally:
            _check(_LIBC.setns(before, _NEW_NETWORK))
    finally:
        os.close(before)


def missing() -> str | None:
    """Why there can be no such network here; None where there can."""
    try:
        with tap_in_own_network("10.77.0.1"):
            return None
    except (OSError, AttributeError) as error:
        return f"no TAP interface in a network namespace: {error}"
