"""Scanner: lists the active columns of a vector of trits, one a cycle."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from trine_sw.support.arithmetic import ceil_div

__all__ = ["Entry", "Scanner", "encode", "first", "select", "trit_layout"]

#: Trits looked at together. Eight keep both halves of the search (word, trit) at three levels of LUT4.
_WORD = 8


def trit_layout(magnitude_bits: int) -> data.StructLayout:
    """An activation: whether its column is active, its sign (1: negative), its magnitude for the head."""
    return data.StructLayout({"active": 1, "negative": 1, "magnitude": unsigned(magnitude_bits)})


class Entry(data.StructLayout):
    """An active column, or the note that there is none.

    Members
    -------
    column : position within the vector
    trit : :func:`trit_layout`; ``active`` is 0 in the one entry that an all-zero vector gives
    final : 1 for the last entry of a vector
    """

    def __init__(self, size: int, magnitude_bits: int) -> None:
        super().__init__(
            {
                "column": unsigned(max(1, (size - 1).bit_length())),
                "trit": trit_layout(magnitude_bits),
                "final": 1,
            }
        )


def first(bits: Value) -> Value:
    """One-hot lowest set bit: of a word as logic, of more bits by a carry chain, which is smaller."""
    width = len(bits)
    if width <= _WORD:
        return Cat(bit & ~bits[:place].any() for place, bit in enumerate(bits))
    return (bits & (~bits + 1))[:width]


def at_most(count: int, bits: Value) -> Value:
    """Whether no more than ``count`` bits are set: what is asked of a word's halves is a LUT4 each."""
    halves = bits[: len(bits) // 2], bits[len(bits) // 2 :]

    def at_least(number: int, half: Value) -> Value:
        return Cat(Cat(Const(1), *some).all() for some in combinations(half, number)).any()

    shares = range(count + 2)  # of one more than ``count``, in the lower half
    return ~Cat(at_least(n, halves[0]) & at_least(count + 1 - n, halves[1]) for n in shares).any()


def select(one_hot: Value, items: Sequence[Value]) -> Value:
    """AND-OR selection of ``items`` by a one-hot value; 0 where no bit is set."""
    result: Value = Const(0, len(items[0]))
    for bit, item in zip(one_hot, items, strict=True):
        result = result | Mux(bit, item, 0)
    return result


def encode(one_hot: Value) -> Value:
    """Position of the set bit."""
    width = max(1, (len(one_hot) - 1).bit_length())
    return Cat(
        Cat(*(bit for i, bit in enumerate(one_hot) if i >> b & 1) or [Const(0, 1)]).any()
        for b in range(width)
    )


class Scanner(wiring.Component):
    """Turns the active trits of a captured vector into a queue of columns, lowest first.

    Contract: after ``load`` (or ``again``) in cycle ``n``, the first :class:`Entry` is at ``o`` in cycle
    ``n + 3`` unless earlier entries still wait there, and one more follows in every cycle in which the last
    was taken. A vector of zeros gives a single entry that is not active. Zero words of the vector cost
    nothing. ``idle`` says that every entry is at ``o`` or taken, so that ``load``, ``again`` or ``clear``
    may be given. From there the scanner runs ahead: the next vector's first entry can be taken three cycles
    after this one's last.

    Cost on ECP5 (synth_ecp5, 86 trits): 4.4 LUT4 and 2.9 FF a trit; 6.1 and 5.1 with magnitudes of 2 bits.

    Parameters
    ----------
    size : :class:`int`
        Trits in the vector. 0 is allowed: every load gives one entry that is not active.
    magnitude_bits : :class:`int`
        Bits of an activation's magnitude, 0 if the head sees trits only.

    Members
    -------
    trits : :py:`In(data.ArrayLayout(trit_layout(magnitude_bits), size))`
        The vector, captured at ``load``.
    load, again, clear : :py:`In(1)`
        Capture ``trits`` and scan them; scan the captured vector once more; capture zeros and scan them.
    idle : :py:`Out(1)`
        Ready for the next of these.
    o : :py:`Out(stream.Signature(Entry(size, magnitude_bits)))`
        The queue.
    """

    latency = 3

    def __init__(self, size: int, magnitude_bits: int = 0) -> None:
        if size < 0:
            raise ValueError(f"size must not be negative, not {size}")
        self.size = size
        self.magnitude_bits = magnitude_bits
        super().__init__(
            {
                "trits": In(data.ArrayLayout(trit_layout(magnitude_bits), size)),
                "load": In(1),
                "again": In(1),
                "clear": In(1),
                "idle": Out(1, init=1),
                "o": Out(stream.Signature(Entry(size, magnitude_bits))),
            }
        )

    @staticmethod
    def model(values: Sequence[int]) -> list[tuple[int, int, bool]]:
        """The entries ``(column, value, final)`` of a vector of signed magnitudes."""
        columns = [i for i, value in enumerate(values) if value]
        return [(i, values[i], i == columns[-1]) for i in columns] or [(0, 0, True)]

    def elaborate(self, platform: object) -> Module:
        """The vector is scanned in words of a few trits, in two steps that overlap.

        One bit a word says whether it has an active trit. The first such word is fetched; its active trits
        leave one a cycle, lowest first; the next word is fetched in the cycle in which the last trit of this
        one leaves, so that no cycle is lost between words. Every choice is one-hot, and is made a cycle
        before it is used, since ``load`` and the room at ``o`` come late in a cycle.
        """
        m = Module()
        trit = Shape.cast(trit_layout(self.magnitude_bits)).width
        words = max(1, ceil_div(self.size, _WORD))
        padded = words * _WORD * trit

        held, offered = Signal(padded), Signal(padded)
        m.d.comb += offered.eq(self.trits.as_value())
        start = Signal()
        m.d.comb += start.eq(self.load | self.again | self.clear)

        def word(value: Value, index: int) -> Value:
            return value[index * _WORD * trit : (index + 1) * _WORD * trit]

        def actives(value: Value) -> Value:
            return Cat(value[i * trit] for i in range(_WORD))

        # Which words have an active trit, and the first of these. ``load`` and its like come late in a cycle,
        # so that one choice alone stands behind them.
        given, kept, started, started_at = (Signal(words) for _ in range(4))
        load, again = self.load.replicate(words), self.again.replicate(words)
        m.d.comb += [
            given.eq(Cat(actives(word(offered, i)).any() for i in range(words))),
            started.eq((load & given) | (again & kept)),
            started_at.eq((load & first(given)) | (again & first(kept))),
        ]

        pending = Signal(words)  # words with an active trit that have not been fetched
        unfetched = Signal()  # any of these; of a vector just captured its first word, active or not
        current = Signal(_WORD)  # active trits of the fetched word that are not yet queued
        current_word = Signal(_WORD * trit)
        current_index = Signal(max(1, (words - 1).bit_length()))
        current_valid = Signal()

        next_word = Signal(words)  # the first of them, chosen a cycle before it is fetched
        rest = Signal(words)
        m.d.comb += rest.eq(pending & ~next_word)
        lowest = Signal(_WORD)
        m.d.comb += lowest.eq(first(current))
        # No more than one bit of ``current``: of a word just fetched, of one that an entry was taken of. Not
        # made of ``current``, and in two registers, since ``fetch`` comes late in the cycle.
        exhausted, untouched = Signal(), Signal()
        one_fetched, one_left = Signal(), Signal(init=1)
        m.d.comb += exhausted.eq(Mux(untouched, one_fetched, one_left))
        room = Signal()
        m.d.comb += room.eq(~self.o.valid | self.o.ready)
        fetch = Signal()
        m.d.comb += fetch.eq(unfetched & (~current_valid | (exhausted & room)))
        # Always ~unfetched & ~current_valid. It starts the next load, in all banks: made of these two, that
        # would come too late in the cycle.
        m.d.sync += self.idle.eq(~start & ~unfetched & (~current_valid | (exhausted & room)))

        with m.If(current_valid & room):
            m.d.sync += [current.eq(current & ~lowest), one_left.eq(at_most(2, current)), untouched.eq(0)]
        with m.If(fetch):
            fetched = Signal(_WORD * trit)
            m.d.comb += fetched.eq(select(next_word, [word(held, i) for i in range(words)]))
            m.d.sync += [
                current_valid.eq(1),
                current_word.eq(fetched),
                current.eq(actives(fetched)),
                one_fetched.eq(at_most(1, actives(fetched))),
                untouched.eq(1),
                current_index.eq(encode(next_word)),
                unfetched.eq(rest.any()),
            ]
        with m.Elif(exhausted & room):
            m.d.sync += current_valid.eq(0)

        # Both are 0 when a scan starts.
        m.d.sync += [
            pending.eq(Mux(fetch, rest, pending) | started),
            next_word.eq(Mux(fetch, first(rest), next_word) | started_at),
        ]
        with m.If(start):
            m.d.sync += [kept.eq(started), unfetched.eq(1)]
        with m.If(self.load):  # after ``clear`` no word of what is held is looked at
            m.d.sync += held.eq(offered)

        entry = self.o.payload
        with m.If(room):
            m.d.sync += self.o.valid.eq(current_valid)
            m.d.sync += [
                entry.column.eq(Cat(encode(lowest), current_index)),
                entry.trit.eq(
                    select(lowest, [current_word[i * trit : (i + 1) * trit] for i in range(_WORD)])
                ),
                entry.final.eq(exhausted & ~unfetched),
            ]
        return m
