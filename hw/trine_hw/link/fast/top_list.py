"""Top list: the largest logits of a token with their symbols, in order."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from trine_hw.core.core import Core
from trine_sw.golden.largest import largest
from trine_sw.link.records import Codec

__all__ = ["TopList"]


class Candidate(data.StructLayout):
    """A logit, and whether it is the last symbol's."""

    def __init__(self, width: int) -> None:
        super().__init__({"logit": signed(width), "last": 1})


class TopList(wiring.Component):
    """Keeps the largest of a token's logits in order, and gives them as the end of its record.

    Contract: logits come at ``i`` in the order of their symbols. Behind the last of a token, the ``count``
    largest leave at ``o`` as :meth:`trine_sw.link.records.Codec.pack_top` says, the largest first and of
    equal ones that of the lowest symbol; until ``last``, which is 1 with their last byte, no further logits
    are taken. ``count`` is steady while any are in the list, at least 1, and no more than there are symbols.

    Throughput: a logit in every cycle that is not larger than the least in a full list; an insertion takes a
    cycle more for each entry that it moves down. Then a byte in every cycle. Area: about 170 LUT4 for 9 bits
    of a logit and any count up to 16; entries lie in LUT RAM, and one comparator serves them all.

    Parameters
    ----------
    core : :class:`trine_hw.core.core.Core`
        With a head.
    codec : :class:`trine_sw.link.records.Codec`
        Of a board that gives the largest logits.

    Members
    -------
    count : In
    i : :py:`In(stream.Signature(Candidate(width)))`
    o : :py:`Out(stream.Signature(8))`
    last : :py:`Out(1)`
    """

    def __init__(self, core: Core, codec: Codec) -> None:
        if not codec.info.top:
            raise ValueError("this board gives no largest logits")
        self.codec, self.width = codec, core.layout.logit_width
        super().__init__(
            {
                "count": In(range(codec.info.top + 1)),
                "i": In(stream.Signature(Candidate(self.width))),
                "o": Out(stream.Signature(8)),
                "last": Out(1),
            }
        )

    @staticmethod
    def model(codec: Codec, logits, count: int) -> bytes:
        """The bytes for a token's logits (V,)."""
        return codec.pack_top(*largest(logits[None], count)).tobytes()

    def elaborate(self, platform: object) -> Module:
        """A candidate moves up from the end of the list as long as the entry above it is smaller, which
        takes its place; where it stays, the next one comes. The entry that falls off a full list is not
        written."""
        m = Module()
        codec, most = self.codec, self.codec.info.top
        symbols = codec.info.vocab_size
        entry = data.StructLayout({"logit": signed(self.width), "symbol": range(max(2, symbols))})
        m.submodules.entries = memory = Memory(
            shape=entry, depth=max(2, most), init=[], attrs={"ram_style": "distributed"}
        )
        write, read = memory.write_port(), memory.read_port(domain="comb")
        candidate, there, final = Signal(entry), Signal(), Signal()
        symbol = Signal(range(max(2, symbols)))  # of the next candidate
        held = Signal.like(self.count)  # entries in the list
        place = Signal.like(held)  # the candidate's, if it moves no further
        above = Signal.like(read.addr)  # the place before it, or the entry that is given
        full, moves, settles, after = Signal(), Signal(), Signal(), Signal.like(held)
        m.d.comb += [
            read.addr.eq(above),
            write.addr.eq(place),
            full.eq(held == self.count),
            moves.eq(there & (place != 0) & (candidate.logit > read.data.logit)),
            settles.eq(there & ~moves),
            after.eq(held + ~full),
            write.en.eq(there & (place != self.count)),
            write.data.eq(Mux(moves, read.data.as_value(), candidate.as_value())),
        ]
        byte = Signal(range(codec.top_bytes))
        number = Signal(8 * codec.token_bytes)
        value = Signal(signed(8 * codec.logit_bytes))
        m.d.comb += [
            number.eq(read.data.symbol),
            value.eq(read.data.logit),
            self.o.payload.eq(Cat(number, value).word_select(byte, 8)),
            self.last.eq((above == (self.count - 1)[: len(above)]) & (byte == codec.top_bytes - 1)),
        ]
        with m.FSM():
            with m.State("Fill"):
                m.d.comb += self.i.ready.eq(~there | (settles & ~final))
                with m.If(moves):
                    m.d.sync += [place.eq(place - 1), above.eq(above - 1)]
                with m.If(settles):
                    m.d.sync += [held.eq(after), place.eq(after), above.eq(after - 1), there.eq(0)]
                    with m.If(final):
                        m.d.sync += [above.eq(0), byte.eq(0), symbol.eq(0)]
                        m.next = "Give"
                with m.If(self.i.valid & self.i.ready):
                    m.d.sync += [
                        candidate.logit.eq(self.i.payload.logit),
                        *(candidate.symbol.eq(symbol), symbol.eq(symbol + 1)),
                        *(final.eq(self.i.payload.last), there.eq(1)),
                    ]
            with m.State("Give"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += byte.eq(byte + 1)
                    with m.If(byte == codec.top_bytes - 1):
                        m.d.sync += [byte.eq(0), above.eq(above + 1)]
                    with m.If(self.last):
                        m.d.sync += [held.eq(0), place.eq(0)]
                        m.next = "Fill"
        return m
