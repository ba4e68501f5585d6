"""Lanes: one accumulator a row, fed with a sign-selected column of each bank in every cycle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from trine_hw.core.scanner import trit_layout
from trine_hw.primitives.fanout import fanout
from trine_sw.engine.memory_layout import MemoryLayout, signed_width
from trine_sw.model import CELLS

__all__ = ["Decisions", "Lanes", "Marker", "sign_select"]


class Marker(data.StructLayout):
    """What happens at the end of a group's columns.

    Members
    -------
    gates : the gate lanes' sums are whole: their cells take a step, and the lanes start anew
    head : the head lanes' sums are whole: they are handed over as logits; head lanes start anew at every
        marker
    drop : the gate lanes' sums are of no use and start anew
    group : the group whose sums these are
    next_group : the group that the lanes sum next
    last : the last group of a layer
    fresh : the state before this step is zero
    """

    def __init__(self, groups: int) -> None:
        index = unsigned(max(1, (groups - 1).bit_length()))
        super().__init__(
            {
                "gates": 1,
                "head": 1,
                "drop": 1,
                "group": index,
                "next_group": index,
                "last": 1,
                "fresh": 1,
            }
        )


class Decisions(data.StructLayout):
    """What the lanes of a cell of this kind decide, a bit each: ``CellSpec.lanes`` has their names.

    LSTM: i and o; f2 = f_half + f_full; g = g_up - g_down. GRU: z2 = z_half + z_full; r; the candidate is
    n_up - n_down where r = 1, x_up - x_down where r = 0. MGU: f2 = f_half + f_full; the candidate is n_up -
    n_down where f2 = 2, x_up - x_down otherwise.
    """

    def __init__(self, cell: str) -> None:
        super().__init__({name: 1 for lane in CELLS[cell].lanes for name in lane.decisions})


def sign_select(weight: Value, negative: Value) -> Value:
    """A weight trit times the sign of an active column: signed(2), one LUT4 beside the weight's own bit."""
    return Cat(weight[0], weight[0] & (weight[1] ^ negative)).as_signed()


def _by_group(index: Value, values: Sequence[int], width: int) -> Value:
    """A constant for each group; plain if all are the same."""
    if len(set(values)) == 1:
        return Const(values[0], signed(width))
    return Array([Const(v, signed(width)) for v in values])[index]


