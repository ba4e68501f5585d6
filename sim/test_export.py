"""What ``trine verilog`` writes, run by plain Verilog testbenches in Icarus and Verilator: no cocotb."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from sim.measure.tiny_bitstreams import MODEL
from sim.netlist.synthesis import run_tool
from tests.helpers.one_of_each import ONE_OF_EACH
from tests.helpers.paths import ROOT
from trine.cli.commands import cli
from trine_boards import BOARDS
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support import toolchain

CONFIG = ModelConfig(
    hidden=7, embedding=5, vocab_size=9, cell_max=7, cell_shift=1, output_shift=1, head_levels=(0, 1, 2)
)


#: In each run one board of the most common families, at night all.
BOARDS_TRIED = [
    pytest.param(name, marks=[] if name in ONE_OF_EACH else [pytest.mark.nightly]) for name in BOARDS
]
#: Yosys' models of cells that a family's export is made of.
LIBRARIES = {"ecp5": "read_verilog -lib +/ecp5/cells_sim.v +/ecp5/cells_bb.v\n"}


def export(model: Model, folder: Path, lanes: int, banks: int) -> None:
    export_for(model, folder, "--lanes", lanes, "--banks", banks)


def export_for(model: Model, folder: Path, *engine: object) -> None:
    folder.mkdir()
    model.save(folder / "m.trine")
    arguments = ["verilog", folder / "m.trine", *engine, "-o", folder]
    ended = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert ended.exit_code == 0, ended.output


def run(folder: Path, simulator: str, models: Sequence[Path] = ()) -> str:
    """What the testbench says."""
    sources = ["trine_core.v", "trine_core_tb.v", *map(str, models)]
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


@pytest.fixture(scope="module", params=BOARDS_TRIED)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The tiny engine of docs/adding-a-board.md as it is exported for a board, and the family of its chip."""
    folder = tmp_path_factory.mktemp("export") / request.param
    export_for(MODEL, folder, "--board", request.param)
    return folder, BOARDS[request.param].family


@icarus
def test_the_export_for_a_board_in_icarus(exported: tuple[Path, str]) -> None:
    folder, family = exported
    testbench = (folder / "trine_core_tb.v").read_text(encoding="utf-8")
    models = [ROOT / path for path in re.findall(r"models of them, such as (\S+\.v)", testbench)]
    assert len(models) == (family == "ecp5")
    said = run(folder, "icarus", models)
    assert re.fullmatch(r"PASS: 13 requests, \d+ states, 18 choices", said.strip().splitlines()[-1]), said


def test_yosys_reads_the_export_for_a_board(exported: tuple[Path, str]) -> None:
    """Each cell has a module, and each net one driver."""
    folder, family = exported
    script = f"{LIBRARIES.get(family, '')}read_verilog trine_core.v\nhierarchy -check -top trine_core\n"
    (folder / "read.ys").write_text(f"{script}proc\ncheck -assert\n", encoding="utf-8")
    run_tool(toolchain.require("yosys"), ["read.ys"], folder)
