"""Tokens/s that a program gets from a board over its link, and what limits them."""

from __future__ import annotations

from typing import NamedTuple

from trine_sw.engine import EngineConfig
from trine_sw.link.board_design import BoardDesign
from trine_sw.link.board_info import Info
from trine_sw.link.protocol import CRC_BYTES, HEADER_BYTES, LinkConfig, Want, encoded_size
from trine_sw.link.records import Codec
from trine_sw.model import Model
from trine_sw.support.errors import TrineError

__all__ = [
    "DRIVER_BYTE_S",
    "DRIVER_FRAME_S",
    "USB_S",
    "Line",
    "LinkRate",
    "asked",
    "line_of",
    "link_rate",
    "link_rates",
]

#: Of a byte on the line: start, eight, stop.
_BITS = 10
#: Seconds of the latency timer of the boards' USB chips, which the udev rules and the driver set.
USB_S = 1e-3
#: Seconds that the driver takes for a frame and its reply, and for each byte of their payloads, on one core
#: of an AMD EPYC: what ``python -m sim.measure.driver_speed`` finds for blocks, to a fifth.
DRIVER_FRAME_S, DRIVER_BYTE_S = 6e-6, 3e-9
#: Seconds that sending and receiving a frame takes beside, of eight at once over UDP on one machine: half of
#: them are the kernel's.
_UDP_FRAME_S = 11e-6
#: Of an Ethernet packet: preamble, header, sum and gap; the least behind them; headers of IP and UDP in that.
_PACKET, _LEAST_PACKET, _UDP_HEADERS = 38, 46, 28
#: Cycles of the serial codec: at most for a byte of five trits (``InputUnpacker.most_cycles``), for another
#: byte, and for a cell of which h or u is packed. Of 64 trits in and 64 units out a board took 644 cycles,
#: and these expect 701 (``python -m sim.measure.link_cycles``).
_TRITS_CYCLES, _BYTE_CYCLES, _CELL_CYCLES = 33, 4, 4


class LinkRate(NamedTuple):
    """What a program gets of a board.

    Members
    -------
    tokens_per_s : of a stream of tokens that are known in advance
    limit : what takes longest for a frame: ``"engine"``, ``"codec"`` (the gateware's packing and unpacking of
        bytes), ``"wire to the board"``, ``"wire to the host"``, ``"round trip"`` (with all frames of the
        window on the way the host waits) or ``"driver"``
    """

    tokens_per_s: float
    limit: str


class Line(NamedTuple):
    """What carries a link's bytes, at its nominal rate.

    Members
    -------
    bytes_per_s : in each direction
    latency_s : from a reply's last byte to the program
    shared : whether both directions take turns
    packets : whether a frame is a UDP datagram on an Ethernet, without COBS
    """

    bytes_per_s: float
    latency_s: float
    shared: bool = False
    packets: bool = False

    def frame_s(self, payload_bytes: int) -> float:
        """Seconds that the line is taken by a frame with so long a payload, at most.

        >>> round(Line(125e6, 0, packets=True).frame_s(1000) * 1e9)
        8600
        """
        if not self.packets:
            return encoded_size(payload_bytes) / self.bytes_per_s
        packet = _UDP_HEADERS + HEADER_BYTES + payload_bytes + CRC_BYTES
        return (_PACKET + max(_LEAST_PACKET, packet)) / self.bytes_per_s

    @property
    def driver_frame_s(self) -> float:
        """Seconds that the driver takes for a frame beside :data:`DRIVER_FRAME_S`."""
        return _UDP_FRAME_S if self.packets else 0.0


def line_of(name: str, baud: float, clock_hz: float) -> Line | None:
    """The line of a board's transport of this name; None where nothing is known of it.

    USB of full speed carries 19 packets of 64 bytes in a frame of 1 ms. USB of high speed (``ulpi``) is taken
    at 40 MB/s, three quarters of the 13 packets of 512 bytes that fit a microframe of 125 us, and with a
    microframe of latency. SPI's clock is what the driver takes by default, 4 MHz, and at most a quarter of
    the engine's. The latencies of high speed, SPI and Ethernet are guesses.

    >>> line_of("uart", 3_000_000, 75e6)
    Line(bytes_per_s=300000.0, latency_s=0.001, shared=False, packets=False)
    """
    if baud:
        return Line(baud / _BITS, USB_S)
    known = {"spi": Line(min(4e6, clock_hz / 4) / 8, 1e-4), "usb": Line(19 * 64e3, USB_S, shared=True)}
    known["ulpi"] = Line(40e6, 125e-6, shared=True)
    known["ethernet"] = Line(125e6, 1e-4, packets=True)
    return known.get(name)


