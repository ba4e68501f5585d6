"""Sequencer: the order of passes, and the markers that end a group's sums."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from amaranth.hdl import Array, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from trine_hw.core.lanes import Marker
from trine_hw.core.token_source import Flags
from trine_sw.engine import Geometry

__all__ = ["Sequencer", "TokenFlags"]


@dataclass(frozen=True)
class TokenFlags:
    """:class:`trine_hw.core.token_source.Flags` in Python, for :meth:`Sequencer.model`; ``feeds_back``: the
    choice of this token, which generates, is the next token."""

    reset: bool = False
    head: bool = False
    last: bool = False
    reseed: bool = False
    generate: bool = False
    feeds_back: bool = False


class _Shared:
    """Signals between the parts of a :class:`Sequencer`."""

    def __init__(self, geometry: Geometry) -> None:
        # Tokens: one in its step (``token``), one behind it, its x in the scanners already (``following``).
        self.token = Signal(Flags())
        self.following = Signal(Flags())
        self.token_valid = Signal()
        self.following_valid = Signal()
        self.release = Signal()  # the token's step ends
        # The token whose h the lanes sum: what its head still wants.
        self.head_wanted = Signal()  # in the next step, or in this head pass
        self.head_reseed = Signal()  # the sampler is to be seeded before the next logits
        self.head_generate = Signal()
        self.in_head = Signal()  # a head pass
        self.h_summed = Signal()  # this step's h is in the lanes already
        self.group = Signal(range(max(2, geometry.groups)))
        self.h_head = Signal()  # the columns of the head pass are not yet scanned
        self.h_skip = Signal()  # the step will find h summed by the head pass


class Sequencer(wiring.Component):
    """Leads each token through its passes.

    A *step* sums W·[x_t ; h_{t-1}] and, beside it, the head's W_o·h_{t-1} if that was left for this pass;
    each group ends with a marker. A *head pass* sums W_o·h_t alone, when a token's logits are wanted before
    the next token. In an engine of one group a head pass leaves W·[0 ; h_t] in the gate lanes for a token
    that is sure to follow: its step then issues x's columns only.

    In a stack a step sums one layer after the other. The scanners of x then scan slot A, those of h slot B
    (:class:`trine_sw.engine.Geometry`): ``x_layer`` and ``h_layer`` say of which layer. Logits always come
    with a head pass.

    Contract: the scanners are loaded as soon as they are idle and their vector is known, so x's columns of
    the next token are ready when the step before ends. A marker follows the last column of a group at once,
    in the only slot without columns, unless it waits for room: no more than ``state_buffer`` groups of
    states under way, and one group of logits.

    Parameters
    ----------
    geometry : :class:`trine_sw.engine.Geometry`

    Members
    -------
    token_valid, token_flags, take : from :class:`trine_hw.core.token_source.TokenSource`
    feeds_back : In(1), likewise
    x_idle, h_idle : In(1)
        All scanners of x, of h, can be loaded.
    x_load, x_again, x_clear, h_load, h_again, h_clear : Out(1)
        To the scanners; ``x_load`` is ``take`` or, above the first layer, a load of h.
    x_layer, h_layer : Out
        The layer that slot A is loaded for, and that whose h slot B is loaded with.
    committed : In(1)
        The last group of a layer's new h is there.
    issue_done, begin, with_x, with_h, base : from and to :class:`trine_hw.core.column_issue.ColumnIssue`
    above : to it, of a stack where lanes share trits
    state_taken, logits_drained : In(1)
        Room.
    marker : Out(:class:`trine_hw.core.lanes.Marker`)
        Belonging to the slot; all zero if the slot is no marker's.
    reseed : Out(1)
        With a head marker: the sampler is to be seeded before these logits.
    """

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        super().__init__(
            ({"above": Out(1)} if geometry.model.layers > 1 and geometry.model.spec.shares_trits else {})
            | {
                "token_valid": In(1),
                "token_flags": In(Flags()),
                "take": Out(1),
                "feeds_back": In(1),
                "x_idle": In(1),
                "x_load": Out(1),
                "x_again": Out(1),
                "x_clear": Out(1),
                "x_layer": Out(range(geometry.model.layers)),
                "h_idle": In(1),
                "h_load": Out(1),
                "h_again": Out(1),
                "h_clear": Out(1),
                "h_layer": Out(range(geometry.model.layers)),
                "committed": In(1),
                "issue_done": In(1),
                "begin": Out(1),
                "with_x": Out(1),
                "with_h": Out(1),
                "base": Out(range(geometry.depth)),
                "state_taken": In(1),
                "logits_drained": In(1),
                "marker": Out(Marker(geometry.groups)),
                "reseed": Out(1),
            }
        )

    @staticmethod
    def model(
        geometry: Geometry, tokens: Iterable[TokenFlags]
    ) -> tuple[list[dict[str, int]], dict[str, list[tuple[str, int]]]]:
        """All markers in their order, and what the scanners of ``x`` and of ``h`` are told in theirs.

        A marker has ``reseed`` and, of the group that follows it, ``base``, ``with_x`` and ``with_h``. That
        of a head pass has no ``fresh``. A load is ``load``, ``again`` or ``clear`` and its layer, 0
        for ``again``; ``h``'s layer is that whose h it is.
        """
        layers, replays = geometry.model.layers, geometry.layer_groups - 1
        head_passes = max(geometry.head_groups, 1)
        markers: list[dict[str, int]] = []
        loads: dict[str, list[tuple[str, int]]] = {"x": [], "h": []}
        wanted = reseed = False  # of the logits that the next pass gives
        summed = False  # the head pass has left h in the lanes

        def mark(group: int, groups: int, *, gates: bool, drop: bool, **step: int) -> None:
            nonlocal reseed
            head = wanted and group < geometry.head_groups
            following = (group + 1) % groups
            markers.append(
                {"gates": int(gates), "head": int(head), "drop": int(drop), "group": group}
                | {"next_group": following, "reseed": int(head and reseed and group == 0)}
                | {"base": following * geometry.bank_columns, "with_x": 1, "with_h": 1, "last": 0}
                | step
            )
            reseed = reseed and not (head and group == 0)

        for token in tokens:
            for group in range(geometry.groups):
                ends = group % geometry.layer_groups == replays
                mark(group, geometry.groups, gates=True, drop=False, last=int(ends), fresh=int(token.reset))
            for layer in range(layers):
                cleared = "clear" if token.reset else "load"
                loads["x"] += [(cleared if layer else "load", layer), *[("again", 0)] * replays]
                if not summed:
                    below = max(layer - 1, 0)
                    loads["h"] += [("load" if layer else cleared, below), *[("again", 0)] * replays]
            wanted, reseed, summed = token.head, reseed or token.reseed, False
            if not (token.head and (token.last or layers > 1)):
                continue
            keeps = geometry.groups == 1 and token.generate and token.feeds_back
            markers[-1]["with_x"] = 0
            for group in range(head_passes):
                mark(group, head_passes, gates=False, drop=not keeps)
                markers[-1]["with_x"] = int(group == head_passes - 1)
            wanted, summed = False, keeps
            loads["h"] += [("load", layers - 1), *[("again", 0)] * (head_passes - 1)]
            if keeps:
                markers[-1]["with_h"] = 0
        return markers, loads

    def elaborate(self, platform: object) -> Module:
        """Three machines run side by side and meet in a few signals (:class:`_Shared`).

        *x* takes tokens and loads slot A's scanners, up to a token ahead of the sums, so that the columns of
        the next token's x are scanned while those of this one are added. *h* loads slot B's scanners as soon
        as a layer's new h is there: for the layer above, for the next token, or before that for a head
        pass, in which the head's lanes sum the last layer's h once more. *Markers* count groups: when the
        banks have issued a group's columns, a marker goes after them to the lanes, which then hand over the
        group's sums; it waits for room in the state queue and for the logits of the head pass before.
        """
        m = Module()
        s = _Shared(self.geometry)
        self._scan_x(m, s)
        self._scan_h(m, s)
        self._mark(m, s)
        return m

    def _scan_x(self, m: Module, s: _Shared) -> None:
        """Scanners of x. Above the first layer they take the h of the step before, of the token at hand."""
        layers, replays = self.geometry.model.layers, self.geometry.layer_groups - 1
        x_left = Signal(range(max(2, replays + 1)))
        x_layer = Signal(range(layers))
        x_kept, x_start = Signal(), Signal()
        if layers > 1:
            x_ahead = Signal(range(layers + 2))  # loads of layers that are not yet summed
            m.d.sync += x_ahead.eq(x_ahead + x_start - self.committed)
            known = x_ahead - self.committed < layers
            m.d.comb += x_kept.eq((x_layer != 0) & s.token_valid & ~s.following_valid & known)
            with m.If(x_start):
                m.d.sync += x_layer.eq(Mux(x_layer == layers - 1, 0, x_layer + 1))
        with m.If(self.x_idle):
            m.d.comb += [
                self.x_again.eq(x_left != 0),
                self.take.eq((x_left == 0) & (x_layer == 0) & self.token_valid & ~s.following_valid),
                self.x_clear.eq((x_left == 0) & x_kept & s.token.reset),
                self.x_load.eq(self.take | ((x_left == 0) & x_kept & ~s.token.reset)),
            ]
        m.d.comb += [self.x_layer.eq(x_layer), x_start.eq(self.x_load | self.x_clear)]
        with m.If(self.x_again):
            m.d.sync += x_left.eq(x_left - 1)
        with m.If(x_start):
            m.d.sync += x_left.eq(replays)
        with m.If(s.release):
            m.d.sync += [
                s.token.eq(s.following),
                s.token_valid.eq(s.following_valid),
                s.following_valid.eq(0),
            ]
        with m.If(self.take):
            with m.If(s.token_valid & ~s.release):
                m.d.sync += [s.following.eq(self.token_flags), s.following_valid.eq(1)]
            with m.Else():
                m.d.sync += [s.token.eq(self.token_flags), s.token_valid.eq(1)]

    def _scan_h(self, m: Module, s: _Shared) -> None:
        """Scanners of h: of the step's layers, and of a head pass between two tokens."""
        geometry = self.geometry
        groups, head_groups = geometry.groups, geometry.head_groups
        layers, replays = geometry.model.layers, geometry.layer_groups - 1
        h_left = Signal(range(max(2, replays + 1)))
        h_ahead = Signal(range(layers + 1))  # loads of layers that are not yet summed
        unsummed = h_ahead - self.committed
        summed, kept = unsummed == 0, unsummed < layers
        keep = s.head_generate & self.feeds_back if groups == 1 else 0
        h_layer = Signal(range(layers + 1))  # whose turn it is; none's: all of this token's are loaded
        started = Signal()
        m.d.sync += h_ahead.eq(unsummed + started)
        if layers > 1:
            with m.If(started):
                m.d.sync += h_layer.eq(h_layer + 1)
            with m.If(s.release):
                m.d.sync += h_layer.eq(0)
            first, ready = h_layer == 0, Mux(h_layer == 0, kept, summed & (h_layer != layers))
            m.d.comb += self.h_layer.eq(Mux(s.h_head, layers - 1, Mux(first, 0, h_layer - 1)))
        else:
            first, ready = Const(1), summed
        with m.If(self.h_idle):
            with m.If(h_left != 0):
                m.d.comb += self.h_again.eq(1)
                m.d.sync += h_left.eq(h_left - 1)
            with m.Elif(s.h_head):
                with m.If(summed):
                    m.d.comb += [self.h_load.eq(1), started.eq(keep)]
                    m.d.sync += [h_left.eq(max(head_groups, 1) - 1), s.h_head.eq(0), s.h_skip.eq(keep)]
            with m.Elif(ready & s.token_valid):
                clear = s.token.reset & first
                m.d.comb += [self.h_load.eq(~clear), self.h_clear.eq(clear), started.eq(1)]
                m.d.sync += h_left.eq(replays)

    def _mark(self, m: Module, s: _Shared) -> None:
        """Markers, and what a step's last one decides: the next token, and whether it has a head pass."""
        geometry = self.geometry
        groups, head_groups = geometry.groups, geometry.head_groups
        layers, replays = geometry.model.layers, geometry.layer_groups - 1
        state_room = Signal(range(geometry.state_buffer + 1), init=geometry.state_buffer)
        logits_busy = Signal()
        has_head = Signal()
        mark, gates = Signal(), Signal()
        m.d.comb += [
            has_head.eq(s.head_wanted & (s.group < head_groups)),
            gates.eq(~s.in_head),
            mark.eq(self.issue_done & ~(gates & (state_room == 0)) & ~(has_head & logits_busy)),
        ]
        m.d.sync += state_room.eq(state_room - (mark & gates) + self.state_taken)
        with m.If(self.logits_drained):
            m.d.sync += logits_busy.eq(0)
        with m.If(mark & has_head):
            m.d.sync += logits_busy.eq(1)

        last = Signal()
        ends = Array([g % (replays + 1) == replays for g in range(groups)])[s.group]  # a layer
        head_pass = s.token.head & (s.token.last | Const(layers > 1))
        m.d.comb += [
            last.eq(s.group == Mux(s.in_head, max(head_groups, 1) - 1, groups - 1)),
            s.release.eq(mark & gates & last),
        ]
        next_group = Signal.like(s.group)
        next_head = Signal()
        next_summed = Signal()
        m.d.comb += [
            next_group.eq(Mux(last, 0, s.group + 1)),
            next_head.eq(Mux(last, gates & head_pass, s.in_head)),
            next_summed.eq(s.in_head & last & s.h_skip),
            self.begin.eq(mark),
            self.with_x.eq(~next_head),
        ]
        marker = self.marker
        m.d.sync += [marker.eq(0), self.reseed.eq(0)]
        with m.If(mark):
            m.d.sync += [
                marker.gates.eq(gates),
                marker.head.eq(has_head),
                marker.drop.eq(s.in_head & ~s.h_skip),
                marker.group.eq(s.group),
                marker.next_group.eq(next_group),
                marker.last.eq(gates & ends),
                marker.fresh.eq(s.token.reset),
                self.reseed.eq(has_head & s.head_reseed & (s.group == 0)),
                s.group.eq(next_group),
                s.in_head.eq(next_head),
                s.h_summed.eq(next_summed),
                self.base.eq(Array([g * geometry.bank_columns for g in range(groups)])[next_group]),
            ]
            if layers > 1 and geometry.model.spec.shares_trits:
                m.d.sync += self.above.eq(next_group >= geometry.layer_groups)
        with m.If(mark & has_head & (s.group == 0)):
            m.d.sync += s.head_reseed.eq(0)
        with m.If(mark & last):
            m.d.sync += s.head_wanted.eq(0)
        with m.If(s.release):
            m.d.sync += [
                s.head_wanted.eq(s.token.head),
                s.head_generate.eq(s.token.generate),
                s.h_head.eq(head_pass),
                s.h_skip.eq(0),
            ]
            with m.If(s.token.reseed):
                m.d.sync += s.head_reseed.eq(1)
        # Banks look at ``with_h`` when x's last entry is taken, in the group itself.
        m.d.comb += self.with_h.eq(~s.h_summed)
