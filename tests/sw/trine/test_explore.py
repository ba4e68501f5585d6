"""``trine explore``: rows are what fit and the rates over links say; the page works in a browser."""

import csv
import json
import random
import re
import sys
from pathlib import Path

import pytest

from tests.helpers.chromium import chromium
from trine.exploring.page import activity_of, board_facts, built_facts, page
from trine.exploring.rows import as_csv, explore, what_is_short
from trine.fitting import as_board, fit
from trine_boards import BOARDS
from trine_sw.engine.default import default_engine
from trine_sw.fit import sample_text
from trine_sw.fit.figures import Figures
from trine_sw.fit.link_rate import link_rates
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

NAMES = "icebreaker", "ulx3s"
MODEL = random_model(ModelConfig(hidden=9, embedding=6, vocab_size=12), seed=1)
#: A name that would end a script or an attribute.
AWKWARD = "a'\"</script><b>.trine"


@pytest.fixture(scope="module")
def figures():
    return Figures(MODEL, sample_text(MODEL))


@pytest.fixture(scope="module")
def rows(figures):
    return explore(figures, AWKWARD, [BOARDS[name] for name in NAMES], banks=(1, 3))


def test_rows_are_what_fit_says(rows):
    draw = random.Random(1)
    for name in NAMES:
        row = draw.choice([row for row in rows if row.board == name])
        board = as_board(name)
        known = fit(MODEL, board, lanes=row.lanes, banks=row.banks)
        assert (row.lut4, row.ff, row.block_ram) == (known.lut4, known.cost.ff, known.block_ram)
        assert row.cycles_per_token == round(known.cycles_per_token, 3)
        assert row.tokens_per_s == round(board.clock_mhz * 1e6 / known.cycles_per_token)
        for transport in board.transports:
            parts = MODEL, known.engine, board.over(transport.name).link, known.cycles_per_token
            wire = {"baud": transport.baud, "transport": transport.name}
            expected = link_rates(*parts, clock_hz=board.clock_mhz * 1e6, **wire)
            assert row.host[transport.name] == {
                want: {"tokens_per_s": round(rate.tokens_per_s), "limit": rate.limit}
                for want, rate in expected.items()
            }
        assert {"uart", "spi"} <= row.host.keys()
        for over in row.host.values():
            assert all(rate["tokens_per_s"] <= row.tokens_per_s for rate in over.values())


def test_a_row_is_on_the_front_where_no_other_of_its_board_beats_it(rows):
    for name in NAMES:
        mine = [row for row in rows if row.board == name]
        sizes = [(row.cycles_per_token, row.lut4, row.block_ram) for row in mine]
        for row, own in zip(mine, sizes, strict=True):
            better = [other for other in sizes if other != own and _as_good(other, own)]
            assert row.pareto == (not better)
        assert any(row.pareto for row in mine)


def _as_good(other, own):
    return all(a <= b for a, b in zip(other, own, strict=True))


def test_csv_has_each_row_and_what_a_host_gets(rows):
    found = list(csv.DictReader(as_csv(rows).splitlines()))
    assert [each["command"] for each in found] == [row.command for row in rows]
    for each, row in zip(found, rows, strict=True):
        assert int(each["uart_h_tokens_per_s"]) == row.host["uart"]["h"]["tokens_per_s"]
        assert each["uart_h_limit"] == row.host["uart"]["h"]["limit"]


def test_a_board_that_holds_none_says_what_is_short():
    model = random_model(ModelConfig(hidden=300, embedding=20, vocab_size=9), seed=1)
    found = what_is_short(Figures(model, sample_text(model, 2)), BOARDS["icebreaker"])
    assert re.search(r"\d+ .+ short \(\d+ of \d+", found)


@pytest.fixture(scope="module")
def html(rows, tmp_path_factory):
    pytest.importorskip("plotly")
    boards = board_facts([BOARDS[name] for name in NAMES], {})
    report = dict.fromkeys(("lut4", "block_ram", "tokens_per_s"), 1) | {"model": "m", "board": "ulx3s"}
    pictures = {"a floorplan": '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'}
    activity = activity_of(MODEL, default_engine(MODEL), sample_text(MODEL, 200))
    built = built_facts({"ulx3s-m": report, "ulx3s-n": report | {"model": "n"}}, "m")
    assert [each["report"] for each in built] == ["ulx3s-m"]
    text = page(AWKWARD, AWKWARD, MODEL, rows, boards, built, pictures, activity, "400 tokens")
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(text, encoding="utf-8")
    assert len(text) < 6e6
    return path