def link_rate(
    info: Info,
    want: Want,
    cycles_per_token: float,
    *,
    line: Line | None = None,
    latency_s: float = USB_S,
    driver_frame_s: float = DRIVER_FRAME_S,
    driver_byte_s: float = DRIVER_BYTE_S,
    codec: str | None = "serial",
) -> LinkRate:
    """Tokens/s of a stream that asks for ``want`` of each token, over ``line``, or one of ``info.baud``.

    A reply reaches the program ``latency_s`` after its last byte. ``cycles_per_token`` are the engine's mean.
    ``codec`` is the link's, of :class:`trine_sw.link.protocol.LinkConfig`: the serial one and the engine wait
    for each other, the fast one moves a byte in every cycle; with None, packing takes no time.

    Raises
    ------
    TrineError
        Where the board says no baud rate or clock, or a token's answer fits no frame.
    """
    if line is None and info.baud:
        line = Line(info.baud / _BITS, latency_s)
    if line is None or not info.clock_hz:
        raise TrineError("the rate over the link needs a baud rate and a clock")
    sizes, most = Codec(info), info.link.max_payload
    item, record = sizes.item_bytes, sizes.record_bytes(want)
    if record > most:
        raise TrineError(f"one token's answer takes {record} bytes, and the board's frames hold {most}")
    count = max(1, min((most - 1) // item, most // record if record else most))
    sent, answered = 1 + count * item, count * record
    up, down = line.frame_s(sent), line.frame_s(answered)
    driver_frame_s += line.driver_frame_s
    packing = 0.0
    if codec == "serial":
        packing = item * (_BYTE_CYCLES if info.embedding_on_board else _TRITS_CYCLES)
        packing += info.hidden * _CELL_CYCLES if want & (Want.H | Want.U) else record * _BYTE_CYCLES
    elif codec is not None:
        packing = max(item, record)
    of_board = cycles_per_token + packing if codec == "serial" else max(cycles_per_token, packing)
    board = count * of_board / info.clock_hz
    driver = driver_frame_s + (sent + answered) * driver_byte_s
    # The host has no more frames in flight than the board buffers.
    window = max(1, min(info.window, info.receive_bytes // encoded_size(sent)))
    there_and_back = up + board + down + line.latency_s + driver
    seconds = {
        "engine" if packing <= cycles_per_token else "codec": board,
        "wire to the board": up + (down if line.shared and up >= down else 0),
        "wire to the host": down + (up if line.shared and up < down else 0),
        "round trip": there_and_back / window,
        "driver": driver,
    }
    limit = max(seconds, key=lambda name: seconds[name])
    return LinkRate(count / seconds[limit], limit)


def link_rates(
    model: Model,
    engine: EngineConfig,
    link: LinkConfig,
    cycles_per_token: float,
    *,
    clock_hz: float,
    baud: int,
    transport: str = "uart",
) -> dict[str, LinkRate]:
    """:func:`link_rate` of a board's engine for the next token or class (``"choice"``), or the values of a
    regression (``"values"``), and for the state (``"h"``).

    Where the host computes the head it gets what the head sees. A model without a head has the state alone,
    and a board of a transport that :func:`line_of` does not know has neither.
    """
    if (line := line_of(transport, baud, clock_hz)) is None:
        return {}
    info = BoardDesign(model, engine, link, clock_hz=clock_hz, baud=baud).info
    wants = asked(model, engine)
    return {
        name: link_rate(info, want, cycles_per_token, codec=link.codec, line=line)
        for name, want in wants.items()
    }


def asked(model: Model, engine: EngineConfig) -> dict[str, Want]:
    """What a program asks for, for the next token or the values, and for the state."""
    if not model.heads:
        return {"h": Want.H}
    name, want = ("values", Want.LOGITS) if model.task == "regress" else ("choice", Want.CHOICE)
    return {name: want if engine.head == "board" else Want.U, "h": Want.H}
