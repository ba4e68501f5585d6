"""Cells: one description of each kind, from which every layer of the project takes what it needs.

A description is data. What computes a cell is registered by its name in the package that it belongs to: the
golden step in :mod:`trine_sw.golden.cells`, the components in ``trine_hw.core.cells.blocks``, the layers that
are trained in :mod:`trine_sw.training.nn.layers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

__all__ = ["CELLS", "CellSpec", "Gate", "Lane", "LaneKind"]

LaneKind = Literal["switch", "blend", "trit"]
"""How a sum is compared: with hi alone, {0, 1}; from lo and from hi on, {0, 1/2, 1}; down from lo and from hi
on, {-1, 0, 1}."""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A gate: H rows of a layer's weight matrix.

    Members
    -------
    name : as the contract has it
    kind : what its thresholds make of its sum; None: the gate has none of its own
    columns : where its weights may differ from 0
    """

    name: str
    kind: LaneKind | None
    columns: Literal["x and h", "x", "h"] = "x and h"


@dataclass(frozen=True, kw_only=True)
class Lane:
    """A sum that the engine keeps for each cell, and what it says of it.

    Members
    -------
    gates : whose rows it sums; no two have a weight in one column
    kind : how the sum is compared
    decisions : a bit each: that the sum has reached hi and, of lanes with two thresholds, how it compares
        with lo
    reset : its thresholds are those of ``threshold_reset``; otherwise those of its first gate
    trit : the trit that it adds, of a cell's in a word of the column ROM
    fed_alone : it adds that only where the column is of what the layer is fed with
    """

    gates: tuple[int, ...]
    kind: LaneKind
    decisions: tuple[str, ...]
    trit: int
    reset: bool = False
    fed_alone: bool = False


@dataclass(frozen=True, kw_only=True)
class CellSpec:
    """A kind of cell.

    Members
    -------
    name : as in ``ModelConfig.cell``, in files and in names of recipes
    article, title : for messages: "a GRU"
    gates : in the order of the weight matrix's rows, H each
    lanes : of a cell, in the engine's order
    output_gate : whether h may be 0 where c would show it
    saturates : whether a step may lead out of the cell's range, which is then cut off; otherwise 2**s must
        not exceed ``cell_max``
    remember : sign of the blend gate's bias with which the cell keeps its state at first
    float_gates : rows of the float cell's weights in PyTorch, in their order
    float_state : tensors of the float cell's state, h first
    product_lut4 : LUT4 of a lane for its products beyond those of an LSTM with one bank, by banks
    cell_lut4 : LUT4 of a cell for its saturation and output gate
    """

    name: str
    article: str
    gates: tuple[Gate, ...]
    lanes: tuple[Lane, ...]
    output_gate: bool
    saturates: bool
    remember: Literal[1, -1]
    float_gates: tuple[str, ...]
    float_state: tuple[str, ...]
    product_lut4: tuple[int, ...]
    cell_lut4: int

    @property
    def title(self) -> str:
        """Its name in prose."""
        return self.name.upper()

    @property
    def rows(self) -> int:
        """Rows of the weight matrix for a unit."""
        return len(self.gates)

    @property
    def gate_names(self) -> tuple[str, ...]:
        """Names of the gates."""
        return tuple(gate.name for gate in self.gates)

    @property
    def trits(self) -> int:
        """Trits of a cell in a column's word: as many as its weights in a column that can differ from 0."""
        return len({lane.trit for lane in self.lanes})

    @property
    def shares_trits(self) -> bool:
        """Whether lanes share a trit, so that they must know which columns are of whose."""
        return any(lane.fed_alone for lane in self.lanes)

    @cached_property
    def has_reset(self) -> bool:
        """Whether a layer has ``threshold_reset``."""
        return any(lane.reset for lane in self.lanes)

    def of_kind(self, kind: LaneKind | None) -> tuple[int, ...]:
        """Numbers of the gates whose sums are compared so."""
        return tuple(number for number, gate in enumerate(self.gates) if gate.kind == kind)

    @cached_property
    def blend(self) -> int:
        """The gate of three values, which says how much of the state is kept."""
        (gate,) = self.of_kind("blend")
        return gate

    @cached_property
    def candidate(self) -> int:
        """The gate whose trit a state moves by, or to."""
        (gate,) = self.of_kind("trit")
        return gate

    @cached_property
    def weight_gates(self) -> tuple[str, ...]:
        """Gates of a layer that is trained: the parts of one that the file splits by columns are one."""
        whole = [gate.name for gate in self.gates if gate.columns == "x and h"]
        return (*whole, "n") if self.has_reset else tuple(whole)


