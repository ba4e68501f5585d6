"""What each board's file says, against the board's platform, the chip, the PLL and the constraints written.

Clock and pins are elaborated for each; the link and the engine behind them are the same for all.
"""

import json
import random
import re
from dataclasses import fields, replace
from typing import Any

import pytest
from amaranth.hdl import Module

from tests.helpers.paths import ROOT
from trine_boards import BOARDS
from trine_boards import boards as boards_package
from trine_boards.board_spec import PRICES
from trine_boards.build.elaboration import elaborate
from trine_boards.build.families import FAMILIES
from trine_boards.clock.choice import board_clock
from trine_boards.report.report import Report, write_report
from trine_boards.top import BoardTop
from trine_sw.engine import EngineConfig
from trine_sw.fit import fit
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

MODEL = random_model(ModelConfig(hidden=6, embedding=4, vocab_size=8), seed=1)
VARIANTS = ("ulx3s-12f", "ulx3s-25f", "ulx3s-45f", "ecpix5-85f", "colorlight-i9", "orangecrab-85f")
#: All links of a board, and of its variants, which have the same, the first.
LINKS = [
    (name, transport.name)
    for name, board in BOARDS.items()
    for transport in board.transports
    if transport is board.transport or name not in VARIANTS
]


def top_of(name: str, link: str) -> BoardTop:
    board = BOARDS[name].over(link)
    engine = EngineConfig(lanes=40, banks=2, block_ram=board.block_ram_kind)
    return BoardTop(MODEL, engine, board, board.clock_mhz)


def located(files: dict[str, bytes]) -> dict[str, str]:
    """Where the constraints put each port of the top."""
    for name, form in (
        ("top.lpf", r'LOCATE COMP "(\S+)" SITE "(\S+)";'),
        ("top.pcf", r"set_io (\S+) (\S+)"),
        ("top.cst", r'IO_LOC "(\S+)" (\S+);'),
    ):
        if name in files:
            return dict(re.findall(form, files[name].decode()))
    raise AssertionError(f"no constraints among {sorted(files)}")


@pytest.mark.parametrize(("name", "link"), LINKS)
def test_every_pin_of_the_top_has_a_place_of_its_own(name, link, monkeypatch):
    top = top_of(name, link)
    monkeypatch.setattr(type(top.pinned), "elaborate", lambda self, platform: Module())
    files = elaborate(top, top.board.platform())
    netlist = files["top.il"].decode()
    top_module = netlist.partition("attribute \\top 1\n")[2].partition("\nend\n")[0]
    ports = set(re.findall(r"wire (?:width \d+ )?(?:input|output|inout) \d+ +\\(\S+)", top_module))
    found = located(files)
    # A port of several pins is located by each of them.
    assert ports == {re.sub(r"\[\d+\]$", "", port) for port in found}
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_what_a_board_says(board):
    """Of chip and package the tools know the names; the clock can be made."""
    platform = board.platform()
    options = FAMILIES[board.family].chip_options(platform)
    assert all(isinstance(option, str) and option for option in options)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", board.name) and board.title and board.price in PRICES
    assert platform.default_clk_frequency > 0
    for transport in board.transports:
        over = board.over(transport.name)
        assert board_clock(over, board.clock_mhz) == board.clock_mhz


#: A board of each chip: for the solver, boards of one chip are alike.
EACH_CHIP = {board.lut4: board for board in BOARDS.values()}.values()


@pytest.mark.parametrize("board", EACH_CHIP, ids=lambda board: board.name)
def test_a_tiny_engine_fits_every_chip(board):
    found = fit(MODEL, board)
    assert found.lut4 < board.lut4 and found.block_ram <= board.block_ram


def test_the_boards_of_a_family_differ_in_no_more_than_their_chip_and_name():
    """Variants of one board share all that is the board's."""
    small, large = BOARDS["ulx3s-12f"], BOARDS["ulx3s"]
    chip = ("name", "title", "chip", "platform", "price", "lut4", "ff", "block_ram", "dsp", "lut_share")
    assert replace(small, **{field: getattr(large, field) for field in chip}) == large
    assert (small.block_ram, small.lut4) == (32, 12_000)  # as its data sheet says


def test_the_board_of_the_page_is_known_by_its_file_alone(tmp_path, monkeypatch):
    """docs/adding-a-board.md: its file in the folder of boards, and nothing else."""
    page = (ROOT / "docs/adding-a-board.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "ecp5_evn.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(boards_package, "__path__", [*boards_package.__path__, str(tmp_path)])
    found = boards_package.found()
    assert set(found) == {*BOARDS, "ecp5-evn"}
    monkeypatch.setitem(BOARDS, "ecp5-evn", found["ecp5-evn"])
    test_what_a_board_says(found["ecp5-evn"])
    test_a_tiny_engine_fits_every_chip(found["ecp5-evn"])
    test_every_pin_of_the_top_has_a_place_of_its_own("ecp5-evn", "uart", monkeypatch)


def test_the_boards_that_the_readme_lists_are_as_it_says():
    rows = re.findall(
        r"^\| `(\S+)` \| (.*?) \| (\S+) \| (\d+) \| (\w+) \|$",
        (ROOT / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert len(rows) >= 17
    for name, *facts in rows:
        board = BOARDS[name]
        assert facts == [board.title, board.chip, str(board.block_ram), board.price]


@pytest.mark.parametrize("name", BOARDS)
def test_a_report_can_be_written(name, tmp_path):
    """Of random figures: what the chip does not have is not in the table."""
    board, rng = BOARDS[name], random.Random(name)
    has = {"logic": board.lut4, "flip-flops": board.ff, "block RAM": board.block_ram}
    has |= {"single-port RAM": board.spram, "multipliers": board.dsp}
    used = [rng.randrange(most + 1) for most in has.values()]
    given: dict[str, Any] = {field.name: rng.randrange(1, 99) for field in fields(Report)}
    given |= dict(zip(("lut4", "ff", "block_ram", "spram", "dsp"), used, strict=True))
    given |= {"board": name, "model": "m", "link": "uart", "text": "a text", "command": "trine build"}
    given |= {"host_rates": {}, "seeds": {"1": 80.5, "2": None}, "tools": ["yosys"], "netlist_sha256": "0"}
    record, page = write_report(Report(**given), board, tmp_path)
    assert json.loads(record.read_text(encoding="utf-8")) == given
    text = page.read_text(encoding="utf-8")
    for (part, most), count in zip(has.items(), used, strict=True):
        part = part if part != "logic" else "logic cells" if board.family == "ice40" else "LUT4"
        row = f"| {part} | {count:,} | {most:,} |" if most else None
        assert (row in text) if row else (f"| {part} |" not in text)
