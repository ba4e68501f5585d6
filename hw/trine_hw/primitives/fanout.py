"""Fan-out registers: equal registers, each near the loads that it drives."""

from __future__ import annotations

from amaranth.hdl import ClockSignal, Instance, Module, Signal, Value

__all__ = ["fanout"]


def fanout(m: Module, value: Value, count: int, *, name: str, block_ram: str, init: int = 0) -> list[Signal]:
    """``count`` registers of ``value``, ``init`` at the start: a wire that crosses the chip ends at each.

    Described as registers they would be one again after synthesis, which merges what is equal. So they are
    ``TRELLIS_FF`` primitives where block RAMs are ECP5 primitives too, and a single register elsewhere.
    """
    if block_ram != "ecp5":
        register = Signal(len(value), name=name, init=init)
        m.d.sync += register.eq(value)
        return [register] * count
    registers = [Signal(len(value), name=f"{name}_{index}") for index in range(count)]
    for index, register in enumerate(registers):
        for bit in range(len(value)):
            m.submodules[f"{name}_{index}_{bit}"] = Instance(
                "TRELLIS_FF",
                p_GSR="AUTO",  # as Yosys has it: the start value holds from configuration on
                p_CEMUX="1",
                p_CLKMUX="CLK",
                p_LSRMUX="LSR",
                p_REGSET="SET" if init >> bit & 1 else "RESET",
                i_CLK=ClockSignal(),
                i_LSR=0,
                i_DI=value[bit],
                o_Q=register[bit],
            )
    return registers
