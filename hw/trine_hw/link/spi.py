"""SPI peripheral with streams of bytes, and a link on its pins."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from trine_hw.link.link import Link
from trine_hw.primitives.byte_fifo import ByteFIFO

__all__ = ["FrameStore", "SPILink", "SPIPeripheral"]


class SPIPeripheral(wiring.Component):
    """SPI peripheral of mode 0, most significant bit first, by inputs that are sampled with the clock.

    Contract: in the time of a byte it sends one of ``i``, or 0 where none was valid when the byte began, and
    gives the one that comes to ``o``. A 0 after a 0 is filler and is left out: frames are ended by one 0.
    While ``cs`` is low no bit counts, and the next byte begins with the next ``cs``. No byte of ``i`` is lost
    that was not begun.

    Throughput: a bit in four cycles, with ``clk`` high for two of them and low for two. ``cs`` must be high
    for four cycles before the first edge of ``clk``. ``cipo`` changes two to three cycles after a rising edge
    of ``clk``, and not after the falling one, so that a controller samples it while it is stable.

    Members
    -------
    cs, clk, copi : :py:`In(1)`
        Chip select, high while selected; clock; data from the controller. Not synchronised to the clock.
    cipo : :py:`Out(1)`
        Data to the controller.
    i : :py:`In(stream.Signature(8))`
        Bytes to send.
    o : :py:`Out(stream.Signature(8))`
        Bytes received.
    lost, framing_error : :py:`Out(1)`
        1 for a cycle where a byte is dropped because ``o`` was not taken, or because ``cs`` ended within it.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "cs": In(1),
                "clk": In(1),
                "copi": In(1),
                "cipo": Out(1),
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
                "lost": Out(1),
                "framing_error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        selected, clock, data, clock_before = Signal(), Signal(), Signal(), Signal()
        m.submodules.cs_synchronizer = FFSynchronizer(self.cs, selected)
        m.submodules.clk_synchronizer = FFSynchronizer(self.clk, clock)
        m.submodules.copi_synchronizer = FFSynchronizer(self.copi, data)
        m.d.sync += clock_before.eq(clock)

        count = Signal(3)
        received, sent = Signal(7), Signal(8)
        loaded = Signal()  # of `i` is what is sent: it is taken with its first bit
        ended = Signal(init=1)  # the last byte that was received is 0
        edge, byte = Signal(), Signal(8)
        room = ~self.o.valid | self.o.ready
        load = [sent.eq(self.i.payload & self.i.valid.replicate(8)), loaded.eq(self.i.valid)]
        m.d.comb += [
            edge.eq(selected & clock & ~clock_before),
            byte.eq(Cat(data, received)),
            self.cipo.eq(sent[-1]),
            self.i.ready.eq(edge & (count == 0) & loaded),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(~selected):
            m.d.comb += self.framing_error.eq(count != 0)
            m.d.sync += [count.eq(0), *load]
        with m.Elif(edge):
            m.d.sync += [count.eq(count + 1), received.eq(byte), sent.eq(sent << 1)]
            with m.If(count == 7):
                m.d.sync += load
                with m.If((byte != 0) | ~ended):
                    m.d.comb += self.lost.eq(~room)
                    with m.If(room):
                        m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(byte), ended.eq(byte == 0)]
        return m


class FrameStore(wiring.Component):
    """Queue of bytes that gives a frame only once all of it is there, up to its 0.

    Contract: bytes leave in the order in which they came, without a gap of more than five cycles between a
    frame's first byte and its 0.

    Parameters
    ----------
    depth : :class:`int`
        Bytes that it holds, a power of two. A frame must be no longer.

    Members
    -------
    i : :py:`In(stream.Signature(8))`
    o : :py:`Out(stream.Signature(8))`
    waiting : :py:`Out(1)`
        A frame is there, or the rest of one.
    """

    def __init__(self, depth: int) -> None:
        self.depth = depth
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8)), "waiting": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = ByteFIFO(self.depth)
        frames = Signal(range(self.depth + 2))
        comes, goes = Signal(), Signal()
        m.d.comb += [
            queue.i.payload.eq(self.i.payload),
            queue.i.valid.eq(self.i.valid),
            self.i.ready.eq(queue.i.ready),
            self.o.payload.eq(queue.o.payload),
            self.o.valid.eq(queue.o.valid & self.waiting),
            queue.o.ready.eq(self.o.ready & self.waiting),
            self.waiting.eq(frames != 0),
            comes.eq(self.i.valid & self.i.ready & (self.i.payload == 0)),
            goes.eq(self.o.valid & self.o.ready & (self.o.payload == 0)),
        ]
        m.d.sync += frames.eq(frames + comes - goes)
        return m


class SPILink(wiring.Component):
    """A :class:`trine_hw.link.link.Link` on the wires of an SPI peripheral: a board without its clock.

    Replies wait until they are complete, since SPI cannot pause within one.

    Parameters
    ----------
    link : :class:`trine_hw.link.link.Link`

    Members
    -------
    cs, clk, copi, cipo : as :class:`SPIPeripheral`'s
    ready : :py:`Out(1)`
        A reply waits to be fetched, or the rest of one.
    busy : :py:`Out(1)`
        A command is under way.
    lock_lost : :py:`In(1)`
        Counted: the clock has been stopped, since its PLL had lost its lock.
    """

    def __init__(self, link: Link) -> None:
        self.link = link
        super().__init__(
            {
                "cs": In(1),
                "clk": In(1),
                "copi": In(1),
                "cipo": Out(1),
                "ready": Out(1),
                "busy": Out(1),
                "lock_lost": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = self.link
        m.submodules.peripheral = peripheral = SPIPeripheral()
        m.submodules.replies = replies = FrameStore(link.link.slot_bytes)
        wiring.connect(m, peripheral.o, link.rx)
        wiring.connect(m, link.tx, replies.i)
        wiring.connect(m, replies.o, peripheral.i)
        m.d.comb += [
            peripheral.cs.eq(self.cs),
            peripheral.clk.eq(self.clk),
            peripheral.copi.eq(self.copi),
            self.cipo.eq(peripheral.cipo),
            self.ready.eq(replies.waiting),
            link.lost.eq(peripheral.lost),
            link.framing_error.eq(peripheral.framing_error),
            link.lock_lost.eq(self.lock_lost),
            self.busy.eq(link.busy),
        ]
        return m
