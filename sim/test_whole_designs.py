"""What fit accepts is synthesised within the chip, with exactly the memories that it expects."""

from pathlib import Path

import pytest

from sim.measure.fit_shapes import Shape, shapes
from sim.measure.random_designs import Design
from sim.measure.whole_designs import measured, packed_lut4
from sim.netlist.memories import core_memories
from sim.netlist.resources import taken
from tests.helpers.one_of_each import ONE_OF_EACH
from trine.fitting import fit
from trine_sw.fit import Fit
from trine_sw.support.errors import TrineError

#: Whole designs that are synthesised, of each board.
WHOLE = 12


def accepted(board: str, count: int) -> list[tuple[Shape, Fit]]:
    """The first shapes that a board holds."""
    found = []
    for shape in (each for each in shapes(104) if each.board == board):
        try:
            engine = fit(shape.model(), board, lanes=shape.lanes, banks=shape.banks, balance=shape.balance)
            found.append((shape, engine))
        except TrineError:
            continue
        if len(found) == count:
            break
    return found


@pytest.mark.parametrize("board", sorted(ONE_OF_EACH))
def test_memories_of_a_core_are_synthesised_as_expected(board: str) -> None:
    for shape, found in accepted(board, 1):
        made = core_memories(shape.model(), found.engine, ONE_OF_EACH[board])
        assert made.block_ram_synthesised == made.block_ram - made.alike, shape
        assert made.spram_synthesised == made.spram, shape


@pytest.mark.nightly
@pytest.mark.parametrize("board", sorted(ONE_OF_EACH))
def test_whole_designs_are_within_the_chip(board: str, tmp_path: Path) -> None:
    chip = ONE_OF_EACH[board]
    for shape, found in accepted(board, WHOLE):
        row = measured(Design(shape, "uart"), found, tmp_path)
        cells = row["cells"]
        assert row["block_ram_synthesised"] == found.cost.block_ram <= chip.block_ram, shape
        assert cells.get("SB_SPRAM256KA", 0) == found.cost.spram <= chip.spram, shape
        assert packed_lut4(row) <= chip.lut4 and taken(cells).ff <= chip.ff, shape
