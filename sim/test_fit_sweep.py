"""What fit accepts is synthesised within the chip, with exactly the memories that it expects."""

import pytest

from sim.measure.fit_shapes import Shape, shapes
from sim.measure.fit_sweep import COUNT, core_memories, whole_design
from tests.helpers.one_of_each import ONE_OF_EACH
from trine.fitting import fit
from trine_sw.fit import Fit
from trine_sw.support.errors import TrineError

#: Whole designs that are synthesised, of each board.
WHOLE = 12


def accepted(board: str, count: int) -> list[tuple[Shape, Fit]]:
    """The first shapes that a board holds."""
    found = []
    for shape in (each for each in shapes(COUNT) if each.board == board):
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
        made = core_memories(shape, found, ONE_OF_EACH[board])
        assert made["synthesised"] == made["block_ram"] - made["alike"], shape
        assert made["spram_synthesised"] == made["spram"], shape


@pytest.mark.nightly
@pytest.mark.parametrize("board", sorted(ONE_OF_EACH))
def test_whole_designs_are_within_the_chip(board: str) -> None:
    chip = ONE_OF_EACH[board]
    for shape, found in accepted(board, WHOLE):
        made = whole_design(shape, found, chip)
        assert made["synthesised"] == made["block_ram"] <= chip.block_ram, shape
        assert made["spram_synthesised"] == made["spram"] <= chip.spram, shape
        assert made["lut4_packed"] <= chip.lut4 and made["ff_synthesised"] <= chip.ff, shape
