"""Input unpacker of the fast codec: five trits in every cycle."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from trine_hw.link.input_unpacker import Item
from trine_hw.link.payload_reader import TAGS, ItemByte
from trine_sw.link.records import Codec
from trine_sw.model.trits import TRITS_PER_BYTE

__all__ = ["FastInputUnpacker"]

_CODES = 3**TRITS_PER_BYTE


def _trits_of(byte: int) -> int:
    """Two bits a trit of the five in a byte; 0 of a byte that codes none."""
    digits = [byte // 3**k % 3 - 1 for k in range(TRITS_PER_BYTE)] if byte < _CODES else []
    return sum((trit & 3) << 2 * k for k, trit in enumerate(digits))


class FastInputUnpacker(wiring.Component):
    """Assembles vectors of trits.

    Contract: that of :class:`trine_hw.link.input_unpacker.InputUnpacker`, for vectors, tagged. A byte
    codes its five trits in a table; bytes of the next vector are taken while one is offered, as far as
    registers hold them.

    Throughput: a byte in every cycle while items are taken at once. Latency: three cycles after a vector's
    last byte. Area: about 130 LUT4 for the table, and the item's flip-flops.

    Parameters
    ----------
    codec : :class:`trine_sw.link.records.Codec`
        With the embedding on the host.

    Members
    -------
    i, o, clear : as :class:`trine_hw.link.input_unpacker.InputUnpacker`
    """

    def __init__(self, codec: Codec) -> None:
        if codec.info.embedding_on_board:
            raise ValueError("tokens are assembled by InputUnpacker, which is fast enough for them")
        self.codec = codec
        super().__init__(
            {
                "i": In(stream.Signature(ItemByte())),
                "o": Out(stream.Signature(Item(codec, tagged=True))),
                "clear": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A byte passes three registers, which move together unless a vector is held: the byte, its trits,
        the vector. ``first`` and ``second`` say what of the first two is there."""
        m = Module()
        codec, item = self.codec, self.o.payload
        size = codec.item_bytes
        padding = TRITS_PER_BYTE * size - codec.info.embedding
        table = [_trits_of(byte) for byte in range(256)]
        m.submodules.table = memory = Memory(
            shape=2 * TRITS_PER_BYTE, depth=256, init=table, attrs={"rom_style": "logic"}
        )
        read = memory.read_port()
        trits = read.data
        byte, first, first_last = Signal(8), Signal(), Signal()
        second, second_last, second_bad = Signal(), Signal(), Signal()
        first_tags, second_tags = Signal(len(TAGS)), Signal(len(TAGS))
        count = Signal(range(size))  # bytes of the item that are in the vector
        vector = Signal(2 * TRITS_PER_BYTE * size)
        wrong, moves = Signal(), Signal()
        complete = Signal()
        pad = trits[len(trits) - 2 * padding :].any() if padding else Const(0)
        m.d.comb += [
            moves.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(moves),
            read.addr.eq(byte),
            read.en.eq(moves),
            complete.eq(count == size - 1),
            item.value.eq(vector),
        ]
        with m.If(moves):
            m.d.sync += [
                first.eq(self.i.valid),
                byte.eq(self.i.payload.byte),
                first_last.eq(self.i.payload.last),
                first_tags.eq(Cat(self.i.payload[tag] for tag in TAGS)),
                second_tags.eq(first_tags),
                second.eq(first),
                second_last.eq(first_last),
                second_bad.eq(byte >= _CODES),
                self.o.valid.eq(second & (complete | second_last)),
            ]
            with m.If(second):
                ends = complete | second_last
                bad = second_bad | wrong
                m.d.sync += [
                    vector.eq(Cat(vector, trits)[len(trits) :]),
                    count.eq(Mux(ends, 0, count + 1)),
                    wrong.eq(bad & ~ends),
                    item.wrong.eq(bad | (complete & pad)),
                    item.partial.eq(~complete),
                    item.last.eq(second_last),
                    *(item[tag].eq(second_tags[n]) for n, tag in enumerate(TAGS)),
                ]
        with m.If(self.clear):
            m.d.sync += [signal.eq(0) for signal in (first, second, self.o.valid, count, wrong)]
        return m
