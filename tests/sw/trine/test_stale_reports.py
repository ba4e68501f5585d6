"""Reports of routed boards: which are stale, and that pages and tables say so."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.paths import ROOT
from trine.reports.engine_figures import read_reports
from trine.reports.stale_reports import PAGE_MARK, TABLE_MARK, marked_page, marked_tables
from trine_boards import BOARDS
from trine_boards.build.elaboration import netlist_sources, synthesis_files
from trine_boards.build.families import FAMILIES
from trine_boards.build.netlist_digest import elaborated_digest, netlist_digest
from trine_boards.top import BoardTop
from trine_sw.fit import configure
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

MODEL = random_model(ModelConfig(hidden=6, embedding=4, vocab_size=8), seed=1)
DIGEST = "1" * 64
PAGE = "# tiny\n\nMade by `trine build`. The fields are defined in [README.md](README.md).\n\n| a |\n"


NETLIST = r"""
attribute \src "a.py:3"
module \part
  wire width 1 input 0 \first
  wire width 1 input 1 \second
  attribute \init 1'0
  wire width 1 output 2 \sum
  cell $and $1
    parameter \A_SIGNED 0
    connect \A \first
    connect \B \second
    connect \Y \sum
  end
end
attribute \top 1
module \top
  wire width 1 input 0 \pin
  wire width 1 output 1 \led
  wire width 2 \left
  cell \part \one
    connect \first \pin
    connect \second \left [0]
    connect \sum \left [1]
  end
  cell $mem $2
    parameter \MEMID "\\store"
    connect \Y \led
  end
end
"""


@pytest.mark.parametrize(
    "names",
    [
        ("first", "early"),
        ("part", "piece"),
        ("one", "two"),
        ("left", "right"),
        ("store", "kept"),
        ("a.py", "b.py"),
    ],
)
def test_the_digest_is_the_same_under_other_names_inside(names):
    assert names[0] in NETLIST
    assert netlist_digest(NETLIST) == netlist_digest(NETLIST.replace(*names))


@pytest.mark.parametrize(
    "change",
    [
        ("\\A \\first", "\\A \\second"),
        ("\\first \\pin", "\\first \\led"),
        ("\\left [0]", "\\left [1]"),
        ("\\pin", "\\knob"),
        ("$and", "$or"),
        ("SIGNED 0", "SIGNED 1"),
        ("1'0", "1'1"),
        ("width 2", "width 3"),
        ("input 1", "input 7"),
    ],
)
def test_the_digest_changes_with_the_hardware(change):
    assert change[0] in NETLIST
    assert netlist_digest(NETLIST) != netlist_digest(NETLIST.replace(*change))


def test_the_digest_changes_with_verilog_that_is_a_part_of_the_design(monkeypatch, tmp_path):
    """LiteEth's parts are no RTLIL. What a build has written has the digest of what it is elaborated to."""
    pytest.importorskip("liteeth", reason="LiteEth is not installed: pip install 'trine[ethernet]'")
    from trine_hw.link.ethernet import core

    def top(number: int) -> BoardTop:
        board = BOARDS["colorlight-5a75b"].over("ethernet")
        made = core.core_verilog(1, 2, 3)
        monkeypatch.setattr(core, "core_verilog", lambda *given: made.replace("endmodule", f"// {number}"))
        found = BoardTop(MODEL, configure(MODEL, 40, 2, chip=board), board, 60)
        monkeypatch.undo()
        return found

    board = BOARDS["colorlight-5a75b"].over("ethernet")
    digests = [elaborated_digest(top(number), board) for number in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]
    for name, contents in synthesis_files(top(2), board.platform(), FAMILIES[board.family]).items():
        (tmp_path / name).write_bytes(contents)
    sources = [(tmp_path / name).read_text(encoding="utf-8") for name in netlist_sources(tmp_path / "top.ys")]
    assert len(sources) == 3 and netlist_digest(*sources) == digests[2] != netlist_digest(sources[0])


