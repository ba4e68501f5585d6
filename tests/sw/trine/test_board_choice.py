"""Which boards hold a model, and what is said of the boards."""

import json
import re
from dataclasses import replace

import pytest
from rich.console import Console
from rich.table import Table

from trine.board_choice import compare_boards
from trine.cli import boards as boards_command
from trine.cli import tables
from trine_boards import BOARDS
from trine_boards.board_spec import PRICES
from trine_boards.transports.base import line_bytes_per_s
from trine_sw.fit import fit
from trine_sw.fit.link_rate import link_rates
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

MODEL = random_model(ModelConfig(hidden=16, embedding=8, vocab_size=12), seed=1)
SOME = [BOARDS[name] for name in ("ulx3s-12f", "cynthion", "icesugar")]


def test_choices_are_what_fit_finds_for_each_board_alone():
    boards = [replace(SOME[0], name="poor", lut4=3000), *SOME]
    choices = compare_boards(MODEL, boards)
    assert {choice.board for choice in choices} == {board.name for board in boards}
    held = [choice for choice in choices if choice.short is None]
    assert choices[: len(held)] == held and [choice.board for choice in choices[len(held) :]] == ["poor"]
    by_price = [(PRICES.index(each.price), -(each.host_tokens_per_s or 0)) for each in held]
    assert by_price == sorted(by_price)
    for choice in held:
        board = BOARDS[choice.board]
        found = fit(MODEL, board)
        assert (choice.lanes, choice.banks) == (found.geometry.lanes, found.engine.banks)
        assert (choice.lut4, choice.block_ram) == (found.lut4, found.block_ram)
        assert choice.tokens_per_s == round(board.clock_mhz * 1e6 / found.cycles_per_token)
        rate = link_rates(
            *(MODEL, found.engine, board.link, found.cycles_per_token),
            clock_hz=board.clock_mhz * 1e6,
            baud=board.baud,
        )["choice"]
        assert (choice.host_tokens_per_s, choice.host_limit) == (round(rate.tokens_per_s), rate.limit)
    for choice in choices[len(held) :]:
        assert choice.short is not None and "short" in choice.short and not choice.tokens_per_s


def test_a_faster_line_serves_a_program_better():
    board = BOARDS["ulx3s-12f"]
    slow, fast = (compare_boards(MODEL, [board.at_baud(baud)])[0] for baud in (115_200, 3_000_000))
    assert slow.tokens_per_s == fast.tokens_per_s
    assert 5 * (slow.host_tokens_per_s or 0) < (fast.host_tokens_per_s or 0)


def test_fit_without_a_board_compares_them(succeeds, fails, model_path, monkeypatch):
    monkeypatch.setattr("trine.board_choice.BOARDS", {board.name: board for board in SOME})
    rows = json.loads(succeeds("fit", model_path, "--json"))
    assert {row["board"] for row in rows} == {board.name for board in SOME}
    assert all(row["short"] is None and row["tokens_per_s"] > 0 for row in rows)
    shown = succeeds("fit", model_path)
    assert all(board.name in shown for board in SOME)
    assert all(f"{row['tokens_per_s']:,}" in shown and row["host_limit"] in shown for row in rows)
    for option in (("--lanes", 20, "--banks", 1), ("--balance",), ("--baud", 9600), ("--link", "spi")):
        fails("fit", model_path, *option, saying=(option[0], "give --board too"))


@pytest.mark.parametrize("recorded", [True, False])
def test_boards_are_shown_with_and_without_records(succeeds, tmp_path, monkeypatch, recorded):
    if not recorded:
        monkeypatch.setattr(boards_command, "_RECORDS", tmp_path)
    facts = json.loads(succeeds("boards", "--json"))
    assert list(facts) == list(BOARDS)
    for name, board in BOARDS.items():
        links = facts[name]["links"]
        assert list(links) == [each.name for each in board.transports]
        for each in board.transports:
            rate = line_bytes_per_s(each, board.clock_mhz)
            assert links[each.name] == rate and (rate is None or rate > 10_000)
        assert facts[name]["memory_bytes"] == board.memory_bytes > 10_000
        if not recorded:
            assert facts[name]["routed_fmax_mhz"] is None and facts[name]["tokens_per_s"] == {}
    shown = succeeds("boards")  # whole, since it is no terminal that it is shown at
    assert "…" not in shown
    for name, board in facts.items():
        fmax = "" if board["routed_fmax_mhz"] is None else str(board["routed_fmax_mhz"])
        assert name in shown and board["chip"] in shown and fmax in shown
        assert all(f"{rates['engine']:,}" in shown for rates in board["tokens_per_s"].values())


def test_a_narrow_terminal_shows_all_of_a_table(monkeypatch, capsys):
    monkeypatch.setattr(tables, "Console", lambda: Console(force_terminal=True, width=30, no_color=True))
    table = Table("board", "links", "tokens/s")
    table.add_row("colorlight-5a75b", "ethernet 125,000,000", "2,108,434")
    tables.print_table(table)
    shown = re.sub("\x1b\\[[0-9;]*m", "", capsys.readouterr().out)
    assert max(map(len, shown.splitlines())) <= 30 and "…" not in shown
    cells = zip(*(line.split("│")[1:4] for line in shown.splitlines() if line.startswith("│")), strict=True)
    found = ["".join(part.strip() for part in column) for column in cells]
    assert found == ["colorlight-5a75b", "ethernet125,000,000", "2,108,434"]


def test_a_chip_with_more_memory_holds_no_less():
    """Records of larger boards of a kind are not below those of smaller ones."""
    rates = boards_command._record("board-rates.json")
    sizes = [rates[name]["largest"] for name in ("ulx3s-12f", "ulx3s-25f", "ulx3s-45f", "ulx3s")]
    for cell in ("lstm", "gru"):
        units = [size[cell] for size in sizes]
        assert units == sorted(set(units))
        assert rates["icesugar"]["largest"][cell] < units[0]
