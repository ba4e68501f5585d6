"""Payload reader: the bytes of the received frame, as often as they are needed."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from trine_sw.link.protocol import HEADER_BYTES, LinkConfig

__all__ = ["TAGS", "FrameByte", "ItemByte", "PayloadReader"]

#: Of an item, in frames of sequences: it starts from the zero state; it is its segment's last; and that of a
#: sequence.
TAGS = ("begins", "closes", "ends")


class FrameByte(data.StructLayout):
    """A byte, and whether it is the frame's last before the check sum."""

    def __init__(self) -> None:
        super().__init__({"byte": 8, "last": 1})


class ItemByte(data.StructLayout):
    """A byte of an item, whether it is the frame's last, and the item's :data:`TAGS`."""

    def __init__(self) -> None:
        super().__init__({"byte": 8, "last": 1} | dict.fromkeys(TAGS, 1))


class PayloadReader(wiring.Component):
    """Turns the memory of :class:`trine_hw.link.frame_receiver.FrameReceiver` into a stream.

    Contract: after ``start``, the frame's bytes from ``at`` on come at ``o``; none if there are none. Another
    ``start`` or ``stop`` ends what was begun before. Throughput: a byte in ``interval`` cycles, on which the
    checks of a request rely.

    Parameters
    ----------
    link : :class:`trine_sw.link.protocol.LinkConfig`

    Members
    -------
    start, stop : :py:`In(1)`
    at : In
        First byte wanted; the header's first is 0.
    length : In
        Bytes of the payload.
    o : :py:`Out(stream.Signature(FrameByte()))`
    read_addr, read_data : Out, In
        To the memory.
    """

    interval = 3

    def __init__(self, link: LinkConfig) -> None:
        self.link = link
        super().__init__(
            {
                "start": In(1),
                "stop": In(1),
                "at": In(range(link.slot_bytes)),
                "length": In(range(link.max_payload + 1)),
                "o": Out(stream.Signature(FrameByte())),
                "read_addr": Out(range(link.slot_bytes)),
                "read_data": In(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        position = Signal(range(self.link.slot_bytes))
        last, running = Signal(), Signal()
        delay = Signal(2)  # cycles until the memory shows the byte
        m.d.comb += [
            self.read_addr.eq(position),
            last.eq(position == self.length + (HEADER_BYTES - 1)),
            self.o.payload.byte.eq(self.read_data),
            self.o.payload.last.eq(last),
            self.o.valid.eq(running & (delay == 0)),
        ]
        with m.If(delay != 0):
            m.d.sync += delay.eq(delay - 1)
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += [position.eq(position + 1), delay.eq(2), running.eq(~last)]
        with m.If(self.stop):
            m.d.sync += running.eq(0)
        with m.If(self.start):
            m.d.sync += [
                position.eq(self.at),
                delay.eq(2),
                running.eq(self.at != self.length + HEADER_BYTES),
            ]
        return m