def test_marks_are_set_and_removed():
    marked = marked_page(PAGE, True)
    assert marked.count(PAGE_MARK) == 1 and marked_page(marked, True) == marked
    assert marked_page(marked, False) == PAGE == marked_page(PAGE, False)
    with pytest.raises(TrineError, match="no place for its mark"):
        marked_page("# another\n", True)
    table = "| [a](x/one.md) | 1 |\n| [b](two.md), [c](other.md) |\n[a](one.md)\n"
    marked = marked_tables(table, {"one": True, "two": True})
    expected = table.replace("x/one.md)", f"x/one.md){TABLE_MARK}").replace("two.md)", f"two.md){TABLE_MARK}")
    assert marked == expected == marked_tables(marked, {"one": True, "two": True})
    assert marked_tables(marked, {"one": False, "two": False}) == table


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a model, its report, and a table that quotes it; the working folder."""
    monkeypatch.chdir(tmp_path)
    MODEL.save(tmp_path / "tiny.trine")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/ulx3s-tiny.md").write_text(PAGE, encoding="utf-8")
    (tmp_path / "README.md").write_text("| [tiny](results/ulx3s-tiny.md) |\n", encoding="utf-8")
    return tmp_path


def write_report(folder, **changed):
    report = {"rom_ports_used": 1, "dense_gops": 1.0, "clock_mhz": 75.0, "netlist_sha256": DIGEST}
    report["command"] = "trine build tiny.trine --board ulx3s --clock 75 --lanes 40 --banks 2 --seeds 1"
    (folder / "results/ulx3s-tiny.json").write_text(json.dumps(report | changed), encoding="utf-8")


def test_a_report_of_the_netlist_of_now_is_current(trine, folder):
    board = BOARDS["ulx3s"]
    top = BoardTop(MODEL, configure(MODEL, 40, 2, chip=board), board, 75)
    write_report(folder, netlist_sha256=elaborated_digest(top, board))
    result = trine("reports", "results", "--check")
    assert result.exit_code == 0, result.output
    assert result.stdout == "ulx3s-tiny: current, the source elaborates to its netlist\n"
    assert (folder / "results/ulx3s-tiny.md").read_text(encoding="utf-8") == PAGE


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"netlist_sha256": "0" * 64}, "the source elaborates to another netlist"),
        ({"netlist_sha256": None}, "it records no digest of its netlist"),
        ({"command": "trine build none.trine --board ulx3s"}, "its command fails: .*none.trine"),
        ({"command": "trine build tiny.trine --bored ulx3s"}, "its command fails: No such option"),
        ({"command": "make"}, "its command fails: 'make' is no command of trine build"),
    ],
)
def test_a_report_that_is_stale_is_marked(trine, folder, monkeypatch, changed, reason):
    """Elaboration, which takes seconds, is left out: its digest is given."""
    monkeypatch.setattr("trine_boards.build.netlist_digest.elaborated_digest", lambda top, board: DIGEST)
    write_report(folder, **changed)
    page, readme = folder / "results/ulx3s-tiny.md", folder / "README.md"
    result = trine("reports", "results", "--check")
    assert result.exit_code == 1 and "trine reports --mark corrects them" in result.stderr
    assert PAGE_MARK not in page.read_text(encoding="utf-8")
    result = trine("reports", "results", "--mark", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["reports"][0]["stale"] and len(found["marks"]) == 2
    assert re.match(reason, found["reports"][0]["reason"])
    assert PAGE_MARK in page.read_text(encoding="utf-8")
    assert readme.read_text(encoding="utf-8") == f"| [tiny](results/ulx3s-tiny.md){TABLE_MARK} |\n"
    assert trine("reports", "results", "--check").exit_code == 0
    write_report(folder)
    assert trine("reports", "results", "--check").exit_code == 1
    assert trine("reports", "results", "--mark").exit_code == 0
    assert page.read_text(encoding="utf-8") == PAGE and TABLE_MARK not in readme.read_text(encoding="utf-8")


@settings(deadline=None)
@given(data=st.data())
def test_a_report_that_is_not_whole_is_no_report_that_is_current(data, tmp_path_factory):
    """Cut or altered anywhere: it is read as it stands, or one error names the file."""
    folder = tmp_path_factory.mktemp("reports")
    report = {"rom_ports_used": 1, "dense_gops": 1.0, "clock_mhz": 75.0, "netlist_sha256": DIGEST}
    whole = json.dumps(report, indent=2).encode()
    (folder / "whole.json").write_bytes(whole)
    assert read_reports(folder) == {"whole": report}
    cut = data.draw(st.integers(0, len(whole) - 1))
    torn = whole[:cut] + data.draw(st.binary(max_size=3))
    (folder / "torn.json").write_bytes(torn)
    assert read_reports(folder).keys() <= {"whole", "torn"}  # without a page it is some tool's
    (folder / "torn.md").touch()
    try:
        expected = json.loads(torn.decode("utf-8-sig"))
    except ValueError:
        with pytest.raises(TrineError, match="torn.json is no(t whole JSON| UTF-8 text)"):
            read_reports(folder)
    else:
        assert read_reports(folder).get("torn", expected) == expected


def test_a_page_that_is_missing(trine, folder):
    write_report(folder, netlist_sha256=None)
    (folder / "results/ulx3s-tiny.md").unlink()
    result = trine("reports", "results")
    assert result.exit_code == 1
    assert result.stderr == "Error: cannot read results/ulx3s-tiny.md: No such file or directory\n"


def test_reports_without_a_digest_are_marked_here():
    results = ROOT / "docs/results"
    stale = {name: "netlist_sha256" not in report for name, report in read_reports(results).items()}
    assert any(stale.values()) or TABLE_MARK not in (ROOT / "README.md").read_text(encoding="utf-8")
    for name in (name for name, old in stale.items() if old):
        assert PAGE_MARK in (results / f"{name}.md").read_text(encoding="utf-8"), name
        for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"), results / "README.md"):
            text = page.read_text(encoding="utf-8")
            assert marked_tables(text, {name: True}) == text, f"{page} quotes {name} without its mark"


@pytest.mark.nightly
def test_the_marks_here_are_those_of_the_source(trine, monkeypatch):
    monkeypatch.chdir(ROOT)
    result = trine("reports", "--check")
    assert result.exit_code == 0, result.output
