"""Logit stream: the head lanes' sums, a few logits a cycle."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Array, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from trine_sw.engine import Geometry

__all__ = ["LogitBeat", "LogitStream"]


class LogitBeat(data.StructLayout):
    """``ways`` logits in order of their rows.

    Members
    -------
    logit : the values
    mask : which of them are rows of the vocabulary: all but in a token's last beat
    last : the token's last beat
    """

    def __init__(self, ways: int, width: int) -> None:
        super().__init__({"logit": data.ArrayLayout(signed(width), ways), "mask": ways, "last": 1})


class LogitStream(wiring.Component):
    """Takes the sums of all head lanes at once and sends them on, ``sampler_ways`` in a cycle.

    Contract: ``load`` in cycle ``n`` captures ``sums``, the rows of ``group``; their first beat is at ``o``
    in cycle ``n + 1``. ``drained`` is 1 in the cycle in which the group's last beat is taken; ``load`` may
    be given from the cycle after.

    Cost: one LUT4 and one FF a bit of the sums (a shift register), and a LUT4 a bit of a beat.

    Parameters
    ----------
    geometry : :class:`trine_sw.engine.Geometry`
        Head lanes, groups and ways.
    width : :class:`int`
        Bits of a logit.

    Members
    -------
    sums, group, load : In
    o : Out(stream of :class:`LogitBeat`)
    drained : Out(1)
    """

    latency = 1

    def __init__(self, geometry: Geometry, width: int) -> None:
        if not geometry.head_lanes:
            raise ValueError("this geometry has no head on the board")
        self.geometry = geometry
        self.width = width
        super().__init__(
            {
                "sums": In(data.ArrayLayout(signed(width), geometry.head_lanes)),
                "group": In(range(max(2, geometry.groups))),
                "load": In(1),
                "o": Out(stream.Signature(LogitBeat(geometry.engine.sampler_ways, width))),
                "drained": Out(1),
            }
        )

    @staticmethod
    def model(geometry: Geometry, logits: Sequence[int]) -> list[tuple[list[int], bool]]:
        """Beats ``(logits, last)`` of a token; the lists hold the rows of the vocabulary only."""
        beats = []
        for group in range(geometry.head_groups):
            rows = list(logits[group * geometry.head_lanes : (group + 1) * geometry.head_lanes])
            ways = geometry.engine.sampler_ways
            beats += [rows[i : i + ways] for i in range(0, len(rows), ways)]
        return [(beat, beat is beats[-1]) for beat in beats]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        geometry, ways = self.geometry, self.geometry.engine.sampler_ways
        final_group = geometry.head_groups - 1
        final_rows = geometry.head_rows - final_group * geometry.head_lanes
        beats = [geometry.head_beats(group) for group in range(geometry.head_groups)]

        chain = Signal(geometry.head_lanes * self.width, reset_less=True)
        left = Signal(range(max(beats) + 1))  # beats not taken
        final = Signal()
        transfer = Signal()
        # The chain is all over the chip, and ``ready`` comes late in a cycle: it shifts a cycle after the
        # transfer, and until then the beat after the first is the one at ``o``.
        shift = Signal()
        beat = ways * self.width
        m.d.sync += shift.eq(transfer)
        m.d.comb += [
            self.o.valid.eq(left != 0),
            transfer.eq(self.o.valid & self.o.ready),
            self.drained.eq(transfer & (left == 1)),
            self.o.payload.logit.as_value().eq(Mux(shift, chain[beat : 2 * beat], chain[:beat])),
            self.o.payload.last.eq(final & (left == 1)),
            self.o.payload.mask.eq(
                Mux(self.o.payload.last, (1 << (final_rows - (beats[-1] - 1) * ways)) - 1, (1 << ways) - 1)
            ),
        ]
        m.d.sync += left.eq(left - transfer)
        with m.If(shift):
            m.d.sync += chain.eq(chain >> beat)
        with m.If(self.load):
            m.d.sync += [
                chain.eq(self.sums.as_value()),
                left.eq(beats[0] if len(set(beats)) == 1 else Array(beats)[self.group]),
                final.eq(self.group == final_group),
            ]
        return m
