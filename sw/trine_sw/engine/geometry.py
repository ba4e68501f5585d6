"""Geometry of an engine for a model, and the latencies that gateware and timing model share.

Terms (docs/engine.md): a *bank* is one column ROM with one read port; a *lane* is one accumulator and sums
one row of a *group*; with fewer lanes than rows the same columns are replayed once a group (folding).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from trine_sw.engine.config import ICE40, EngineConfig
from trine_sw.model import ModelConfig
from trine_sw.support.arithmetic import ceil_div
from trine_sw.support.errors import TrineError

__all__ = [
    "ACCUMULATE_LATENCY",
    "CELL_LATENCY",
    "EMBEDDING_LATENCY",
    "ROM_LATENCY",
    "SCAN_LATENCY",
    "Geometry",
]

#: Cycles from a column ROM's address to its word: block RAM clock, block RAM output register, plain FF.
ROM_LATENCY = 3
#: Cycles from a word at the lanes' inputs to the register of its products' sum. A marker is acted upon when
#: that register shows the marker's own slot, and the accumulator all slots before it.
ACCUMULATE_LATENCY = 1
#: Cycles from the accumulators' hand-over to the new state: decisions, addends, cell, output.
CELL_LATENCY = 4
#: Cycles from the load strobe of a scanner to its first entry's slot: capture, word, entry, slot.
SCAN_LATENCY = 4
#: Cycles from the acceptance of a token to its trits: address register and column ROM.
EMBEDDING_LATENCY = 1 + ROM_LATENCY

#: Units that share a fan-out register of a signal in an engine with relays: about as many as stand round two
#: block RAMs of each bank, or of a GRU one and a half.
_UNITS_TOGETHER = 9


@dataclass(frozen=True)
class Geometry:
    """Sizes that follow from a model and an engine configuration.

    Cell ``q`` of all layers' is unit ``q % units`` of group ``q // units``, so that a layer is
    ``layer_groups`` groups; in a stack these have no padding. The lanes of a cell
    (``CellSpec.lanes``, ``cell_lanes`` of them) are those from ``cell_lanes * unit`` on. Head row ``v`` is
    lane ``gate_lanes + v % head_lanes`` of group ``v // head_lanes``. A bank's columns of slot A, then those
    of slot B, are its words from ``group * bank_columns`` on, in their order; the last word of each bank is
    all zero, and is read when the bank has nothing to issue.

    What is summed lies in two *slots*: A is the vector that is known early, B the one that comes last. The
    first layer's are x_t and its own h_(t-1), those of a layer above its own h_(t-1) and the h_t below it.
    The head sees B. A vector shorter than its slot is followed by zeros.
    """

    model: ModelConfig
    engine: EngineConfig

    def _split(self, groups: int) -> tuple[int, int]:
        units = ceil_div(self.model.hidden, groups)
        ways = self.engine.sampler_ways
        return units, ways * ceil_div(ceil_div(self.head_rows, groups), ways)

    @property
    def head_rows(self) -> int:
        """Rows of the output layer that the engine sums (0 with the head on the host)."""
        return self.model.vocab_size if self.engine.head == "board" else 0

    @property
    def rows(self) -> int:
        """Rows that a layer's cells sum, and those of the on-board head."""
        return self.cell_lanes * self.model.hidden + self.head_rows

    @property
    def cell_lanes(self) -> int:
        """Lanes of a cell."""
        return len(self.model.spec.lanes)

    @property
    def gate_lanes(self) -> int:
        """Lanes of a group's cells; those of the head follow."""
        return self.cell_lanes * self.units

    @property
    def slot_a(self) -> int:
        """Columns of slot A: as many as x has or, in a stack, a layer's own h if that is longer."""
        return (
            self.model.embedding if self.model.layers == 1 else max(self.model.embedding, self.model.hidden)
        )

    @property
    def columns(self) -> int:
        """Columns of both slots: ``[x ; h]``."""
        return self.slot_a + self.model.hidden

    @cached_property
    def _fold(self) -> tuple[int, int, int]:
        hidden, stacked = self.model.hidden, self.model.layers > 1
        self.engine.check_lanes(self.cell_lanes)
        groups = ceil_div(self.rows, self.engine.lanes)  # no fewer can hold all rows
        while True:
            units, head = self._split(groups)
            if self.cell_lanes * units + head <= self.engine.lanes and not (stacked and hidden % groups):
                break
            groups += 1
            if stacked and groups > hidden:
                alone, head = self._split(hidden)
                least = self.cell_lanes * alone + head
                raise TrineError(
                    f"lanes must be at least {least} for a stack of layers of {hidden} units with "
                    f"{self.head_rows} rows of the head on the board, not {self.engine.lanes}"
                )
        groups = max(ceil_div(hidden, units), ceil_div(self.head_rows, head) if head else 1)
        return groups, units, head

    @property
    def layer_groups(self) -> int:
        """How often the columns are replayed for a layer: 1 if every row of it and of the head has its
        lane."""
        return self._fold[0]

    @property
    def groups(self) -> int:
        """How often columns are played for a token: ``layer_groups`` times for each layer."""
        return self.model.layers * self.layer_groups

    @property
    def units(self) -> int:
        """Cells updated together, a group's."""
        return self._fold[1]

    @property
    def head_lanes(self) -> int:
        """Lanes of the output layer, a multiple of ``sampler_ways``."""
        return self._fold[2]

    @property
    def head_groups(self) -> int:
        """Groups that hold rows of the output layer."""
        return ceil_div(self.head_rows, self.head_lanes) if self.head_lanes else 0

    @property
    def lanes(self) -> int:
        """Lanes built."""
        return self.gate_lanes + self.head_lanes

    def word_trit(self, lane: int) -> int:
        """The trit of a column's word that a lane adds; lanes of a cell may share one."""
        spec = self.model.spec
        unit, number = divmod(lane, self.cell_lanes)
        if unit < self.units:
            return spec.trits * unit + spec.lanes[number].trit
        return lane - (self.cell_lanes - spec.trits) * self.units

    @property
    def word_trits(self) -> int:
        """Trits of a column's word: those of the group's cells, and of the rows of the head."""
        return self.word_trit(self.lanes - 1) + 1

    @cached_property
    def banks_of(self) -> tuple[int, ...]:
        """The bank of each column of slots A and B."""
        assignment = self.engine.assignment
        if assignment is None:
            return tuple(j % self.engine.banks for j in range(self.columns))
        if len(assignment) != self.columns:
            raise TrineError(f"assignment has {len(assignment)} columns, and the model {self.columns}")
        return assignment

    @cached_property
    def bank_columns(self) -> int:
        """Columns of one group in the fullest bank."""
        return max(map(self.banks_of.count, range(self.engine.banks)))

    @property
    def zero_address(self) -> int:
        """Address of each bank's all-zero word."""
        return self.groups * self.bank_columns

    @property
    def depth(self) -> int:
        """Words of a bank."""
        return self.zero_address + 1

    @property
    def sum_latency(self) -> int:
        """Cycles from a marker's slot to the sums that it ends."""
        return ROM_LATENCY + self.engine.relays + ACCUMULATE_LATENCY

    @property
    def blocks(self) -> list[range]:
        """Units of a group, those together that share fan-out registers; all without relays."""
        size = _UNITS_TOGETHER if self.engine.relays else self.units
        return [range(at, min(at + size, self.units)) for at in range(0, self.units, size)]

    @property
    def head_blocks(self) -> list[range]:
        """Head lanes, likewise."""
        size = self.cell_lanes * _UNITS_TOGETHER if self.engine.relays else max(1, self.head_lanes)
        return [range(at, min(at + size, self.head_lanes)) for at in range(0, self.head_lanes, size)]

    @property
    def state_buffer(self) -> int:
        """Groups of new state that may be on their way or waiting to be taken."""
        return 1 if self.groups == 1 else 2

    @property
    def state_in_memory(self) -> bool:
        """Whether h and c are kept in memories, group by group, rather than in flip-flops: of one layer only.
        A group then takes three cycles at least: its first column of x, its first of h, its marker."""
        engine = self.engine
        alone = self.model.layers == engine.banks == 1
        return engine.block_ram in ICE40 and self.groups > 1 and alone and not engine.relays

    def head_beats(self, group: int) -> int:
        """Beats of ``sampler_ways`` logits that a group of head lanes makes."""
        rows = min(self.head_lanes, self.head_rows - group * self.head_lanes)
        return ceil_div(rows, self.engine.sampler_ways)

    def bank_x(self, bank: int) -> list[int]:
        """Elements of slot A whose columns lie in ``bank``, in order of their words."""
        return [j for j in range(self.slot_a) if self.banks_of[j] == bank]

    def bank_h(self, bank: int) -> list[int]:
        """Elements of slot B whose columns lie in ``bank``, in order of their words."""
        return [j for j in range(self.model.hidden) if self.banks_of[self.slot_a + j] == bank]
