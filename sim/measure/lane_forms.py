"""Forms of a lane, each synthesised alone for the ECP5: ``python -m sim.measure.lane_forms`` prints
docs/engine.md's table.

A lane takes the weights of three columns in a cycle, adds each with its column's sign to a sum of eleven
bits, and starts the sum anew at a marker. What differs is how weights are coded and added, and what restarts
the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from sim.measure.area import cost
from trine_hw.core.lanes import sign_select

__all__ = ["BANKS", "FORMS", "LaneForm", "code_3_in_5", "forms"]

BANKS = 3
WIDTH = 11
_LANES = 18
_START, _LOWER = -37, -9  # thresholds as good as any


def _selected(words: list[Value], signs: Value) -> Any:
    """The three products, sign-selected one by one."""
    return sum(sign_select(word, signs[bank]) for bank, word in enumerate(words))


def _sorted(words: list[Value], signs: Value) -> Any:
    """All columns of a slot have one sign: the weights' sum is added or subtracted as a whole."""
    return sum(word.as_signed() for word in words)


def _popcount(words: list[Value], signs: Value) -> Any:
    """Twice the positive products and once the zeros, less three."""
    products = [sign_select(word, signs[bank]) for bank, word in enumerate(words)]
    ups = sum(product[0] & ~product[1] for product in products)
    zeros = sum(~product[0] for product in products)
    return ((ups << 1) + zeros - BANKS).as_signed()


def _difference(words: list[Value], signs: Value) -> Any:
    """Positive products less negative ones."""
    products = [sign_select(word, signs[bank]) for bank, word in enumerate(words)]
    ups = sum(product[0] & ~product[1] for product in products)
    return (ups - sum(product[1] for product in products)).as_signed()


class LaneForm(wiring.Component):
    """Lanes of one form, side by side.

    Contract: weights and signs of cycle ``n``, and ``again``, which restarts the sum, are in ``o`` from cycle
    ``n + 2`` on (``n + 1`` where the products have no register).

    Parameters
    ----------
    products : of the list of words, two bits each, and the signs: a signed value
    registered : the products have a register
    restart : ``"reset"``, the flip-flops' own, or ``"select"``, a choice in front of them
    whole_sign : the sign of the first bank is that of all, and is applied as the sum is added
    packed : words come in the 3-in-5 code
    """

    def __init__(
        self,
        products: Callable[[list[Value], Value], Any],
        *,
        registered: bool = True,
        restart: str = "reset",
        whole_sign: bool = False,
        packed: bool = False,
        lanes: int = _LANES,
    ) -> None:
        self.products, self.registered, self.restart = products, registered, restart
        self.whole_sign, self.packed, self.lanes = whole_sign, packed, lanes
        bits = 5 * lanes // 3 if packed else 2 * lanes
        super().__init__(
            {
                "words": In(data.ArrayLayout(bits, BANKS)),
                "signs": In(BANKS),
                "again": In(1),
                "o": Out(data.ArrayLayout(signed(WIDTH), lanes)),
                "below": Out(lanes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        again, sign = self.again, self.signs[0]
        if self.registered:
            late = Signal(2)
            m.d.sync += late.eq(Cat(self.again, self.signs[0]))
            again, sign = late[0], late[1]
        for lane in range(self.lanes):
            words = [self._trit(self.words[bank], lane) for bank in range(BANKS)]
            total = Signal(signed(3), name=f"total_{lane}", reset_less=True)
            domain = m.d.sync if self.registered else m.d.comb
            domain += total.eq(self.products(words, self.signs))
            lane_sum = Signal(signed(WIDTH), name=f"sum_{lane}", init=_START)
            added = lane_sum + total
            if self.whole_sign:
                added = lane_sum + (total.as_unsigned() ^ sign.replicate(3)).as_signed() + sign
            if self.restart == "select":
                # A signal's own multiplexer, which synthesis may not turn into a reset.
                start = Signal(signed(WIDTH), name=f"start_{lane}", attrs={"keep": 1})
                m.d.comb += start.eq(Mux(again, _START, added))
                m.d.sync += lane_sum.eq(start)
            else:
                m.d.sync += lane_sum.eq(Mux(again, Const(_START, signed(WIDTH)), added[:WIDTH]))
            # A gate's comparison. It is the longest path, as in the engine: without it, synthesis would spend
            # area to make the products faster than they need to be.
            m.d.comb += [self.o[lane].eq(lane_sum), self.below[lane].eq(lane_sum <= _LOWER)]
        return m

    def _trit(self, word: Value, lane: int) -> Any:
        """Two bits, two's complement."""
        if not self.packed:
            return word[2 * lane : 2 * lane + 2]
        code = word[5 * (lane // 3) :][:5]
        f, signs, place = code[:2], code[2:5], lane % 3
        after, before = (place + 1) % 3, (place + 2) % 3
        zero = (
            (f == place + 1)
            | (f == before + 1) & signs[before]
            | (f == after + 1) & signs[after] & signs[before]
        )
        return Cat(~zero, signs[place])


def code_3_in_5(trits: tuple[int, int, int]) -> int:
    """The code of three trits: f, which says what is zero, in the lower two bits, and the signs.

    f = 0: nothing; otherwise trit f - 1, whose sign says whether the next one in the circle is zero too,
    whose sign says whether all are.
    """
    zeros = [place for place, trit in enumerate(trits) if not trit]
    bits = [int(trit < 0) for trit in trits]
    if not zeros:
        f = 0
    elif len(zeros) == 1:
        f = zeros[0] + 1
    else:
        # The first of two zeros that follow each other in the circle; of three, any.
        first = next(place for place in zeros if (place + 1) % 3 in zeros)
        f = first + 1
        bits[first] = 1
        if len(zeros) == 3:
            bits[(first + 1) % 3] = 1
    return f | bits[0] << 2 | bits[1] << 3 | bits[2] << 4


#: Names and forms.
FORMS: dict[str, Callable[..., LaneForm]] = {
    "products by sign, register, sum; restart by reset (built)": lambda **k: LaneForm(_selected, **k),
    "the same, restart by a choice in front": lambda **k: LaneForm(_selected, restart="select", **k),
    "products and sum in one stage": lambda **k: LaneForm(_selected, registered=False, **k),
    "positive less negative": lambda **k: LaneForm(_difference, **k),
    "2 × positive + zeros - 3": lambda **k: LaneForm(_popcount, **k),
    "columns sorted by sign, sum added or subtracted": lambda **k: LaneForm(_sorted, whole_sign=True, **k),
    "3 trits in 5 bits": lambda **k: LaneForm(_selected, packed=True, **k),
}


def forms() -> Iterator[tuple[str, float, float]]:
    """Each form's name, LUT4 and flip-flops a lane."""
    for name, make in FORMS.items():
        lut4, ff, _ = cost(make())
        yield name, lut4 / _LANES, ff / _LANES


def main() -> None:
    """Print the table, in Markdown."""
    print("| form of a lane, 3 banks | LUT4 | flip-flops |\n|---|---:|---:|")
    for name, lut4, ff in forms():
        print(f"| {name} | {lut4:.1f} | {ff:.1f} |", flush=True)


if __name__ == "__main__":
    main()
