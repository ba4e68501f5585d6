"""Token source: acceptance of tokens, embedding, and feedback of chosen tokens."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Cat, Const, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from trine_hw.core.scanner import trit_layout
from trine_hw.primitives.column_rom import ColumnROM, rom_slices, rom_words
from trine_sw.engine import EMBEDDING_LATENCY, EngineConfig
from trine_sw.engine.config import ICE40
from trine_sw.engine.memories import embedding_memory
from trine_sw.model import ModelConfig

__all__ = ["COUNT_BITS", "Flags", "Request", "TokenSource"]

#: Bits of the number of tokens that one request may generate.
COUNT_BITS = 16


class Request(data.StructLayout):
    """A token for the engine.

    Members
    -------
    token : index in the vocabulary (embedding on the board), or
    x : array of signed(2), its embedding (embedding on the host)
    reset : the state before this token is zero. The token before it must have had ``last`` if it had
        ``head``: logits left
        for the next token's pass are those of the state that this token starts from
    head : its logits and a choice are wanted
    last : they are wanted now, in a pass of their own; otherwise they come with the next token's pass
    count : if not 0, generate: this many choices are made, and all but the last are fed back as the next
        tokens;
        implies ``head`` and ``last``. No request is accepted until they are made.
    reseed : the sampler loads ``seed`` before the first choice from this token on
    """

    def __init__(self, model: ModelConfig, engine: EngineConfig) -> None:
        if engine.embedding == "board":
            first = {"token": unsigned(max(1, (model.vocab_size - 1).bit_length()))}
        else:
            first = {"x": data.ArrayLayout(trit_code(), model.embedding)}
        super().__init__({**first, "reset": 1, "head": 1, "last": 1, "count": COUNT_BITS, "reseed": 1})


def trit_code() -> data.StructLayout:
    """Two's complement bits of a trit, named: 00 is 0, 01 is +1, 11 is -1."""
    return data.StructLayout({"active": 1, "negative": 1})


class Flags(data.StructLayout):
    """What a token carries through the engine: ``reset, head, last, reseed`` of its request, and
    ``generate``."""

    def __init__(self) -> None:
        super().__init__({"reset": 1, "head": 1, "last": 1, "reseed": 1, "generate": 1})


