"""Selections from signed values, which Yosys synthesises wrongly: the guard finds them; no board has any."""

import subprocess
from dataclasses import replace

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Elaboratable, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tests.helpers.one_of_each import ONE_OF_EACH
from trine_boards.build.bitstream import build_bitstream
from trine_boards.build.elaboration import elaborate
from trine_boards.build.families import FAMILIES
from trine_boards.top import BoardTop
from trine_sw.engine import EngineConfig
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support import toolchain
from trine_sw.support.errors import TrineError

LEVELS = ModelConfig(
    hidden=5, embedding=4, vocab_size=6, cell_max=15, cell_shift=1, output_shift=1, head_levels=(0, 1, 2, 3)
)
DESIGNS = [
    (LEVELS, EngineConfig(40, 2, sampler_ways=2)),
    (replace(LEVELS, cell="gru", layers=2), EngineConfig(12, 2, embedding="host")),
    (replace(LEVELS, layers=2, head_levels=(0, 1)), EngineConfig(12, 2, embedding="host", head="host")),
]
each_board = pytest.mark.parametrize("board", ONE_OF_EACH.values(), ids=list(ONE_OF_EACH))


class Selection(wiring.Component):
    """A byte, or a bit, of a signed value that is wider than what drives it."""

    def __init__(self, form: str) -> None:
        self.form = form
        super().__init__({"value": In(signed(9)), "part": In(2), "o": Out(8)})

    def elaborate(self, platform):
        m = Module()
        wide = Signal(signed(16))
        m.d.comb += wide.eq(self.value)
        selected = {
            "word": wide.word_select(self.part[0], 8),
            "bit": wide.bit_select(self.part, 1),
            "unsigned": wide.as_unsigned().word_select(self.part[0], 8),
            "shift": wide >> self.part,
        }
        m.d.comb += self.o.eq(selected[self.form])
        return m


class SelectionTop(Elaboratable):
    """The same on a board, from its button to its LED."""

    identity = "selection"

    def __init__(self, board):
        self.board = board

    def elaborate(self, platform):
        m = Module()
        m.submodules.clock = self.board.clock_domain(self.board.clock_mhz)
        m.submodules.selection = selection = Selection("word")
        pins = platform.request("uart")
        m.d.sync += selection.value.eq(selection.value - pins.rx.i)
        m.d.sync += selection.part.eq(selection.part + 1)
        m.d.comb += pins.tx.o.eq(selection.o.xor())
        return m


def refused(folder, texts, family):
    """Whether Yosys' commands of this family refuse one of these designs; only their guard runs."""
    guard = next(line for line in family.synthesis.splitlines() if line.startswith("select -assert-none"))
    script = []
    for index, text in enumerate(texts):
        (folder / f"{index}.il").write_text(
            text if isinstance(text, str) else text.decode(), encoding="utf-8"
        )
        script += [f"read_rtlil {index}.il", guard, "design -reset"]
    (folder / "guard.ys").write_text("\n".join(script) + "\n", encoding="utf-8")
    yosys = toolchain.require("yosys")
    run = subprocess.run(
        [*yosys.command, "guard.ys"], cwd=folder, env=yosys.environ(), capture_output=True, text=True
    )
    assert not run.returncode or "selection is not empty" in run.stdout + run.stderr
    return run.returncode != 0


@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
@pytest.mark.parametrize(("form", "wrong"), [("word", 1), ("bit", 1), ("unsigned", 0), ("shift", 0)])
def test_guard_knows_which_selections_are_wrong(tmp_path, family, form, wrong):
    text = rtlil.convert(Selection(form), name="top", emit_src=False)
    assert refused(tmp_path, [text], family) == bool(wrong)


@each_board
def test_build_says_what_is_wrong(tmp_path, board):
    with pytest.raises(TrineError, match="selects bits of a signed value .*as_unsigned"):
        build_bitstream(SelectionTop(board), board, board.clock_mhz, tmp_path)
    assert not (tmp_path / "top.json").exists()


@each_board
def test_no_board_selects_from_a_signed_value(tmp_path, board):
    tops = []
    for config, engine in DESIGNS:
        engine = replace(engine, block_ram=board.block_ram_kind)
        top = BoardTop(random_model(config, seed=1), engine, board, board.clock_mhz)
        tops.append(elaborate(top, board.platform())["top.il"].decode())
    assert not refused(tmp_path, tops, FAMILIES[board.family])
