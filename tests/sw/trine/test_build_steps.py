"""The steps of `trine build`, with stand-ins for its tools: kept, interrupted, failed, and done again."""

import json
import re
import shutil
import signal
import time

import pytest
from click.testing import CliRunner

from tests.helpers.stand_in_tools import write_tools
from trine.cli.commands import cli
from trine.fitting import fit, fit_again
from trine_boards.build.record import BuildRecord
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support import toolchain
from trine_sw.support.errors import TrineError

ENGINE = ("--board", "ulx3s", "--lanes", 40, "--banks", 2, "--baud", 2_500_000)


@pytest.fixture(scope="module")
def first_build(tmp_path_factory):
    """The folder of a build that succeeded from nothing, which takes long: made once."""
    home = tmp_path_factory.mktemp("first")
    random_model(ModelConfig(hidden=6, embedding=4, vocab_size=8), seed=1).save(home / "small.trine")
    with pytest.MonkeyPatch.context() as monkeypatch:
        write_tools(home / "tools")
        monkeypatch.setenv("PATH", str(home / "tools"), prepend=":")
        monkeypatch.setenv("TEST_MHZ", "75")
        toolchain.find.cache_clear()
        build = ("build", home / "small.trine", *ENGINE, "--no-check", "-o", home / "out")
        result = CliRunner().invoke(cli, [str(argument) for argument in build])
    toolchain.find.cache_clear()
    assert result.exit_code == 0, result.output
    steps = re.findall(r"^(\S+): done$", result.stderr, re.MULTILINE)
    assert steps == ["elaboration", "synthesis", "route-1", "bitstream"]
    return home / "out"


@pytest.fixture
def built(first_build, tmp_path):
    """A copy of that folder, ``tmp_path/out``: a build of the same goes on from its steps."""
    return shutil.copytree(first_build, tmp_path / "out")


def test_a_build_keeps_its_baud_rate(first_build):
    report = json.loads((first_build / "ulx3s-small.json").read_text(encoding="utf-8"))
    assert report["host_rates"]["h"]["tokens_per_s"] < report["tokens_per_s"]
    assert report["host_rates"]["h"]["limit"].startswith("wire")
    assert report["baud"] == 2_500_000 and " --baud 2500000 " in report["command"]
    assert "| link | uart, 2,500,000 baud |" in (first_build / "ulx3s-small.md").read_text(encoding="utf-8")
    record = BuildRecord.load(first_build)
    assert record.baud == record.built_info().baud == 2_500_000


@pytest.mark.usefixtures("built")
def test_failing_tool_is_quoted_and_costs_nothing(succeeds, trine, tools, model_path, tmp_path, monkeypatch):
    build = ("build", model_path, *ENGINE, "--no-check", "-o", tmp_path / "out")
    facts = json.loads(succeeds(*build, "--json"))
    assert facts["bitstream"] == str(tmp_path / "out" / "top.bit")
    assert (facts["fmax_mhz"], facts["dsp"], facts["seed"]) == (101.5, 3, 1)
    (tools / "trouble").touch()
    monkeypatch.setenv("TEST_MHZ", "120")
    result = trine(*build, "--clock", 120)
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
    assert "Unable to place cell 'lane'" in result.stderr and "route-1.log" in result.stderr
    assert (tmp_path / "out" / "top.bit").read_text(encoding="utf-8") == "routed 75"
    (tools / "trouble").unlink()
    assert "reaches 101.50 MHz, not 126.00: the 120 MHz" in trine(*build, "--clock", 120).stderr
    assert (tmp_path / "out" / "top.bit").read_text(encoding="utf-8") == "routed 75"