class TokenSource(wiring.Component):
    """Accepts requests, looks up embeddings, and feeds back choices while a request generates.

    Contract: a request accepted in cycle ``n`` is shown as ``x`` and ``flags`` with ``valid`` from cycle
    ``n + latency`` until ``take``; the next is accepted from the cycle after ``take``. A choice that is fed
    back counts as accepted in the cycle in which it leaves.

    Parameters
    ----------
    model, engine
        Sizes and layout.
    embedding : int8 array (V, E) or None
        The table, if the engine keeps it.

    Members
    -------
    i : In(stream of :class:`Request`)
    choice_i, choice_o : In, Out(streams of tokens)
        From the sampler; to the user.
    x : Out(array of E trits)
    flags : Out(:class:`Flags`)
    valid, take : Out(1), In(1)
    accepted : Out(1)
        A token enters in this cycle.
    feeds_back : Out(1)
        The choice of the token that generates will be fed back.
    """

    def __init__(
        self, model: ModelConfig, engine: EngineConfig, embedding: npt.NDArray[np.int8] | None
    ) -> None:
        if engine.embedding == "board" and embedding is None:
            raise ValueError("an embedding on the board needs its table")
        self.model_config, self.engine, self.embedding = model, engine, embedding
        self.latency = EMBEDDING_LATENCY if engine.embedding == "board" else 1
        token = unsigned(max(1, (model.vocab_size - 1).bit_length()))
        super().__init__(
            {
                "i": In(stream.Signature(Request(model, engine))),
                "choice_i": In(stream.Signature(token)),
                "choice_o": Out(stream.Signature(token)),
                "x": Out(data.ArrayLayout(trit_layout(0), model.embedding)),
                "flags": Out(Flags()),
                "valid": Out(1),
                "take": In(1),
                "accepted": Out(1),
                "feeds_back": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Holds one token, from its acceptance until the scanners take its x.

        A token is accepted from ``i`` or, while a request generates, from the choice that has just left: only
        the choice that is the last one owed is fed back (``owed`` counts those on their way). ``age`` counts
        the cycles of the embedding's ROM; after them ``valid`` shows that x is there. What is offered is
        captured in each cycle in which no token is held, so that the handshake reaches one flip-flop alone.
        """
        m = Module()
        on_board = self.engine.embedding == "board"
        request = self.i.payload
        left = Signal(COUNT_BITS)  # choices that the generating request still owes
        owed = Signal(4)  # choices that all accepted tokens still owe; at most one per stage of the engine
        full = Signal()
        age = Signal(max(1, self.latency - 1))
        flags = self.flags
        wants = Signal()
        leaves = Signal()
        feed = Signal()
        accept = Signal()
        has_head = self.engine.head == "board"
        m.d.comb += [
            self.i.ready.eq(~full & (left == 0)),
            accept.eq(self.i.valid & self.i.ready),
            self.accepted.eq(accept | feed),
            self.feeds_back.eq(left > 1),
        ]
        if has_head:
            m.d.comb += [
                self.choice_o.valid.eq(self.choice_i.valid),
                self.choice_o.payload.eq(self.choice_i.payload),
                self.choice_i.ready.eq(self.choice_o.ready),
                leaves.eq(self.choice_i.valid & self.choice_i.ready),
                wants.eq((accept & (request.head | (request.count != 0))) | feed),
                # The generating request is the youngest: its choice is the last one owed.
                feed.eq(leaves & (left > 1) & (owed == 1)),
            ]
            m.d.sync += owed.eq(owed + wants - leaves)
            with m.If(leaves & (left != 0) & (owed == 1)):
                m.d.sync += left.eq(left - 1)
            with m.If(accept):
                m.d.sync += left.eq(request.count)

        # ``valid`` is a register of its own: it starts the scanners, and ``full`` is far away, beside ``x``.
        m.d.sync += age.eq((age << 1) | 1)
        with m.If(full & age[-1]):
            m.d.sync += self.valid.eq(1)
        with m.If(self.take):
            m.d.sync += [full.eq(0), self.valid.eq(0)]
        with m.If(self.accepted):
            m.d.sync += [full.eq(1), age.eq(1), self.valid.eq(self.latency == 1)]
        # What is offered is captured until something is accepted: only ``full`` has to reach all of it.
        with m.If(~full):
            generates = (request.count != 0) if has_head else Const(0)
            m.d.sync += [
                flags.reset.eq(request.reset),
                flags.head.eq((request.head | generates) if has_head else 0),
                flags.last.eq(request.last | generates),
                flags.reseed.eq(request.reseed),
                flags.generate.eq(generates),
            ]
        with m.If(feed):
            m.d.sync += [
                flags.reset.eq(0),
                flags.head.eq(1),
                flags.last.eq(1),
                flags.reseed.eq(0),
                flags.generate.eq(1),
            ]

        if on_board:
            assert self.embedding is not None
            token = Signal.like(request.token)
            with m.If(~full):
                m.d.sync += token.eq(request.token)
            if has_head:
                with m.If(feed):
                    m.d.sync += token.eq(self.choice_i.payload)
            if self.engine.block_ram in ICE40:
                self._in_halves(m, self.embedding, token, age)
            else:
                m.submodules.table = table = ColumnROM(self.embedding, block_ram=self.engine.block_ram)
                m.d.comb += [table.addr.eq(token), self.x.as_value().eq(table.o.as_value())]
        else:
            x = Signal.like(request.x)
            with m.If(~full):
                m.d.sync += x.eq(request.x)
            m.d.comb += self.x.as_value().eq(x.as_value())
        return m

    def _in_halves(self, m: Module, embedding: npt.NDArray[np.int8], token: Signal, age: Signal) -> None:
        """``x`` from a memory half as wide, read twice while the token's latency runs."""
        even = np.pad(embedding, ((0, 0), (0, embedding.shape[1] % 2)))
        words = rom_words(even.reshape(2 * len(even), -1))
        built = embedding_memory(self.model_config, self.engine)
        address = Cat(age[1], token)
        (parts,) = rom_slices(m, words, built.width, [address], kind=self.engine.block_ram, name="table")
        first = Signal(built.width, reset_less=True)
        m.d.comb += self.x.as_value().eq(Cat(first, *parts))
        with m.If(age[1] & ~age[2]):
            m.d.sync += first.eq(Cat(parts))
