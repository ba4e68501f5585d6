"""What ``trine verilog`` writes, run by plain Verilog testbenches in Icarus and Verilator: no cocotb."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from trine.cli.commands import cli
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support import toolchain

CONFIG = ModelConfig(
    hidden=7, embedding=5, vocab_size=9, cell_max=7, cell_shift=1, output_shift=1, head_levels=(0, 1, 2)
)


def export(model: Model, folder: Path, lanes: int, banks: int) -> None:
    folder.mkdir()
    model.save(folder / "m.trine")
    arguments = ["verilog", folder / "m.trine", "--lanes", lanes, "--banks", banks, "-o", folder]
    ended = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert ended.exit_code == 0, ended.output


def run(folder: Path, simulator: str) -> str:
    """What the testbench says."""
    sources = ["trine_core.v", "trine_core_tb.v"]
    if simulator == "icarus":
        iverilog, vvp = (toolchain.require(name) for name in ("iverilog", "vvp"))
        commands = [
            [*iverilog.command, "-g2012", "-s", "trine_core_tb", "-o", "tb.vvp", *sources],
            [*vvp.command, "-n", "tb.vvp"],
        ]
        environment = vvp.environ()
    else:
        verilator = toolchain.require("verilator")
        options = ["--binary", "-Wno-fatal", "-Wno-lint", "-CFLAGS", "-O0", "--top-module", "trine_core_tb"]
        commands = [[*verilator.command, *options, *sources], [str(folder / "obj_dir/Vtrine_core_tb")]]
        environment = verilator.environ()
    for command in commands:
        ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


icarus = pytest.mark.skipif(not shutil.which("iverilog"), reason="Icarus is not installed")


@icarus
@pytest.mark.parametrize(
    ("config", "lanes", "banks"),
    [
        (CONFIG, 40, 2),
        (CONFIG, 12, 3),  # folded: a state in several beats
        (replace(CONFIG, cell="gru", hidden=6), 18, 1),
        (replace(CONFIG, layers=2, hidden=4), 100, 2),
    ],
    ids=["lstm", "folded", "gru", "stacked"],
)
def test_the_export_in_icarus(tmp_path: Path, config: ModelConfig, lanes: int, banks: int) -> None:
    export(random_model(config, seed=lanes), tmp_path / "out", lanes, banks)
    said = run(tmp_path / "out", "icarus")
    assert re.fullmatch(r"PASS: 13 requests, \d+ states, 18 choices", said.strip().splitlines()[-1]), said


@icarus
def test_an_export_without_a_head_and_one_that_is_not_the_models(tmp_path: Path) -> None:
    model = random_model(CONFIG, seed=5)
    bare = Model(model.config, model.layers, model.embedding_weight)
    export(bare, tmp_path / "bare", 28, 2)
    assert "PASS: 12 requests, 12 states, 0 choices" in run(tmp_path / "bare", "icarus")
    other = random_model(CONFIG, seed=6)
    export(model, tmp_path / "out", 40, 2)
    export(other, tmp_path / "other", 40, 2)
    (tmp_path / "out/trine_core.v").write_bytes((tmp_path / "other/trine_core.v").read_bytes())
    said = run(tmp_path / "out", "icarus")
    assert "FAIL: " in said and "PASS" not in said and "state " in said


def test_the_export_in_verilator(tmp_path: Path) -> None:
    export(random_model(CONFIG, seed=2), tmp_path / "out", 12, 2)
    said = run(tmp_path / "out", "verilator")
    assert "PASS: 13 requests, " in said, said
