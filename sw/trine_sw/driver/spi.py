"""Transport over SPI, with a line by which the board says that a reply waits."""

from __future__ import annotations

import importlib
import re
import time
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = ["LinuxSPIBus", "SPIBus", "SPITransport", "spi_connector"]

#: Bytes of one transfer, of which Linux takes 4,096 at once, and of one look for a reply.
_CHUNK, _LOOK = 1024, 64
_HZ, _MOST_HZ = 4_000_000, 100_000_000
_FORM = "spi:///dev/spidev0.0?ready=GPIO, with &hz=4000000 and &chip=/dev/gpiochip0 where they are others"
_FILLER = re.compile(rb"\0{2,}")


class SPIBus(Protocol):
    """A controller of mode 0 and the line ``ready``. Any method may raise :exc:`OSError`."""

    def transfer(self, data: bytes) -> bytes:
        """Send these bytes within one chip select; as many that came meanwhile."""
        ...

    def ready(self) -> bool:
        """Whether the line is high now."""
        ...

    def wait(self, timeout: float) -> None:
        """Until the line rises, or for so many seconds."""
        ...

    def fileno(self) -> int | None:
        """Readable once the line has risen since :meth:`ready` was asked; None where nothing can be."""
        ...

    def close(self) -> None:
        """May be repeated."""
        ...


class SPITransport:
    """A board on SPI as a :class:`trine_sw.driver.transports.Transport`.

    Bytes come back with each transfer. Where there is nothing to say, either side sends zeros, of which no
    frame has one inside: what ends no frame is left out of what is read.
    """

    def __init__(self, bus: SPIBus) -> None:
        self._bus = bus
        self._received = bytearray()
        self._ended = True

    def write(self, data: bytes) -> None:
        # A zero first: what noise has left in the board's receiver is then no part of the frame.
        data = b"\0" + data
        for at in range(0, len(data), _CHUNK):
            self._take(self._bus.transfer(data[at : at + _CHUNK]))

    def read(self, timeout: float) -> bytes:
        if not self._received:
            if not self._bus.ready():
                if timeout > 0:
                    self._bus.wait(timeout)
                if not self._bus.ready():
                    return b""
            self._fetch()
        data = bytes(self._received)
        self._received.clear()
        return data

    def _fetch(self) -> None:
        """Read until no more waits, or as much as a board's replies can be."""
        zeros = bytes(_LOOK)
        for _ in range(_CHUNK):
            self._take(self._bus.transfer(zeros))
            if not self._bus.ready():
                return

    def _take(self, data: bytes) -> None:
        if self._ended:
            data = data.lstrip(b"\0")
        data = _FILLER.sub(b"\0", data)
        if data:
            self._ended = data[-1] == 0
            self._received += data

    def fileno(self) -> int | None:
        return None if self._received else self._bus.fileno()

    def clock(self) -> float:
        return time.monotonic()

    def close(self) -> None:
        self._bus.close()


class LinuxSPIBus:
    """SPI by Linux' ``spidev``, and the line ``ready`` by its GPIO character device.

    Parameters
    ----------
    device : such as ``/dev/spidev0.0``
    hz : clock of SPI; a quarter of the engine's clock at most
    chip, line : the GPIO chip's device, and the number of the line on it

    Raises
    ------
    TrineError
        Where a package is missing (``spidev``, ``gpiod``), or device or line cannot be used.
    """

    def __init__(self, device: str, hz: int, chip: str, line: int) -> None:
        try:
            gpiod, spidev = importlib.import_module("gpiod"), importlib.import_module("spidev")
        except ImportError as error:
            raise TrineError(
                f"SPI needs the package {error.name}: pip install 'trine[spi]', or spidev and gpiod"
            ) from None
        self._line = line
        self._high: Any = gpiod.line.Value.ACTIVE
        self._spi: Any = spidev.SpiDev()
        try:
            self._spi.open_path(device)
            self._spi.mode, self._spi.max_speed_hz = 0, hz
        except OSError as error:
            raise TrineError(_explain(device, error)) from None
        settings = gpiod.LineSettings(
            direction=gpiod.line.Direction.INPUT, edge_detection=gpiod.line.Edge.RISING
        )
        try:
            self._gpio: Any = gpiod.request_lines(chip, consumer="trine", config={line: settings})
        except (OSError, ValueError) as error:
            self._spi.close()
            raise TrineError(_explain(f"line {line} of {chip}", error)) from None
        self._open = True

    def transfer(self, data: bytes) -> bytes:
        return bytes(self._spi.xfer2(list(data)))

    def ready(self) -> bool:
        while self._gpio.wait_edge_events(0):  # what has risen until now is seen below
            self._gpio.read_edge_events()
        return self._gpio.get_value(self._line) == self._high

    def wait(self, timeout: float) -> None:
        self._gpio.wait_edge_events(timeout)

    def fileno(self) -> int | None:
        return self._gpio.fd

    def close(self) -> None:
        if self._open:
            self._open = False
            self._spi.close()
            self._gpio.release()


def _explain(what: str, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or error
    return f"cannot use {what}: {reason}; is SPI switched on, and may you use it (groups spi and gpio)?"


def spi_connector(url: str) -> Callable[[], SPITransport]:
    """What connects to the board at a URL ``spi:///dev/spidev0.0?ready=GPIO``.

    Raises
    ------
    TrineError
        Where it has not that form.
    """
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:  # a host that is no address, or a query without values
        parts, options = urlsplit(""), {}
    if parts.netloc or not parts.path.startswith("/dev/") or options.keys() - {"ready", "hz", "chip"}:
        raise TrineError(f"{shown(url)} is no board on SPI: write {_FORM}")
    if "ready" not in options:
        raise TrineError(
            f"{shown(url)} names no line by which the board says that a reply waits: write {_FORM}"
        )
    line, hz = (
        _number(options["ready"], url, 0, 1 << 16),
        _number(options.get("hz", str(_HZ)), url, 1, _MOST_HZ),
    )
    chip = options.get("chip", "/dev/gpiochip0")
    return lambda: SPITransport(LinuxSPIBus(parts.path, hz, chip, line))


def _number(text: str, url: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise TrineError(
            f"{shown(text)} in {shown(url)} must be a whole number from {least} to {most:,}: write {_FORM}"
        )
    return int(text)
