"""A lane for each number of states of weights and activations, synthesised alone for the ECP5: ``python -m
sim.measure.lane_states`` prints docs/engine.md's table.

A lane takes the weights of three columns in a cycle, multiplies each by its column's activation, adds the
products to a sum, and starts the sum anew at a marker, as the engine's lane does with trits. The multiples of
an activation are there once for all lanes, and a lane chooses among them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from sim.measure.area import cost
from trine_hw.core.lanes import sign_select
from trine_sw.engine.memory_layout import signed_width

__all__ = ["BANKS", "PAIRS", "StateLanes", "lanes", "packed_bits", "word_bits"]

BANKS = 3
COLUMNS = 600
PAIRS = tuple(product((2, 3, 5), (2, 3, 5, 7)))
_LANES = 18
_WEIGHTS = 4 * 300 * COLUMNS  # of an LSTM of 300 units
_START, _LOWER = -37, -9  # thresholds as good as any


def word_bits(weights: int) -> int:
    """Bits of a weight as a lane reads it: two's complement, of two states its sign alone."""
    return {2: 1, 3: 2, 5: 3}[weights]


def packed_bits(weights: int) -> float:
    """Bits of a weight as it is best packed: five of three states in 8 bits, three of five in 7."""
    return {2: 1.0, 3: 8 / 5, 5: 7 / 3}[weights]


def _largest(states: int) -> int:
    return max(1, states // 2)


class StateLanes(wiring.Component):
    """Lanes of one pair of numbers of states, side by side.

    Contract: weights and activations of cycle ``n``, and ``again``, which restarts the sum, are in ``o`` from
    cycle ``n + 2`` on; ``negated`` is minus the activations. A bank without a column has an activation of 0.

    Parameters
    ----------
    weights, activations : numbers of states
    chained : two adders of two numbers, one after the other, which synthesis may not make one of three
    """

    def __init__(self, weights: int, activations: int, *, chained: bool = False, lanes: int = _LANES) -> None:
        self.chained = chained
        self.weights, self.activations, self.lanes = weights, activations, lanes
        self.bound = BANKS * _largest(weights) * _largest(activations)
        reach = COLUMNS // BANKS * self.bound
        self.width = signed_width(-reach, reach)
        super().__init__(
            {
                "words": In(data.ArrayLayout(word_bits(weights) * lanes, BANKS)),
                "values": In(data.ArrayLayout(signed(3), BANKS)),
                "negated": In(data.ArrayLayout(signed(3), BANKS)),
                "again": In(1),
                "o": Out(data.ArrayLayout(signed(self.width), lanes)),
                "below": Out(lanes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        again = Signal()
        m.d.sync += again.eq(self.again)
        for lane in range(self.lanes):
            total = Signal(
                signed(signed_width(-self.bound, self.bound)), name=f"total_{lane}", reset_less=True
            )
            products = [self._product(bank, lane) for bank in range(BANKS)]
            if self.chained:
                # Narrower ones are made of LUTs, and not of carry cells.
                width = max(5, signed_width(-self.bound, self.bound))
                pair = Signal(signed(width), name=f"pair_{lane}", attrs={"keep": 1})
                third = Signal.like(pair, name=f"third_{lane}", attrs={"keep": 1})
                m.d.comb += [pair.eq(products[0] + products[1]), third.eq(products[2])]
                products = [pair, third]
            m.d.sync += total.eq(sum(products))
            lane_sum = Signal(signed(self.width), name=f"sum_{lane}", init=_START)
            added = (lane_sum + total)[: self.width]
            m.d.sync += lane_sum.eq(Mux(again, Const(_START, signed(self.width)), added))
            # As in the other forms, a gate's comparison, which is the longest path.
            m.d.comb += [self.o[lane].eq(lane_sum), self.below[lane].eq(lane_sum <= _LOWER)]
        return m

    def _product(self, bank: int, lane: int) -> Any:
        bits = word_bits(self.weights)
        word: Value = self.words[bank][bits * lane : bits * (lane + 1)]
        value, negated = self.values[bank], self.negated[bank]
        if self.activations <= 3:
            there, negative = value[0], value[-1]
            if self.weights == 2:  # nothing in a word says that there is no column
                return Cat(there, there & (word ^ negative)).as_signed()
            if self.activations == 2:
                return word.as_signed()  # the word of a bank without a column is 0
            if self.weights == 3:
                return sign_select(word, negative)
            return Mux(negative, -word.as_signed(), word.as_signed())
        if self.weights == 2:
            return Mux(word, negated, value)
        once = Mux(word[-1], negated, value)
        if self.weights == 3:
            return Mux(word[0], once, 0)
        return Mux(word[0], once, Mux(word[1], once << 1, 0))


def lanes() -> Iterator[tuple[int, int, float, float]]:
    """Of each pair: states of weights and of activations, LUT4 and flip-flops a lane, of the smaller form."""
    for weights, activations in PAIRS:
        forms = (False, True) if activations > 3 else (False,)  # products of two bits need no carry chain
        costs = [cost(StateLanes(weights, activations, chained=chained)) for chained in forms]
        lut4, ff, _ = min(costs)
        yield weights, activations, lut4 / _LANES, ff / _LANES


def main() -> None:
    """Print the table, in Markdown."""
    print("| states of W | of x and h | LUT4 a lane | flip-flops a lane | bits of W |")
    print("|---:|---:|---:|---:|---:|")
    for weights, activations, lut4, ff in lanes():
        built = " (built)" if weights == activations == 3 else ""
        bits = f"{_WEIGHTS * packed_bits(weights):,.0f}"
        print(f"| {weights} | {activations}{built} | {lut4:.1f} | {ff:.1f} | {bits} |", flush=True)


if __name__ == "__main__":
    main()
