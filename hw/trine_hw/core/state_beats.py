"""Layouts of a core's state at its ports: new states on their way out, and a state that is put in place."""

from amaranth.hdl import unsigned
from amaranth.lib import data

from trine_hw.core.cells.base import LoadCells
from trine_hw.core.state_queue import StateBeat
from trine_sw.model import Model

__all__ = ["LoadState", "StateOutput"]


class StateOutput(data.StructLayout):
    """A beat of new state: :class:`trine_hw.core.state_queue.StateBeat` and, with the last of a token, the
    token's cycles."""

    def __init__(self, beat: StateBeat) -> None:
        super().__init__({"cells": beat["cells"].shape, "last": 1, "cycles": 32})


class LoadState(data.StructLayout):
    """The cells of a group, put in place one after the other.

    Members
    -------
    cells : :class:`trine_hw.core.cells.base.LoadCells`; the last unit's comes first
    group : the group that they belong to
    commit : all units of the group are there; ``cells.active`` stays for 4 more cycles
    """

    def __init__(self, model: Model, groups: int) -> None:
        index = unsigned(max(1, (groups - 1).bit_length()))
        super().__init__({"cells": LoadCells(model.config), "group": index, "commit": 1})
