"""Cells: from what the lanes decide to the new state. Here is what all kinds of cells share."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from amaranth.hdl import Array, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from trine_hw.core.lanes import Decisions
from trine_sw.engine import CELL_LATENCY
from trine_sw.engine.memories import cell_memory
from trine_sw.model import ModelConfig

#: Of a unit, its cell state before the step, and where the state after it is to be given.
_Kept = Callable[[int], tuple[Value, Value]]

__all__ = ["CellState", "Cells", "LoadCells", "level_bits", "seen_of"]


def level_bits(config: ModelConfig) -> int:
    """Bits of a head level's value: :attr:`trine_sw.model.ModelConfig.level_bits`."""
    return config.level_bits


def seen_of(config: ModelConfig, c: int) -> tuple[int, int]:
    """h and unsigned u of a cell's state, before any output gate.

    >>> seen_of(ModelConfig(hidden=1, embedding=1, vocab_size=2, output_shift=1, head_levels=(0, 1, 3)), -5)
    (-1, 3)
    """
    n = abs(c) >> config.output_shift
    sign = (c > 0) - (c < 0)
    return (sign if n else 0), config.head_levels[min(n, len(config.head_levels) - 1)]


class CellState(data.StructLayout):
    """State of one cell after a step.

    Members
    -------
    h : trit
    u : magnitude of what the head sees (h's sign applies); as wide as :func:`level_bits`, nothing at 0
    c : cell state
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(
            {
                "h": signed(2),
                "u": unsigned(level_bits(config)),
                "c": signed(config.cell_bits),
            }
        )


class LoadCells(data.StructLayout):
    """Puts states in place of a step's, while no decisions are valid.

    With ``active``, each ``shift`` moves a cell's c, and its output gate if it has one, up by one unit and
    takes ``c`` and ``open`` into unit 0. ``valid`` with the group then gives these states as a step does,
    ``latency`` cycles later; ``active`` stays until then. Only cells with an output gate have ``open``.
    """

    def __init__(self, config: ModelConfig) -> None:
        members = {"active": 1, "shift": 1, "c": CellState(config)["c"].shape}
        super().__init__(members | ({"open": 1} if config.spec.output_gate else {}))


class Cells(wiring.Component):
    """The cells of a group, side by side; the cell states of all groups.

    Contract: decisions with ``valid`` in cycle ``n`` give the new state of that group's cells in cycle
    ``n + latency``, with ``o_valid``. A group may follow in every cycle, the same
    group after two. ``fresh`` steps from the zero state.

    Parameters
    ----------
    config : :class:`trine_sw.model.ModelConfig`
        Range of the cell, its shifts and the head's levels.
    units : :class:`int`
        Cells of a group.
    groups : :class:`int`
        Groups of cells.
    loadable : :class:`bool`
        Whether states can be put in place: one LUT4 a bit of c and, for an LSTM, one a cell.
    memory : :class:`str`, optional
        ``EngineConfig.block_ram``, if the cell states are kept in a memory of one port, which takes no
        flip-flop and no multiplexer. A group may then follow after three cycles.

    Members
    -------
    decisions : :py:`In(data.ArrayLayout(Decisions(config.cell), units))`
    group, fresh, last, valid : In
        Which cells these decisions are for, whether they start from zero, whether this group ends the step.
    o : :py:`Out(data.ArrayLayout(CellState(config), units))`
    o_group, o_last, o_valid : Out
        Belonging to ``o``.
    load : :py:`In(LoadCells(config))`
        If ``loadable``.
    """

    latency = CELL_LATENCY
    #: The kind of cell, as in ``ModelConfig.cell``.
    kind: str

    def __init__(
        self,
        config: ModelConfig,
        *,
        units: int,
        groups: int,
        loadable: bool = False,
        memory: str | None = None,
    ) -> None:
        if config.cell != self.kind:
            raise ValueError(f"these are cells of kind {self.kind!r}, and the model's are {config.cell!r}")
        if units < 1 or groups < 1:
            raise ValueError(f"units and groups must be at least 1, not {units} and {groups}")
        self.config = config
        self.units = units
        self.groups = groups
        self.loadable = loadable
        self.memory = memory
        index = unsigned(max(1, (groups - 1).bit_length()))
        super().__init__(
            ({"load": In(LoadCells(config))} if loadable else {})
            | {
                "decisions": In(data.ArrayLayout(Decisions(config.cell), units)),
                "group": In(index),
                "fresh": In(1),
                "last": In(1),
                "valid": In(1),
                "o": Out(data.ArrayLayout(CellState(config), units)),
                "o_group": Out(index),
                "o_last": Out(1),
                "o_valid": Out(1),
            }
        )

    @staticmethod
    def model(config: ModelConfig, decisions: Mapping[str, int], c: int) -> tuple[int, int, int]:
        """``(h, u, c)`` after a step of one cell from ``c``; u unsigned."""
        raise NotImplementedError

    def step(
        self,
        m: Module,
        unit: int,
        given: data.View,
        old: Value,
        fresh: Value,
        below: tuple[Value, ...] | None,
    ) -> tuple[Value, Value, tuple[Value, ...] | None]:
        """Two stages of one cell: a register, and logic in front of the next one.

        Parameters
        ----------
        given, old, fresh : its decisions, its state, and whether that is to count as zero
        below : what ``load`` shifts in, if it is loadable

        Returns what stands before the register of the new state; 1 where that is seen, a cycle later, beside
        the register; and what ``load`` shifts on.
        """
        raise NotImplementedError

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stages: list[dict[str, Signal]] = []
        previous: dict[str, Value] = {
            "valid": self.valid,
            "last": self.last,
            "group": self.group,
            "fresh": self.fresh,
        }
        for stage in range(self.latency):
            here = {name: Signal(value.shape(), name=f"{name}_{stage}") for name, value in previous.items()}
            m.d.sync += [signal.eq(previous[name]) for name, signal in here.items()]
            stages.append(here)
            previous = {name: signal for name, signal in here.items()}
        m.d.comb += [
            self.o_valid.eq(stages[-1]["valid"]),
            self.o_last.eq(stages[-1]["last"]),
            self.o_group.eq(stages[-1]["group"]),
        ]
        below: tuple[Value, ...] | None = None
        if self.loadable:
            below = (self.load.c, self.load.open) if self.config.spec.output_gate else (self.load.c,)
        kept = self._memory(m, stages) if self.memory else self._registers(m, stages)
        for unit in range(self.units):
            below = self._cell(m, unit, stages, *kept(unit), below)
        return m

    def _registers(self, m: Module, stages: list[dict[str, Signal]]) -> _Kept:
        """Cell states in flip-flops."""

        def kept(unit: int) -> tuple[Signal, Signal]:
            shape = CellState(self.config)["c"].shape
            states = Array(Signal(shape, name=f"c_{unit}_{group}") for group in range(self.groups))
            old, stepped = Signal(shape, name=f"old_{unit}"), Signal(shape, name=f"stepped_{unit}")
            m.d.comb += old.eq(states[stages[0]["group"]])
            with m.If(stages[1]["valid"]), m.Switch(stages[1]["group"]):
                for group in range(self.groups):
                    with m.Case(group):
                        m.d.sync += states[group].eq(stepped)
            return old, stepped

        return kept

    def _memory(self, m: Module, stages: list[dict[str, Signal]]) -> _Kept:
        """Cell states in a memory that is read for a group as its decisions come, and written two cycles
        later: with three cycles between groups never both in one."""
        states = data.ArrayLayout(CellState(self.config)["c"].shape, self.units)
        built = cell_memory(self.units, self.groups, self.config.cell_bits, self.memory or "")
        m.submodules.states_spram = memory = Memory(
            shape=states, depth=built.depth, init=[], attrs=built.attrs
        )
        write, read = memory.write_port(), memory.read_port()
        writes, group = stages[1]["valid"], Signal.like(self.group)
        m.d.comb += [
            group.eq(Mux(writes, stages[1]["group"], self.group)),
            *(read.addr.eq(group), read.en.eq(~writes)),
            *(write.addr.eq(group), write.en.eq(writes)),
        ]

        def kept(unit: int) -> tuple[Value, Value]:
            return read.data[unit], write.data[unit]

        return kept

    def _cell(
        self,
        m: Module,
        unit: int,
        stages: list[dict[str, Signal]],
        old: Value,
        stepped: Value,
        below: tuple[Value, ...] | None,
    ) -> tuple[Value, ...] | None:
        config = self.config
        c_shape = CellState(config)["c"].shape

        # Stage 1: the decisions. Stages 2 and 3: the cell's own.
        given = Signal(Decisions(self.kind), name=f"decisions_{unit}", reset_less=True)
        m.d.sync += given.eq(self.decisions[unit])
        result, seen, above = self.step(m, unit, given, old, stages[0]["fresh"], below)
        new = Signal(c_shape, name=f"new_{unit}", reset_less=True)
        m.d.comb += stepped.eq(result)
        m.d.sync += new.eq(stepped)

        # Stage 4: what is seen of it.
        magnitude = Signal(unsigned(config.cell_max.bit_length()), name=f"magnitude_{unit}")
        m.d.comb += magnitude.eq(Mux(new[-1], -new, new))
        steps = magnitude >> config.output_shift
        active = seen & (steps != 0)
        out = self.o[unit]
        m.d.sync += [out.h.eq(Mux(active, Mux(new[-1], -1, 1), 0)), out.c.eq(new)]
        if level_bits(config):
            top = len(config.head_levels) - 1
            level = Mux(
                steps >= top, config.head_levels[top], Array(config.head_levels)[steps[: top.bit_length()]]
            )
            m.d.sync += out.u.eq(Mux(active, level, 0))
        return above