@pytest.mark.nightly
def test_an_engine_that_turns_out_too_large_is_replaced(succeeds, trine, tools, tmp_path):
    path, folder = tmp_path / "m.trine", tmp_path / "out"
    model = random_model(ModelConfig(hidden=16, embedding=8, vocab_size=20), seed=1)
    model.save(path)
    first = fit(model, "ulx3s")
    (tools / "cells").write_text("90000", encoding="utf-8")
    build = ("build", path, "--board", "ulx3s", "--no-check", "-o", folder)
    facts = json.loads(succeeds(*build, "--json"))
    assert 0 < facts["lanes"] * facts["banks"] < first.engine.lanes * first.engine.banks
    assert (tools / "cells").read_text(encoding="utf-8") == ""
    own = ("--lanes", str(facts["lanes"]), "--banks", str(facts["banks"]))
    assert f"{' '.join(own)} --embedding board --head board" in facts["command"]
    # An engine of one's own is not.
    for made in folder.glob("route-1*"):
        made.unlink()
    (tools / "cells").write_text("90000", encoding="utf-8")
    refused = trine(*build, *own)
    assert refused.exit_code == 1 and "elaboration: kept" in refused.stderr
    assert "takes 90,000 logic cells, and the chip has 83,640: take fewer --lanes" in refused.stderr
    assert "route-1.log" in refused.stderr
    with pytest.raises(TrineError, match="the model does not fit ulx3s"):
        fit_again(model, first, 90_000_000)


@pytest.mark.nightly
def test_best_of_several_placements_is_taken(succeeds, trine, tools, model_path, built, monkeypatch):
    folder = built
    for path in folder.glob("route-1*"):
        path.unlink()

    in_process = ("build", model_path, *ENGINE, "--no-check", "--processes", 1)

    def build(seeds, *options):
        """The report, and the seeds that were placed for it."""
        (tools / "placed").unlink(missing_ok=True)
        (tools / "placed").touch()
        facts = json.loads(succeeds(*in_process, "-o", folder, "--seeds", seeds, "--json"))
        return facts, sorted(int(seed) for seed in (tools / "placed").read_text(encoding="utf-8").split())

    facts, placed = build(2)
    assert placed == [1, 2] and facts["seed"] == 2 and facts["fmax_mhz"] == 104.5
    # More seeds go on from those that are there.
    facts, placed = build(4)
    assert (
        placed == [3, 4]
        and facts["seed"] == 3
        and (folder / "top.bit").read_text(encoding="utf-8") == "routed 75 by 3"
    )
    assert facts["seeds"] == {"1": 101.5, "2": 104.5, "3": 105.5, "4": 104.5}
    page = (folder / "ulx3s-small.md").read_text(encoding="utf-8")
    assert "| 3 | 105.5 |" in page and "| 4 | 104.5 |" in page
    # A seed that fails says nothing of the others.
    (tools / "trouble-5").touch()
    facts, placed = build(5)
    assert placed == [] and facts["seed"] == 3 and facts["seeds"]["5"] is None
    assert "| 5 | failed |" in (folder / "ulx3s-small.md").read_text(encoding="utf-8")
    monkeypatch.setenv("TEST_MHZ", "110")
    slow = trine(*in_process, "-o", folder, "--seeds", 2, "--clock", 110)
    assert slow.exit_code == 1 and "reaches 104.50 MHz, not 115.50: the 110 MHz" in slow.stderr
    assert "(MHz by seed: 1: 101.50, 2: 104.50)" in slow.stderr
    assert (folder / "top.bit").read_text(encoding="utf-8") == "routed 75 by 3"


@pytest.mark.parametrize("end", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.nightly)])
def test_interrupted_build_goes_on_where_it_stopped(process, tools, model_path, built, end):
    folder = built
    build = ("build", model_path, *ENGINE, "--no-check", "-o", folder)
    assert (folder / "top.bit").read_text(encoding="utf-8") == "routed 75"
    before = {path.name: path.read_bytes() for path in folder.glob("ulx3s-*")}

    (tools / "wait").touch()
    started = process(*build, "--clock", 85, env={"TEST_MHZ": "85"})
    for _ in range(3000):
        if (tools / "waiting").exists():
            break
        time.sleep(0.1)
    started.send_signal(end)
    _, said = started.communicate(timeout=300)
    assert started.returncode == 128 + end and "Traceback" not in said
    assert "synthesis: done" in said and "Error: interrupted; finished steps are kept" in said
    assert (folder / "top.bit").read_text(encoding="utf-8") == "routed 75"
    assert {path.name: path.read_bytes() for path in folder.glob("ulx3s-*")} == before
    assert not list(folder.glob("*.partial"))

    (tools / "wait").unlink()
    ended = process(*build, "--clock", 85, env={"TEST_MHZ": "85"})
    _, said = ended.communicate(timeout=300)
    assert ended.returncode == 0 and "synthesis: kept" in said and "route-1: done" in said
    assert (folder / "top.bit").read_text(encoding="utf-8") == "routed 85"