def test_the_page_works_in_a_browser(html: Path, rows, tmp_path: Path):
    with chromium(tmp_path / "profile") as browser:
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.by import By
        from selenium.webdriver.support.ui import Select, WebDriverWait

        wait = WebDriverWait(browser, 60)

        def all_of(selector):
            return browser.find_elements(By.CSS_SELECTOR, selector)

        def points():
            return len(all_of("#space .scatterlayer .points path"))

        browser.get(html.as_uri())
        wait.until(lambda _: points() == len(rows))
        assert browser.find_element(By.TAG_NAME, "h1").text == AWKWARD
        fastest = max((row for row in rows if row.planned), key=lambda row: row.tokens_per_s)
        command = browser.find_element(By.ID, "command")
        assert command.text == fastest.command
        # Clicks on a board's name in the legend hide its engines, and show them again: two clicks
        # as far apart that Plotly does not take them for a double click (300 ms), which shows one alone.
        for left in (sum(row.board == "ulx3s" for row in rows), len(rows)):
            ActionChains(browser).pause(1).click(all_of("#space .legendtoggle")[0]).perform()
            wait.until(lambda _, left=left: points() == left)
        # A pointer over a point shows the command that makes it, a click all of the engine.
        point = all_of("#space .scatterlayer .points path")[0]
        ActionChains(browser).move_to_element(point).perform()
        wait.until(lambda _: all_of("#space .hoverlayer .hovertext"))
        assert "trine build" in all_of("#space .hoverlayer .hovertext")[0].get_attribute("textContent")
        ActionChains(browser).move_to_element(point).click().perform()
        wait.until(lambda _: command.text != fastest.command)
        assert command.text in {row.command for row in rows}
        # Only those that none beats; another measure; another theme.
        browser.find_element(By.ID, "best").click()
        wait.until(lambda _: points() == sum(row.pareto for row in rows))
        Select(browser.find_element(By.ID, "up")).select_by_value("spi_h")
        title = "tokens/s of a host, state, over spi"
        wait.until(lambda _: title in browser.find_element(By.CSS_SELECTOR, "#space .ytitle").text)
        ground = "return getComputedStyle(document.body).backgroundColor"
        before = browser.execute_script(ground)
        browser.find_element(By.ID, "theme").click()
        assert browser.execute_script(ground) != before
        loaded = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
        assert [name for name in loaded if not name.startswith("data:")] == []
        assert browser.get_log("browser") == []


def test_the_command(succeeds, fails, tmp_path, monkeypatch):
    path = tmp_path / "tiny.trine"
    random_model(ModelConfig(hidden=2, embedding=2, vocab_size=3), seed=1).save(path)
    monkeypatch.chdir(tmp_path)
    one = "--board", "icebreaker", "--reports", tmp_path
    found = json.loads(succeeds("explore", path, *one, "--csv", "rows.csv", "--json"))
    assert found["rows"] and {row["board"] for row in found["rows"]} == {"icebreaker"}
    assert len((tmp_path / "rows.csv").read_text(encoding="utf-8").splitlines()) == 1 + len(found["rows"])
    fails("explore", path, "--board", "none", saying="there is no board 'none'")
    fails("explore", path, *one, "-o", "p.html", "--json", saying="not both")
    fails("explore", path, *one, "-o", path, saying="is read here")
    fails("explore", path, "--reports", tmp_path / "none", "--json", saying="there is no folder")
    (tmp_path / "torn.md").touch()
    (tmp_path / "torn.json").write_text('{"rom_ports_used": 1, "dense_', encoding="utf-8")
    fails("explore", path, *one, saying="torn.json is not whole JSON")
    monkeypatch.setitem(sys.modules, "plotly", None)
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    fails("explore", path, *one, saying="[explore]")
    assert not list(tmp_path.glob("*.html"))
