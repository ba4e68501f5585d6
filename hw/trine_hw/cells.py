"""LSTM cells: from the gates' decisions to the new state (DESIGN, arithmetic contract)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from trine_hw.lanes import Decisions
from trine_sw.engine import CELL_LATENCY
from trine_sw.model import ModelConfig
from trine_sw.placement import signed_width

#: Of a unit, its cell state before the step, and where the state after it is to be given.
_Kept = Callable[[int], tuple[Value, Value]]

__all__ = ["CellState", "LoadCells", "LstmCells", "level_bits"]


def level_bits(config: ModelConfig) -> int:
    """Bits of a head level's value; 0 where the head sees h itself.

    >>> level_bits(ModelConfig(hidden=1, embedding=1, vocab_size=2, head_levels=(0, 1, 3)))
    2
    """
    return 0 if tuple(config.head_levels) == (0, 1) else max(config.head_levels).bit_length()


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
                "c": signed(signed_width(-config.cell_max, config.cell_max)),
            }
        )


class LoadCells(data.StructLayout):
    """Puts states in place of a step's, while no decisions are valid.

    With ``active``, each ``shift`` moves a cell's c and output gate up by one unit and takes ``c`` and
    ``open`` into unit 0. ``valid`` with the group then gives these states as a step does, ``latency``
    cycles later; ``active`` stays until then.
    """

    def __init__(self, config: ModelConfig) -> None:
        c = CellState(config)["c"].shape
        super().__init__({"active": 1, "shift": 1, "c": c, "open": 1})


class LstmCells(wiring.Component):
    """The cells of a group, side by side; the cell states of all groups.

    Contract: decisions with ``valid`` in cycle ``n`` give the new state of that group's cells in cycle
    ``n + latency``, with ``o_valid``. A group may follow in every cycle, the same
    group after two. ``fresh`` steps from the zero state.

    Cost on ECP5 (synth_ecp5, a cell): 41 LUT4 at ``cell_max`` 7 without options, 42 at 15 with four head
    levels, 79 at 127 with eight; 7 to 15 more with four groups.

    Parameters
    ----------
    config : :class:`trine_sw.model.ModelConfig`
        Range of the cell, its shifts and the head's levels.
    units : :class:`int`
        Cells of a group.
    groups : :class:`int`
        Groups of cells.
    loadable : :class:`bool`
        Whether states can be put in place: one LUT4 a bit of c and one a cell.
    memory : :class:`bool`
        Whether the cell states are kept in a memory of one port, which takes no flip-flop and no multiplexer.
        A group may then follow after three cycles.

    Members
    -------
    decisions : :py:`In(data.ArrayLayout(Decisions(), units))`
    group, fresh, last, valid : In
        Which cells these decisions are for, whether they start from zero, whether this group ends the step.
    o : :py:`Out(data.ArrayLayout(CellState(config), units))`
    o_group, o_last, o_valid : Out
        Belonging to ``o``.
    load : :py:`In(LoadCells(config))`
        If ``loadable``.
    """

    latency = CELL_LATENCY

    def __init__(
        self,
        config: ModelConfig,
        *,
        units: int,
        groups: int,
        loadable: bool = False,
        memory: bool = False,
    ) -> None:
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
                "decisions": In(data.ArrayLayout(Decisions(), units)),
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
        f2 = decisions["f_half"] + decisions["f_full"]
        g = int(decisions["g_up"]) - int(decisions["g_down"])
        half = (abs(c) >> 1) * (1 if c >= 0 else -1)
        c = (0, half, c)[f2] + decisions["i"] * g * 2**config.cell_shift
        c = max(-config.cell_max, min(config.cell_max, c))
        n = abs(c) >> config.output_shift
        sign = (c > 0) - (c < 0)
        active = bool(decisions["o"]) and n >= 1
        level = config.head_levels[min(n, len(config.head_levels) - 1)]
        return (sign if active else 0), (level if active else 0), c

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
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
        below: tuple[Value, Value] | None = None
        if self.loadable:
            below = self.load.c, self.load.open
        kept = self._memory(m, stages) if self.memory else self._registers(m, stages)
        for unit in range(self.units):
            below = self._cell(m, config, unit, stages, *kept(unit), below)
        return m

    def _registers(self, m: Module, stages: list[dict[str, Signal]]) -> _Kept:
        """Cell states in flip-flops."""

        def kept(unit: int) -> tuple[Signal, Signal]:
            shape = CellState(self.config)["c"].shape
            states = Array(Signal(shape, name=f"c_{unit}_{group}") for group in range(self.groups))
            old, new = Signal(shape, name=f"old_{unit}"), Signal(shape, name=f"saturated_{unit}")
            m.d.comb += old.eq(states[stages[0]["group"]])
            with m.If(stages[1]["valid"]), m.Switch(stages[1]["group"]):
                for group in range(self.groups):
                    with m.Case(group):
                        m.d.sync += states[group].eq(new)
            return old, new

        return kept

    def _memory(self, m: Module, stages: list[dict[str, Signal]]) -> _Kept:
        """Cell states in a memory that is read for a group as its decisions come, and written two cycles
        later: with three cycles between groups never both in one."""
        states = data.ArrayLayout(CellState(self.config)["c"].shape, self.units)
        m.submodules.states_spram = memory = Memory(
            shape=states,
            depth=max(2, self.groups),
            init=[],
            attrs={"ram_style": "huge"},  # iCE40UP's single-port RAM
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
        config: ModelConfig,
        unit: int,
        stages: list[dict[str, Signal]],
        old: Value,
        saturated: Value,
        below: tuple[Value, Value] | None,
    ) -> tuple[Value, Value] | None:
        c_shape = CellState(config)["c"].shape
        c_max, unit_step = config.cell_max, 1 << config.cell_shift

        # Stage 1: the decisions.
        given = Signal(Decisions(), name=f"decisions_{unit}", reset_less=True)
        m.d.sync += given.eq(self.decisions[unit])

        # Stage 2: what is kept of the old state, and what is added.
        kept = Signal(c_shape, name=f"kept_{unit}", reset_less=True)
        half = (old + old[-1]) >> 1  # toward zero
        with m.If(stages[0]["fresh"] | ~(given.f_half | given.f_full)):
            m.d.sync += kept.eq(0)
        with m.Elif(given.f_half & given.f_full):
            m.d.sync += kept.eq(old)
        with m.Else():
            m.d.sync += kept.eq(half)
        up = Signal(name=f"up_{unit}", reset_less=True)
        down = Signal(name=f"down_{unit}", reset_less=True)
        output = Signal(2, name=f"output_{unit}", reset_less=True)  # o, delayed to the state that it gates
        m.d.sync += [
            up.eq(given.i & given.g_up & ~given.g_down),
            down.eq(given.i & given.g_down & ~given.g_up),
            output.eq((output << 1 | given.o)[:2]),
        ]
        above = None
        if below is not None:
            above = (kept, output[0])
            with m.If(self.load.active):
                m.d.sync += [up.eq(0), down.eq(0), kept.eq(kept), output.eq(Cat(output[0], output[0]))]
                with m.If(self.load.shift):
                    m.d.sync += [kept.eq(below[0]), output[0].eq(below[1])]

        # Stage 3: the new state, saturated. Only one end of the range can be passed at a time.
        total = Signal(signed(signed_width(-c_max - unit_step, c_max + unit_step)), name=f"total_{unit}")
        new = Signal(c_shape, name=f"new_{unit}", reset_less=True)
        addend = Mux(up, unit_step, Mux(down, -unit_step, 0))
        m.d.comb += total.eq(kept + addend)
        m.d.comb += saturated.eq(Mux(total > c_max, c_max, Mux(total < -c_max, -c_max, total)))
        m.d.sync += new.eq(saturated)

        # Stage 4: what is seen of it.
        magnitude = Signal(unsigned(c_max.bit_length()), name=f"magnitude_{unit}")
        m.d.comb += magnitude.eq(Mux(new[-1], -new, new))
        steps = magnitude >> config.output_shift
        active = output[1] & (steps != 0)
        out = self.o[unit]
        m.d.sync += [out.h.eq(Mux(active, Mux(new[-1], -1, 1), 0)), out.c.eq(new)]
        if level_bits(config):
            top = len(config.head_levels) - 1
            level = Mux(
                steps >= top, config.head_levels[top], Array(config.head_levels)[steps[: top.bit_length()]]
            )
            m.d.sync += out.u.eq(Mux(active, level, 0))
        return above