class Lanes(wiring.Component):
    """Accumulators for the rows of W and of the head.

    Contract: words and trits given in cycle ``n`` are in the sums of cycle ``n + 2``. A marker goes with a
    cycle that brings no trits (all words zero); in the cycle after it was given (``latency``), ``marker_o``
    shows it beside the sums of all earlier cycles: ``decisions``, as the comparisons of these sums with the
    rows' thresholds, and ``logits``. Sums start from ``MemoryLayout.start``, minus the upper threshold, so
    that this comparison is the sum's sign. With ``EngineConfig.relays``, trits and markers are given a cycle
    before their words, and every block of lanes has its own copy of them.

    Throughput: ``banks`` columns a cycle; a marker takes one cycle. Since it does, restarting a sum is the
    flip-flops' synchronous reset and costs no LUT where a lane serves one group.

    Cost on ECP5 (synth_ecp5, a lane of 264 columns and one group): 16, 21, 22, 34 LUT4 for 1, 2, 3, 4 banks,
    carry chain and comparisons counted; 28 with 3 banks and four groups; 31 of a GRU with 4 banks
    (``python -m sim.measure.area``).

    Parameters
    ----------
    layout : :class:`trine_sw.engine.memory_layout.MemoryLayout`
        Starts, thresholds and widths.
    magnitude_bits : :class:`int`
        Bits of an activation's magnitude that the head lanes multiply by (by selection); 0 for trits.

    Members
    -------
    words : :py:`In(data.ArrayLayout(data.ArrayLayout(signed(2), word_trits), banks))`
        The weights of a column of each bank.
    trits : :py:`In(data.ArrayLayout(trit_layout(magnitude_bits), banks))`
        The columns' signs and magnitudes; ``active`` is not looked at, an idle bank gives a word of zeros.
    fed : :py:`In(banks)`
        Where lanes share trits, with these: the column is of what the layer is fed with, not of its own h.
    marker, marker_o : :py:`Marker(groups)`
        In with the words, out with the sums.
    markers_o : :py:`Out(data.ArrayLayout(Marker(groups), len(geometry.blocks)))`
        ``marker_o``, a copy for the cells of each block.
    decisions : :py:`Out(data.ArrayLayout(Decisions(cell), units))`
        Of the cells of the marker's group.
    logits : :py:`Out(data.ArrayLayout(signed(logit_width), head_lanes))`
        Of the rows of the marker's group.
    """

    latency = 1

    def __init__(self, layout: MemoryLayout, magnitude_bits: int = 0) -> None:
        self.layout = layout
        self.magnitude_bits = magnitude_bits
        geometry = layout.geometry
        banks = geometry.engine.banks
        super().__init__(
            ({"fed": In(banks)} if geometry.model.spec.shares_trits else {})
            | {
                "words": In(data.ArrayLayout(data.ArrayLayout(signed(2), geometry.word_trits), banks)),
                "trits": In(data.ArrayLayout(trit_layout(magnitude_bits), banks)),
                "marker": In(Marker(geometry.groups)),
                "marker_o": Out(Marker(geometry.groups)),
                "markers_o": Out(data.ArrayLayout(Marker(geometry.groups), len(geometry.blocks))),
                "decisions": Out(data.ArrayLayout(Decisions(geometry.model.cell), geometry.units)),
                "logits": Out(data.ArrayLayout(signed(max(1, layout.logit_width)), geometry.head_lanes)),
            }
        )

    @staticmethod
    def model(
        layout: MemoryLayout,
        group: int,
        words: npt.NDArray[np.int64],
        trits: npt.NDArray[np.int64],
        fed: npt.NDArray[np.bool_],
    ) -> tuple[list[dict[str, int]], list[int]]:
        """Decisions of each unit and logits of each head lane, from words (N, word_trits) and, (N,) each,
        their activations and whether they are of what the layer is fed with."""
        geometry = layout.geometry
        units, spec = geometry.units, geometry.model.spec
        gates, each = geometry.gate_lanes, geometry.cell_lanes
        weights = words[:, [geometry.word_trit(lane) for lane in range(geometry.lanes)]]
        for number, lane in enumerate(spec.lanes):
            if lane.fed_alone:
                weights[~fed, number:gates:each] = 0
        sums = layout.start[group].copy()
        sums[:gates] += np.sign(trits) @ weights[:, :gates]
        sums[gates:] += trits @ weights[:, gates:]
        lower = layout.lower[group]
        decisions = []
        for unit in range(units):
            found: dict[str, int] = {}
            for number, lane in enumerate(spec.lanes):
                total, low = int(sums[each * unit + number]), int(lower[each * unit + number])
                found[lane.decisions[0]] = total >= 0
                if lane.kind != "switch":
                    found[lane.decisions[1]] = total >= low if lane.kind == "blend" else total <= low
            decisions.append(found)
        return decisions, [int(v) for v in sums[gates:]]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        geometry, engine = self.layout.geometry, self.layout.geometry.engine
        gates = geometry.gate_lanes
        each_cell = geometry.cell_lanes
        blocks = [range(each_cell * units.start, each_cell * units.stop) for units in geometry.blocks]
        blocks += [range(gates + lanes.start, gates + lanes.stop) for lanes in geometry.head_blocks]
        columns = self.trits.as_value()
        if geometry.model.spec.shares_trits:
            columns = Cat(columns, self.fed)
        if engine.relays:
            options = dict(count=len(blocks), block_ram=engine.block_ram)
            each = fanout(m, columns, name="trits", **options)
            markers = fanout(m, self.marker.as_value(), name="ahead", **options)
        else:
            each = [columns] * len(blocks)
            markers = [self.marker.as_value()] * len(blocks)
        for index, lanes in enumerate(blocks):
            ahead = data.View(Marker(geometry.groups), markers[index])
            marker = Signal(Marker(geometry.groups), name=f"marker_{index}")
            m.d.sync += marker.eq(ahead)
            if index < len(geometry.blocks):
                m.d.comb += self.markers_o[index].eq(marker)
            if index == 0:
                m.d.comb += self.marker_o.eq(marker)
            self._block(m, lanes, each[index], ahead, marker)
        return m

    def _block(self, m: Module, lanes: range, columns: Value, ahead: data.View, marker: data.View) -> None:
        layout, geometry = self.layout, self.layout.geometry
        gates = geometry.gate_lanes
        # From flip-flops of their own, since they reach every lane.
        restart_gates = Signal()
        restart_head = Signal()
        m.d.sync += [
            restart_gates.eq(ahead.gates | ahead.drop),
            restart_head.eq(ahead.gates | ahead.head),
        ]
        for lane in lanes:
            products = list(self._products(lane, columns))
            most = len(products) * (max(1, 2**self.magnitude_bits - 1) if lane >= gates else 1)
            total = Signal(signed(signed_width(-most, most)), name=f"products_{lane}", reset_less=True)
            m.d.sync += total.eq(sum(products))
            width = int(layout.width[lane])
            starts = [int(v) for v in layout.start[:, lane]]
            lane_sum = Signal(signed(width), init=starts[0], name=f"sum_{lane}")
            restart = restart_head if lane >= gates else restart_gates
            m.d.sync += lane_sum.eq(
                Mux(restart, _by_group(marker.next_group, starts, width), lane_sum + total)
            )
            if lane >= gates:
                m.d.comb += self.logits[lane - gates].eq(lane_sum)
            else:
                m.d.comb += self._decide(lane, lane_sum, marker.group)

    def _products(self, lane: int, columns: Value) -> Iterator[Value]:
        geometry = self.layout.geometry
        shape = self.trits.shape()
        trits, fed = data.View(shape, columns[: shape.size]), columns[shape.size :]
        head = lane >= geometry.gate_lanes
        spec = geometry.model.spec
        fed_alone = not head and spec.lanes[lane % geometry.cell_lanes].fed_alone
        for bank in range(geometry.engine.banks):
            weight = Value.cast(self.words[bank][geometry.word_trit(lane)])
            if fed_alone:
                weight = Cat(weight[0] & fed[bank], weight[1])
            product = sign_select(weight, trits[bank].negative)
            if head and self.magnitude_bits:
                # The head's product is the magnitude, its negative or 0, chosen by the trits' product.
                magnitude = trits[bank].magnitude
                yield (
                    Mux(product[0], magnitude, 0) ^ product[1].replicate(self.magnitude_bits + 1)
                ).as_signed() + product[1]
            else:
                yield product

    def _decide(self, lane: int, lane_sum: Signal, group: Value) -> list[object]:
        unit, number = divmod(lane, self.layout.geometry.cell_lanes)
        of_cell = self.layout.geometry.model.spec.lanes[number]
        kind, names = of_cell.kind, of_cell.decisions
        decisions = self.decisions[unit]
        reached = ~lane_sum[-1]
        if kind == "switch":
            return [decisions[names[0]].eq(reached)]
        lowers = [int(v) for v in self.layout.lower[:, lane]]
        lower_width = max(v.bit_length() for v in lowers) + 1
        lower = _by_group(group, lowers, lower_width)
        if kind == "trit":
            second = lane_sum <= lower
        else:
            second = lane_sum >= lower if any(lowers) else reached
        return [decisions[names[0]].eq(reached), decisions[names[1]].eq(second)]
