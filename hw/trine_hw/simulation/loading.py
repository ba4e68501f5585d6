"""Initial state of a simulated core, as values of its port ``load``."""

from __future__ import annotations

from trine_hw.core.cells.blocks import LOAD_LATENCY
from trine_hw.core.core import Core
from trine_sw.engine import CELL_LATENCY
from trine_sw.golden import State
from trine_sw.support.errors import TrineError

__all__ = ["load_values"]


def load_values(core: Core, state: State | None) -> list[str]:
    """Values of a core's ``load``, hexadecimal, one a cycle, that put a state of one stream in place.

    Empty where the core has no such port. Raises :exc:`TrineError` if there is a state nevertheless.
    """
    if not core.loadable:
        if state is not None:
            raise TrineError("this core starts from the zero state: make it loadable")
        return []
    if state is None:
        return ["0"]
    geometry, layout = core.geometry, core.load.shape()
    h, c = state.h[0], state.c[0]
    values = []
    for group in range(geometry.groups):
        for cell in reversed(range(group * geometry.units, (group + 1) * geometry.units)):
            there = cell < len(c)
            shown = {"active": 1, "shift": 1, "c": int(c[cell]) if there else 0}
            if core.model.config.spec.output_gate:
                shown["open"] = int(there and h[cell] != 0)
            values.append(layout.const({"cells": shown, "group": group}).as_bits())
        # It is acted upon later and goes the way of a step's state; until then, nothing else may.
        for commit in (1, *[0] * (CELL_LATENCY + LOAD_LATENCY + 1)):
            held = {"cells": {"active": 1}, "group": group, "commit": commit}
            values.append(layout.const(held).as_bits())
    return [f"{value:x}" for value in [*values, 0]]
