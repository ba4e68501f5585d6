"""UART 8N1 with streams of bytes, and a link on its pins."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from trine_hw.link.link import Link
from trine_sw.support.errors import ClockError

__all__ = ["UARTLink", "UARTReceiver", "UARTTransmitter", "uart_divisor"]

# Half a bit over ten bits, 5 %, is the most that sampling in the middle survives; the other side errs too.
_BAUD_TOLERANCE = 0.02


def uart_divisor(clock_hz: float, baud: float) -> int:
    """Clock cycles in one bit.

    Raises
    ------
    ClockError
        Where no whole number of cycles comes within 2 % of `baud`.

    >>> uart_divisor(80e6, 1e6)
    80
    """
    divisor = round(clock_hz / baud)
    if divisor < 4 or abs(clock_hz / divisor / baud - 1) > _BAUD_TOLERANCE:
        raise ClockError(
            f"a clock of {clock_hz / 1e6:g} MHz cannot make {baud:.0f} baud; take a faster clock, or "
            "lower the baud rate"
        )
    return divisor


class UARTTransmitter(wiring.Component):
    """Sends bytes, least significant bit first, with one start and one stop bit.

    Throughput is one byte in ``10 * divisor`` cycles. About 30 LUT4.

    Parameters
    ----------
    divisor : :class:`int`
        Clock cycles in one bit. At least 2.

    Members
    -------
    i : :py:`In(stream.Signature(8))`
        Bytes to send; each is taken when the one before has left.
    tx : :py:`Out(1)`
        The line, high when idle.
    """

    def __init__(self, divisor: int):
        if divisor < 2:
            raise ValueError(f"divisor must be at least 2, not {divisor}")
        self.divisor = divisor
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        shift = Signal(9, init=0x1FF)  # the line comes first; ones follow the stop bit
        bits = Signal(range(11))
        timer = Signal(range(self.divisor))
        m.d.comb += [self.tx.eq(shift[0]), self.i.ready.eq(bits == 0)]
        with m.If(bits == 0):
            with m.If(self.i.valid):
                m.d.sync += [shift.eq(Cat(0, self.i.payload)), bits.eq(10), timer.eq(self.divisor - 1)]
        with m.Elif(timer == 0):
            m.d.sync += [shift.eq(Cat(shift[1:], 1)), bits.eq(bits - 1), timer.eq(self.divisor - 1)]
        with m.Else():
            m.d.sync += timer.eq(timer - 1)
        return m


class UARTReceiver(wiring.Component):
    """Receives bytes, sampling each bit in its middle.

    A byte whose stop bit is low is dropped, and nothing is received until the line is high again: a break
    counts once. A byte that arrives while the one before has not been taken is dropped as well: put a FIFO
    behind. About 40 LUT4.

    Parameters
    ----------
    divisor : :class:`int`
        Clock cycles in one bit. At least 4.

    Members
    -------
    rx : :py:`In(1)`
        The line, high when idle; not synchronised to the clock.
    o : :py:`Out(stream.Signature(8))`
        Received bytes.
    lost, framing_error : :py:`Out(1)`
        1 for a cycle where a byte is dropped because ``o`` was not taken, or for its stop bit.
    """

    def __init__(self, divisor: int):
        if divisor < 4:
            raise ValueError(f"divisor must be at least 4, not {divisor}")
        self.divisor = divisor
        super().__init__(
            {
                "rx": In(1, init=1),
                "o": Out(stream.Signature(8)),
                "lost": Out(1),
                "framing_error": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        line = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)
        shift = Signal(9)  # eight data bits and the stop bit, last received on top
        bits = Signal(range(11))
        timer = Signal(range(self.divisor))
        broken = Signal()  # the stop bit was low: the line must be high before the next start bit
        room = ~self.o.valid | self.o.ready
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(line):
            m.d.sync += broken.eq(0)
        with m.If(bits == 0):
            with m.If(~line & ~broken):
                m.d.sync += [bits.eq(10), timer.eq(self.divisor // 2 - 1)]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            m.d.sync += [timer.eq(self.divisor - 1), bits.eq(bits - 1), shift.eq(Cat(shift[1:], line))]
            with m.If((bits == 10) & line):
                m.d.sync += bits.eq(0)  # a glitch, not a start bit
            with m.If(bits == 1):
                m.d.comb += [self.framing_error.eq(~line), self.lost.eq(line & ~room)]
                m.d.sync += broken.eq(~line)
                with m.If(line & room):
                    m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(shift[1:])]
        return m


class UARTLink(wiring.Component):
    """A :class:`trine_hw.link.link.Link` on the two wires of a UART: the whole of a board but its clock.

    Parameters
    ----------
    link : :class:`trine_hw.link.link.Link`
    divisor : :class:`int`
        Clock cycles in one bit (:func:`uart_divisor`).

    Members
    -------
    rx, tx : :py:`In(1)`, :py:`Out(1)`
    busy : :py:`Out(1)`
        A command is under way.
    lock_lost : :py:`In(1)`
        Counted: the clock has been stopped, since its PLL had lost its lock.
    """

    def __init__(self, link: Link, divisor: int):
        self.link = link
        self.divisor = divisor
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "busy": Out(1), "lock_lost": In(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.link = link = self.link
        m.submodules.receiver = receiver = UARTReceiver(self.divisor)
        m.submodules.transmitter = transmitter = UARTTransmitter(self.divisor)
        wiring.connect(m, receiver.o, link.rx)
        wiring.connect(m, link.tx, transmitter.i)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            link.lost.eq(receiver.lost),
            link.framing_error.eq(receiver.framing_error),
            link.lock_lost.eq(self.lock_lost),
            self.busy.eq(link.busy),
        ]
        return m