_LSTM = CellSpec(
    name="lstm",
    article="an",
    gates=(
        Gate(name="i", kind="switch"),
        Gate(name="f", kind="blend"),
        Gate(name="g", kind="trit"),
        Gate(name="o", kind="switch"),
    ),
    lanes=(
        Lane(gates=(0,), kind="switch", decisions=("i",), trit=0),
        Lane(gates=(1,), kind="blend", decisions=("f_full", "f_half"), trit=1),
        Lane(gates=(2,), kind="trit", decisions=("g_up", "g_down"), trit=2),
        Lane(gates=(3,), kind="switch", decisions=("o",), trit=3),
    ),
    output_gate=True,
    saturates=True,
    remember=1,
    float_gates=("i", "f", "g", "o"),
    float_state=("h", "c"),
    product_lut4=(0, 0, 5, 6, 16),
    cell_lut4=20,
)

# n compares a_nx + a_nh where r = 1 and a_nx where r = 0, and no column has a weight in both: so one lane
# sums both rows and one nx alone, each with thresholds of its own, and r chooses between what they have
# decided. Nothing is added up behind the lanes. As nx stands in the columns of what the layer is fed with and
# nh in those of its own h, both have one trit in a column's word.
_GRU = CellSpec(
    name="gru",
    article="a",
    gates=(
        Gate(name="z", kind="blend"),
        Gate(name="r", kind="switch"),
        Gate(name="nx", kind="trit", columns="x"),
        Gate(name="nh", kind=None, columns="h"),
    ),
    lanes=(
        Lane(gates=(0,), kind="blend", decisions=("z_full", "z_half"), trit=0),
        Lane(gates=(1,), kind="switch", decisions=("r",), trit=1),
        Lane(gates=(2, 3), kind="trit", decisions=("n_up", "n_down"), trit=2),
        Lane(gates=(2,), kind="trit", decisions=("x_up", "x_down"), trit=2, reset=True, fed_alone=True),
    ),
    output_gate=False,
    saturates=False,
    remember=1,
    float_gates=("r", "z", "n"),
    float_state=("h",),
    product_lut4=(0, 1, 6, 7, 16),
    cell_lut4=0,
)

# As the GRU, with one gate: f = 0 keeps the state, f = 1/2 goes half of the way to the candidate without h,
# and f = 1 takes the candidate with h.
_MGU = CellSpec(
    name="mgu",
    article="an",
    gates=(
        Gate(name="f", kind="blend"),
        Gate(name="nx", kind="trit", columns="x"),
        Gate(name="nh", kind=None, columns="h"),
    ),
    lanes=(
        Lane(gates=(0,), kind="blend", decisions=("f_full", "f_half"), trit=0),
        Lane(gates=(1, 2), kind="trit", decisions=("n_up", "n_down"), trit=1),
        Lane(gates=(1,), kind="trit", decisions=("x_up", "x_down"), trit=1, reset=True, fed_alone=True),
    ),
    output_gate=False,
    saturates=False,
    remember=-1,
    float_gates=("f", "n"),
    float_state=("h",),
    product_lut4=(0, 3, 8, 10, 18),
    cell_lut4=0,
)

CELLS: dict[str, CellSpec] = {spec.name: spec for spec in (_LSTM, _GRU, _MGU)}
"""Every kind of cell, by its name."""
