"""What a build loads into a chip, at its pins: a small engine on each board, whole and with a bit flipped."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from trine_boards import BOARDS
from trine_boards.build.bitstream import build_bitstream
from trine_boards.build.record import BuildRecord
from trine_boards.top import BoardTop
from trine_boards.verify.compared import Mismatch
from trine_boards.verify.verification import verify_build
from trine_sw.engine import EngineConfig
from trine_sw.engine.memory_layout import place
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError
from trine_sw.support.toolchain import find, require

#: Logits of 9 to 15 bits, so that their words have a sign of their own.
LEVELS = {"head_levels": (0, 4, 16, 60), "cell_max": 15, "cell_shift": 1, "output_shift": 1}
CASES = {
    "ulx3s": (ModelConfig(hidden=40, embedding=8, vocab_size=13, **LEVELS), EngineConfig(60, 2), 24.0),
    "icebreaker": (
        ModelConfig(cell="gru", hidden=16, embedding=8, vocab_size=13, **LEVELS),
        EngineConfig(20, 1),
        18.0,
    ),
}

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(
        find("icebox_vlog") is None, reason="icebox_vlog is missing: apt install fpga-icestorm"
    ),
]


@pytest.fixture(scope="module", params=list(CASES))
def build(request, tmp_path_factory) -> Path:
    """The folder of a small engine's build."""
    board = BOARDS[request.param]
    config, engine, clock = CASES[request.param]
    engine = replace(engine, sampler_ways=2 if board.family == "ecp5" else 1, block_ram=board.block_ram_kind)
    model = random_model(config, seed=3)
    assert 9 <= place(model, engine).logit_width <= 15
    folder = tmp_path_factory.mktemp(request.param)
    top = BoardTop(model, engine, board, clock)
    routed = build_bitstream(top, board, clock, folder)
    BuildRecord.of(top, routed.bitstream, routed.seed, "small").save(folder, model)
    return folder


def test_every_reply_is_the_board_models(build):
    made = verify_build(build, tokens=300, seed=5, command="test")
    assert made.tokens > 300  # with those in the frames of every kind
    assert made.tokens_whole > 10 and made.tokens_generated > 50
    assert made.bytes_compared > 1000 and made.cycles > 100_000


def test_a_flipped_bit_is_noticed(build, tmp_path):
    """The first bit that is set in each block RAM, in the placed netlist or in the bitstream itself."""
    folder = tmp_path / "flipped"
    subprocess.run(["cp", "-r", str(build), str(folder)], check=True)
    record = BuildRecord.load(folder)
    if record.board == "icebreaker":
        _run("iceunpack", folder, record.bitstream, "whole.asc")
        whole = (folder / "whole.asc").read_text(encoding="utf-8")
        set_digit = re.compile(r"(\.ram_data \d+ \d+\n(?:0+\n)*0*)([1-9a-f])")
        changed, count = set_digit.subn(lambda m: f"{m[1]}{int(m[2], 16) & int(m[2], 16) - 1:x}", whole)
        assert count
        (folder / "whole.asc").write_text(changed, encoding="utf-8")
        _run("icepack", folder, "whole.asc", record.bitstream)
        path = folder / "build.json"
        values = json.loads(path.read_text(encoding="utf-8"))
        values["sha256"] = sha256((folder / record.bitstream).read_bytes()).hexdigest()
        path.write_text(json.dumps(values), encoding="utf-8")
    else:
        path = folder / f"route-{record.seed}.placed.json"
        whole = path.read_text(encoding="utf-8")
        changed, count = re.subn(r'("INITVAL_00": "0*)1', r"\g<1>0", whole)
        assert count
        path.write_text(changed, encoding="utf-8")
    with pytest.raises(Mismatch):
        verify_build(folder, tokens=300, seed=5, command="test")


def _run(tool: str, folder: Path, *arguments: str) -> None:
    found = require(tool)
    subprocess.run([*found.command, *arguments], cwd=folder, env=found.environ(), check=True)


def test_a_folder_that_lost_a_part_is_one_error(build, tmp_path):
    folder = tmp_path / "part"
    subprocess.run(["cp", "-r", str(build), str(folder)], check=True)
    for path in (*folder.glob("*.placed.json"), folder / "top.pcf"):
        path.unlink(missing_ok=True)
    with pytest.raises(TrineError):
        verify_build(folder, tokens=300, seed=5, command="test")
