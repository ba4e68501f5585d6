"""Input unpacker: tokens, or vectors of trits packed five to a byte, from a payload's bytes."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from trine_hw.link.payload_reader import TAGS, FrameByte, ItemByte
from trine_sw.link.records import Codec
from trine_sw.model.trits import TRITS_PER_BYTE

__all__ = ["Item", "InputUnpacker"]

_LARGEST = 3**TRITS_PER_BYTE - 1


class Item(data.StructLayout):
    """A token or a vector.

    Members
    -------
    value : the token's number, or two bits a trit as in :func:`trine_hw.core.token_source.trit_code`
    wrong : it is outside the vocabulary, or a byte codes no five trits, or padding is not 0
    partial : the payload ended within it
    last : the payload's last
    begins, closes, ends : with ``tagged``, its :data:`TAGS`
    """

    def __init__(self, codec: Codec, *, tagged: bool = False) -> None:
        info = codec.info
        width = 8 * codec.token_bytes if info.embedding_on_board else 2 * info.embedding
        tags = dict.fromkeys(TAGS, 1) if tagged else {}
        super().__init__({"value": unsigned(width), "wrong": 1, "partial": 1, "last": 1} | tags)


class InputUnpacker(wiring.Component):
    """Assembles items.

    Contract: the bytes at ``i``, up to the one with ``last``, give one :class:`Item` for each
    ``codec.item_bytes`` of them, and a partial one for a rest. ``clear`` forgets what has been assembled.

    Latency: a cycle after its last byte for a token; a byte of trits takes up to ``most_cycles`` to unpack,
    by taking 3**k from it until it is less. Area: about 75 LUT4, carries counted, and the item's flip-flops.

    Parameters
    ----------
    codec : :class:`trine_sw.link.records.Codec`
    tagged : :class:`bool`
        Whether the bytes, and so the items, have :data:`TAGS`: those of an item's last byte are the item's.

    Members
    -------
    i : :py:`In(stream.Signature(FrameByte()))`, or of :class:`ItemByte`
    o : :py:`Out(stream.Signature(Item(codec)))`
    clear : :py:`In(1)`
    """

    #: Of a byte of trits, from its transfer to the next byte's: two for each of 15 trials, and three more.
    most_cycles = 33

    def __init__(self, codec: Codec, *, tagged: bool = False) -> None:
        self.codec, self.tags = codec, TAGS if tagged else ()
        super().__init__(
            {
                "i": In(stream.Signature(ItemByte() if tagged else FrameByte())),
                "o": Out(stream.Signature(Item(codec, tagged=tagged))),
                "clear": In(1),
            }
        )

    @staticmethod
    def model(codec: Codec, payload: bytes) -> list[dict[str, int]]:
        """The items of a payload that is not empty, with what :class:`Item` says of each.

        Of a partial item ``value`` is left out; so is that of a vector with a byte that codes no five trits.
        """
        size, width = codec.item_bytes, codec.info.embedding
        found = []
        for at in range(0, len(payload), size):
            part = payload[at : at + size]
            partial = len(part) < size
            item = {"partial": int(partial), "last": int(at + size >= len(payload))}
            if codec.info.embedding_on_board:
                value = int.from_bytes(part, "little")
                item["wrong"] = int(not partial and value >= codec.info.vocab_size)
                known = not partial
            else:
                trits = [byte // 3**k % 3 - 1 for byte in part for k in range(TRITS_PER_BYTE)]
                value = sum((trit & 3) << 2 * n for n, trit in enumerate(trits[:width]))
                known = not partial and max(part) <= _LARGEST
                item["wrong"] = int(max(part) > _LARGEST or (not partial and any(trits[width:])))
            found.append(item | ({"value": value} if known else {}))
        return found

    def elaborate(self, platform: object) -> Module:
        m = Module()
        codec, item = self.codec, self.o.payload
        count = Signal(range(codec.item_bytes + 1))  # bytes of the item that have come
        complete = count + 1 == codec.item_bytes
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        finish = Signal()
        with m.If(finish):
            m.d.sync += [self.o.valid.eq(1), count.eq(0)]
        if codec.info.embedding_on_board:
            self._token(m, count, complete, finish, item)
        else:
            self._vector(m, count, complete, finish, item)
        with m.If(self.clear):
            m.d.sync += [self.o.valid.eq(0), count.eq(0)]
        return m

    def _token(self, m: Module, count: Signal, complete, finish: Signal, item) -> None:
        byte = self.i.payload.byte
        token = Signal(8 * self.codec.token_bytes)
        taken = Signal()
        m.d.comb += [
            self.i.ready.eq(~self.o.valid),
            taken.eq(self.i.valid & self.i.ready),
            finish.eq(taken & (complete | self.i.payload.last)),
            token.eq(Cat(item.value, byte)[8:]),
        ]
        with m.If(taken):
            m.d.sync += [
                count.eq(Mux(finish, 0, count + 1)),
                item.value.eq(token),
                item.wrong.eq(complete & (token >= self.codec.info.vocab_size)),
                item.partial.eq(~complete),
                item.last.eq(self.i.payload.last),
                *(item[tag].eq(self.i.payload[tag]) for tag in self.tags),
            ]

    def _vector(self, m: Module, count: Signal, complete, finish: Signal, item) -> None:
        size = self.codec.item_bytes
        padding = TRITS_PER_BYTE * size - self.codec.info.embedding
        rest = Signal(8)
        place = Signal(range(TRITS_PER_BYTE))  # k, from the highest down
        digit = Signal(2)
        trits = Signal(2 * TRITS_PER_BYTE)
        vector = Signal(2 * TRITS_PER_BYTE * size)
        wrong, last = Signal(), Signal()
        shift = Signal()  # a register, since all of a wide vector waits for it
        weight = Signal(8)
        difference = Signal(9)  # rest - weight, and whether that is negative
        trit = Signal(2)
        m.d.comb += [
            weight.eq(Array([Const(3**k, 8) for k in range(TRITS_PER_BYTE)])[place]),
            trit.eq(Cat(~digit[0], digit == 0)),  # 0, 1, 2 are -1, 0, +1
            item.value.eq(vector),
        ]
        with m.If(shift):
            m.d.sync += [vector.eq(Cat(vector, trits)[len(trits) :]), shift.eq(0)]
        with m.FSM():
            with m.State("Byte"):
                m.d.comb += self.i.ready.eq(~self.o.valid)
                with m.If(self.i.valid & self.i.ready):
                    m.d.sync += [
                        rest.eq(self.i.payload.byte),
                        last.eq(self.i.payload.last),
                        wrong.eq(((count != 0) & wrong) | (self.i.payload.byte > _LARGEST)),
                        place.eq(TRITS_PER_BYTE - 1),
                        digit.eq(0),
                    ]
                    m.next = "Subtract"
            with m.State("Subtract"):  # a cycle of its own: what becomes of it follows in the next
                m.d.sync += difference.eq(rest - weight)
                m.next = "Digit"
                with m.If(self.clear):
                    m.next = "Byte"
            with m.State("Digit"):
                m.next = "Subtract"
                with m.If(~difference[-1] & (digit != 2)):
                    m.d.sync += [rest.eq(difference), digit.eq(digit + 1)]
                with m.Else():
                    m.d.sync += [trits.eq(Cat(trit, trits)), digit.eq(0), place.eq(place - 1)]
                    with m.If(place == 0):
                        m.next = "Item"
                with m.If(self.clear):
                    m.next = "Byte"
            with m.State("Item"):
                m.d.sync += shift.eq(1)
                m.next = "Shift"
            with m.State("Shift"):
                pad = trits[len(trits) - 2 * padding :] if padding else Const(0, 1)
                m.d.comb += finish.eq(complete | last)
                m.d.sync += [
                    item.wrong.eq(wrong | (complete & pad.any())),
                    item.partial.eq(~complete),
                    item.last.eq(last),
                ]
                with m.If(~finish):
                    m.d.sync += count.eq(count + 1)
                m.next = "Byte"
