"""The whole of a board's gateware: clock, UART, token transport and core."""

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import wiring

from trine_boards.board import Board
from trine_boards.transport import TokenTransport
from trine_boards.uart import UARTReceiver, UARTTransmitter, uart_divisor

__all__ = ["TokenTop"]


class TokenTop(Elaboratable):
    """`core` on `board`, driven through the board's UART by the protocol of :mod:`trine_boards.transport`.

    The first LED is lit while chosen tokens are owed, if the board has a plain one.

    Parameters
    ----------
    core : component
        With the streams ``i``, ``choice``, ``state`` and ``logits`` and the inputs ``tau`` and ``seed`` of
        :class:`trine_hw.core.Core`; embedding and head on the board.
    vocab_size : :class:`int`
        Of the core's model.
    board : :class:`Board`
    clock_mhz : :class:`float`
        Clock of the core.
    """

    def __init__(self, core, vocab_size: int, board: Board, clock_mhz: float):
        self.core = core
        self.vocab_size = vocab_size
        self.board = board
        self.clock_mhz = clock_mhz

    def elaborate(self, platform):
        m = Module()
        m.submodules.clock = self.board.clock_domain(self.clock_mhz)
        m.submodules.core = core = self.core
        divisor = uart_divisor(self.clock_mhz * 1e6, self.board.baud)
        m.submodules.receiver = receiver = UARTReceiver(divisor)
        m.submodules.transmitter = transmitter = UARTTransmitter(divisor)
        m.submodules.transport = transport = TokenTransport(
            core.i.payload.shape(), self.vocab_size, len(core.tau)
        )
        uart = platform.request("uart")
        m.d.comb += [
            receiver.rx.eq(uart.rx.i),
            uart.tx.o.eq(transmitter.tx),
            core.tau.eq(transport.tau),
            core.seed.eq(transport.seed),
            # State and logits leave through the choice only.
            core.state.ready.eq(1),
            core.logits.ready.eq(1),
        ]
        if ("led", 0) in platform.resources:
            m.d.comb += platform.request("led").o.eq(transport.busy)
        wiring.connect(m, receiver.o, transport.rx)
        wiring.connect(m, transport.tx, transmitter.i)
        wiring.connect(m, transport.token, core.i)
        wiring.connect(m, core.choice, transport.choice)
        return m
