"""Tokens in, tokens out, over a byte stream: the smallest protocol that drives a core.

Commands, each one byte and its arguments, multi-byte numbers least significant byte first:

| byte | arguments | meaning |
|---|---|---|
| 0x00 | – | nothing; eight of them bring a board that has lost step to the start of a command |
| 0x01 | – | the state is zero before the next token |
| 0x02 | token | apply a token; nothing comes back |
| 0x03 | token, count (2) | apply a token, then choose and apply more; `count` choices come back |
| 0x04 | tau (2), seed (4) | the sampler's fixed-point temperature and seed, in force from the next token on |

A token outside the vocabulary and an unknown command are ignored. While choices are owed, further commands
wait; the receiver keeps :data:`RECEIVE_BYTES` of them.
"""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

__all__ = ["RECEIVE_BYTES", "TokenTransport", "generate", "reset", "sampling", "step"]

RECEIVE_BYTES = 64

_RESET, _STEP, _GENERATE, _SAMPLING = 1, 2, 3, 4
_ARGUMENT_BYTES = {_STEP: 1, _GENERATE: 3, _SAMPLING: 6}


def reset() -> bytes:
    """The command that makes the state zero before the next token."""
    return bytes([_RESET])


def step(token: int) -> bytes:
    """The command that applies `token`."""
    return bytes([_STEP, token])


def generate(token: int, count: int) -> bytes:
    """The command that applies `token` and has `count` chosen tokens come back, 1 to 65,535."""
    return bytes([_GENERATE, token]) + count.to_bytes(2, "little")


def sampling(tau: int, seed: int) -> bytes:
    """The command that sets the sampler's fixed-point temperature and its seed."""
    return bytes([_SAMPLING]) + tau.to_bytes(2, "little") + seed.to_bytes(4, "little")


class TokenTransport(wiring.Component):
    """Executes the protocol above on a core.

    Parameters
    ----------
    token_shape : :class:`amaranth.lib.data.StructLayout`
        Payload of the core's input stream, with members ``token, reset, head, last, count, reseed``.
    vocab_size : :class:`int`
        Tokens are ``0`` to ``vocab_size - 1``; at most 256.
    tau_width : :class:`int`
        Bits of the core's ``tau``, at most 16.

    Members
    -------
    rx : :py:`In(stream.Signature(8))`
        Bytes from the host.
    tx : :py:`Out(stream.Signature(8))`
        Chosen tokens to the host.
    token : :py:`Out(stream.Signature(token_shape))`
        To the core's input.
    choice : :py:`In(stream.Signature(range(vocab_size)))`
        From the core.
    tau, seed : :py:`Out(tau_width)`, :py:`Out(32)`
        To the core; they change only while it owes no choice.
    busy : :py:`Out(1)`
        Chosen tokens are owed.
    """

    def __init__(self, token_shape: data.StructLayout, vocab_size: int, tau_width: int):
        if not 1 <= vocab_size <= 256:
            raise ValueError(f"a token is one byte: vocab_size must be 1 to 256, not {vocab_size}")
        if not 1 <= tau_width <= 16:
            raise ValueError(f"tau is two bytes: tau_width must be 1 to 16, not {tau_width}")
        self.vocab_size = vocab_size
        super().__init__(
            {
                "rx": In(stream.Signature(8)),
                "tx": Out(stream.Signature(8)),
                "token": Out(stream.Signature(token_shape)),
                "choice": In(stream.Signature(range(vocab_size))),
                "tau": Out(tau_width),
                "seed": Out(32),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=8, depth=RECEIVE_BYTES)
        wiring.connect(m, wiring.flipped(self.rx), fifo.w_stream)

        command = Signal(8)
        arguments = Signal(8 * max(_ARGUMENT_BYTES.values()))  # the last byte on top
        missing = Signal(range(max(_ARGUMENT_BYTES.values()) + 1))
        owed = Signal(16)
        reset_next, reseed_next = Signal(), Signal()

        def argument(length: int, first: int, size: int):
            """`size` bytes from byte `first` of a command with `length` argument bytes."""
            start = len(arguments) - 8 * length + 8 * first
            return arguments[start : start + 8 * size]

        token, count = Signal(8), Signal(16)
        with m.If(command == _GENERATE):
            length = _ARGUMENT_BYTES[_GENERATE]
            m.d.comb += [token.eq(argument(length, 0, 1)), count.eq(argument(length, 1, 2))]
        with m.Else():
            m.d.comb += token.eq(argument(_ARGUMENT_BYTES[_STEP], 0, 1))

        m.d.comb += [
            self.token.payload.token.eq(token),
            self.token.payload.count.eq(count),
            self.token.payload.head.eq(count != 0),
            self.token.payload.last.eq(count != 0),
            self.token.payload.reset.eq(reset_next),
            self.token.payload.reseed.eq(reseed_next),
            self.tx.payload.eq(self.choice.payload),
            self.tx.valid.eq(self.choice.valid),
            self.choice.ready.eq(self.tx.ready),
            self.busy.eq(owed != 0),
        ]
        with m.If(self.choice.valid & self.choice.ready):
            m.d.sync += owed.eq(owed - 1)

        with m.FSM():
            with m.State("Command"):
                m.d.comb += fifo.r_stream.ready.eq(1)
                with m.If(fifo.r_stream.valid):
                    m.d.sync += command.eq(fifo.r_stream.payload)
                    with m.Switch(fifo.r_stream.payload):
                        with m.Case(_RESET):
                            m.d.sync += reset_next.eq(1)
                        for code, length in _ARGUMENT_BYTES.items():
                            with m.Case(code):
                                m.d.sync += missing.eq(length)
                                m.next = "Arguments"
            with m.State("Arguments"):
                m.d.comb += fifo.r_stream.ready.eq(1)
                with m.If(fifo.r_stream.valid):
                    m.d.sync += arguments.eq(Cat(arguments[8:], fifo.r_stream.payload))
                    m.d.sync += missing.eq(missing - 1)
                    with m.If(missing == 1):
                        m.next = "Execute"
            with m.State("Execute"):
                with m.If(~self.busy):
                    with m.If(command == _SAMPLING):
                        length = _ARGUMENT_BYTES[_SAMPLING]
                        m.d.sync += self.tau.eq(argument(length, 0, 2))
                        m.d.sync += self.seed.eq(argument(length, 2, 4))
                        m.d.sync += reseed_next.eq(1)
                        m.next = "Command"
                    with m.Elif(token >= self.vocab_size):
                        m.next = "Command"
                    with m.Else():
                        m.d.comb += self.token.valid.eq(1)
                        with m.If(self.token.ready):
                            m.d.sync += [owed.eq(count), reset_next.eq(0), reseed_next.eq(0)]
                            m.next = "Command"
        return m
