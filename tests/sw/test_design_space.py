"""The design space: each engine is what fit finds for its lanes and banks; what is left out does not fit."""

import random
from dataclasses import replace
from typing import Any

import pytest

from trine.fitting import fit
from trine_boards import BOARDS
from trine_sw.engine import EngineConfig
from trine_sw.fit import configure, sample_text
from trine_sw.fit import design_space as design_space_module
from trine_sw.fit.cost import Chip
from trine_sw.fit.design_space import design_space, lane_counts
from trine_sw.fit.figures import Figures
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

SMALL, LARGE = BOARDS["icebreaker"], BOARDS["ulx3s"]


def model_of(hidden: int, cell: str = "lstm"):
    return random_model(ModelConfig(cell=cell, hidden=hidden, embedding=6, vocab_size=12), seed=hidden)


@pytest.mark.parametrize(("hidden", "cell"), [(9, "lstm"), (14, "gru")])
def test_each_is_what_fit_finds_and_what_is_left_out_does_not_fit(hidden: int, cell: str) -> None:
    model, draw = model_of(hidden, cell), random.Random(hidden)
    told: list[tuple[int, int]] = []
    banks = 1, draw.choice((2, 3, 6))
    found = list(
        design_space(
            *(Figures(model, sample_text(model)), [SMALL, LARGE]),
            banks=banks,
            progress=lambda done, of: told.append((done, of)),
        )
    )
    assert told[-1] == (len(told), len(told)) and len({each.engine for _, each in found}) == len(found)
    for board in (SMALL, LARGE):
        lanes, each = draw.choice([each for each in found if each[1].chip == board])
        assert each == fit(model, board, lanes=lanes, banks=each.engine.banks)
    there = {(each.chip.name, each.engine.banks, each.geometry.lanes) for _, each in found}
    for _ in range(2):
        board, lanes, each = draw.choice((SMALL, LARGE)), draw.choice(lane_counts(model)), draw.choice(banks)
        try:
            known = fit(model, board, lanes=lanes, banks=each)
        except TrineError:
            assert (lanes, each) not in {(n, e.engine.banks) for n, e in found if e.chip == board}
        else:
            assert (board.name, each, known.geometry.lanes) in there


def test_boards_of_one_chip_are_solved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def configured(*given: Any, chip: Chip, **options: Any) -> EngineConfig:
        asked.append(chip.name)
        return configure(*given, chip=chip, **options)

    monkeypatch.setattr(design_space_module, "configure", configured)
    chips = [LARGE, replace(LARGE, name="twin"), replace(LARGE, name="less", block_ram=20)]
    told: list[tuple[int, int]] = []
    figures = Figures(model_of(9))
    spaces = design_space(figures, chips, banks=(2,), progress=lambda *at: told.append(at))
    found: dict[str, list[tuple[int, EngineConfig]]] = {chip.name: [] for chip in chips}
    for lanes, each in spaces:
        found[each.chip.name].append((lanes, each.engine))
    assert found["twin"] == found["ulx3s"] != [] and set(asked) == {"ulx3s", "less"}
    assert told[-1][0] == told[-1][1] and [done for done, _ in told] == sorted(done for done, _ in told)


def test_small_chips_have_none() -> None:
    model = model_of(9)
    figures = Figures(model, sample_text(model))
    assert not list(design_space(figures, [replace(LARGE, name="none", lut4=100)], banks=(2,)))


def test_counts_of_lanes_waste_none_and_thin_out() -> None:
    counts = lane_counts(model_of(200))
    assert counts[0] == 4 * 200 + 16 and counts[-1] == 4 and 8 < len(counts) < 40
