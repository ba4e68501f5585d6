"""fit, verilog and build agree on random models, boards and wishes, and what fit expects is what is built."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from amaranth.back import verilog
from amaranth.hdl import Fragment
from click.testing import Result

import trine_boards.build.bitstream
import trine_sw.fit
from sim.measure.fit_shapes import shapes
from sim.netlist.memories import built_memories
from trine_boards import BOARDS
from trine_sw.fit.cost import unread_blocks
from trine_sw.model import Model
from trine_sw.support.errors import TrineError

COUNT, PARTS = 104, 8


class _Elaborated(Exception):
    """Stands for all that follows when a board's design has been elaborated."""


def _memories_of_build(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """From now on a build ends when its design is elaborated; what it has been built of is put down here."""
    built: list[tuple[int, int]] = []

    def build_bitstream(top: Any, board: Any, *args: Any, **options: Any) -> None:
        blocks, single_port, alike = built_memories(Fragment.get(top.pinned, None), board)
        left_out = alike + unread_blocks(top.design.layout.geometry)  # by synthesis
        built.append((blocks - left_out, single_port))
        raise _Elaborated

    monkeypatch.setattr(trine_boards.build.bitstream, "build_bitstream", build_bitstream)
    return built


def _once(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """From now on a function of :mod:`trine_sw.fit` searches once for what three commands ask it."""
    search, kept = getattr(trine_sw.fit, name), {}

    def found(model: Model, *args: Any, **options: Any) -> Any:
        asked = (model.digest(), *args, *options.items())
        if asked not in kept:
            try:
                kept[asked] = search(model, *args, **options)
            except TrineError as error:
                kept[asked] = error
        if isinstance(kept[asked], TrineError):
            raise kept[asked]
        return kept[asked]

    monkeypatch.setattr(trine_sw.fit, name, found)


def _refusal(result: Result) -> str | None:
    """The one message of a command that refused, or None where it did not."""
    if result.exit_code == 0 or isinstance(result.exception, _Elaborated):
        return None
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit), (result, result.output)
    assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1, result.stderr
    assert not result.stdout
    return result.stderr


@pytest.mark.parametrize(
    "part", [0, *(pytest.param(part, marks=pytest.mark.nightly) for part in range(1, PARTS))]
)
def test_what_fits_is_built_and_what_does_not_is_refused_by_all(
    trine: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    built = _memories_of_build(monkeypatch)
    for search in ("fit", "configure", "balance_banks"):
        _once(monkeypatch, search)
    monkeypatch.setattr(verilog, "convert", lambda core, **options: repr(core))
    mine = [shape for shape in shapes(COUNT) if shape.number % PARTS == part]
    accepted = 0
    for shape in mine:
        path = tmp_path / "shape.trine"
        shape.model().save(path)
        wishes: list[Any] = ["--board", shape.board]
        if shape.lanes is not None:
            wishes += ["--lanes", shape.lanes, "--banks", shape.banks]
        balance = ["--balance"] if shape.balance else []
        said = trine("fit", path, *wishes, *balance, "--json")
        refusal = _refusal(said)
        folder = tmp_path / f"out-{shape.number}"
        assert _refusal(trine("build", path, *wishes, *balance, "-o", folder)) == refusal, shape
        if not shape.balance:
            assert _refusal(trine("verilog", path, *wishes, "-o", folder)) == refusal, shape
            assert folder.exists() == (refusal is None)
        if refusal is None:
            accepted += 1
            facts = json.loads(said.stdout)
            board = BOARDS[shape.board]
            assert built.pop() == (facts["block_ram"], facts["spram"]), shape
            assert facts["block_ram"] <= board.block_ram and facts["spram"] <= board.spram
            assert facts["lut4"] <= board.lut4 and facts["ff"] <= board.ff
            assert 0 < facts["tokens_per_s"] < 1e9 and 1 <= facts["cycles_per_token"] < 1e6
        assert not built
    assert accepted >= len(mine) // 2
