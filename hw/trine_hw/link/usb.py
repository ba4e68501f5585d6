"""A link on USB of full or of high speed, as a serial port of the host's (CDC-ACM)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import AsyncFIFO
from amaranth.lib.wiring import In, Out

from trine_hw.link.link import Link
from trine_sw.support.errors import TrineError

__all__ = ["USBLink", "USBStreams"]

#: Bytes on their way between the clocks; LUNA's endpoints hold packets.
_DEPTH = 16


def _serial_device(*arguments: Any, high_speed: bool) -> Any:
    """The device, which LUNA is needed for. Raises :exc:`TrineError` where that is missing."""
    try:
        from trine_hw.link.usb_device import SerialDevice
    except ModuleNotFoundError as error:
        raise TrineError(
            f"the link usb needs LUNA, and there is no package {error.name}: pip install 'trine[usb]'"
        ) from None
    return SerialDevice(*arguments, high_speed=high_speed)


class USBStreams(wiring.Component):
    """Streams of bytes in ``sync``, and a USB device in ``usb`` that carries them.

    Contract: bytes arrive in their order, each once. A 0 of ``i`` ends a packet, so that a frame is at the
    host at once; bytes that ``o`` does not take are held back at the host. ``usb`` has 12 MHz, or 60 MHz at
    high speed, and is reset until that is steady; ``sync`` needs no reset.

    Parameters
    ----------
    vendor, product, name, serial, high_speed : see :class:`trine_hw.link.usb_device.SerialDevice`

    Members
    -------
    bus : the interface of a PHY, in ``usb``
    i, o : :py:`In(stream.Signature(8))`, :py:`Out(stream.Signature(8))`
        Bytes to the host, and from it.

    Raises
    ------
    TrineError
        Where LUNA is not installed.
    """

    def __init__(
        self, vendor: int, product: int, name: str, serial: str, *, high_speed: bool = False
    ) -> None:
        self._device = _serial_device(vendor, product, name, serial, high_speed=high_speed)
        self.bus = self._device.bus
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.device = device = self._device
        m.submodules.up = up = AsyncFIFO(width=8, depth=_DEPTH, w_domain="sync", r_domain="usb")
        m.submodules.down = down = AsyncFIFO(width=8, depth=_DEPTH, w_domain="usb", r_domain="sync")
        m.d.comb += [
            up.w_data.eq(self.i.payload),
            up.w_en.eq(self.i.valid & up.w_rdy),
            self.i.ready.eq(up.w_rdy),
            device.tx.payload.eq(up.r_data),
            device.tx.valid.eq(up.r_rdy),
            device.tx.last.eq(up.r_data == 0),
            up.r_en.eq(device.tx.ready & up.r_rdy),
            down.w_data.eq(device.rx.payload),
            down.w_en.eq(device.rx.valid & down.w_rdy),
            device.rx.ready.eq(down.w_rdy),
            self.o.payload.eq(down.r_data),
            self.o.valid.eq(down.r_rdy),
            down.r_en.eq(self.o.ready & down.r_rdy),
        ]
        return m


class USBLink(wiring.Component):
    """A :class:`trine_hw.link.link.Link` on USB: a board without its clocks and its PHY.

    Parameters
    ----------
    link : :class:`trine_hw.link.link.Link`
    vendor, product, name, high_speed : see :class:`trine_hw.link.usb_device.SerialDevice`; its serial number
        is the beginning of the model's digest

    Members
    -------
    bus : the interface of a PHY, in the domain ``usb``
    busy : :py:`Out(1)`
        A command is under way.
    lock_lost : :py:`In(1)`
        Counted: the clock has been stopped, since its PLL had lost its lock.
    """

    def __init__(self, link: Link, vendor: int, product: int, name: str, *, high_speed: bool = False) -> None:
        self.link = link
        serial = link.info.digest.hex()[:16]
        self._streams = USBStreams(vendor, product, name, serial, high_speed=high_speed)
        self.bus = self._streams.bus
        super().__init__({"busy": Out(1), "lock_lost": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = self.link
        m.submodules.streams = streams = self._streams
        wiring.connect(m, streams.o, link.rx)
        wiring.connect(m, link.tx, streams.i)
        m.d.comb += [link.lock_lost.eq(self.lock_lost), self.busy.eq(link.busy)]
        return m
