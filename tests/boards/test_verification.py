"""The comparison that ``trine verify`` makes, over boards in Python: right ones and wrong ones."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from trine_boards.build.record import BuildRecord
from trine_boards.verify.compared import Compared, Mismatch
from trine_boards.verify.loaded import loaded_netlist
from trine_boards.verify.verification import Verification, _start, drive, write_verification
from trine_sw.driver.transports import ModelTransport
from trine_sw.engine import EngineConfig
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

LEVELS = (0, 3, 9, 27)


def small(cell: str = "lstm", seed: int = 1, **parts: bool) -> Model:
    config = ModelConfig(cell=cell, hidden=12, embedding=6, vocab_size=11, cell_max=15, head_levels=LEVELS)
    return random_model(config, seed=seed, **parts)


def board(model: Model, **engine: str) -> BoardModel:
    lanes = 30 if model.config.cell == "lstm" else 100  # one group, whose cycles are compared, or several
    return BoardModel(model, EngineConfig(lanes=lanes, banks=2, **engine), LinkConfig(window=2))


class Altered(ModelTransport):
    """A board of which one bit of what it sends is inverted, or which sends a byte less."""

    def __init__(self, model: BoardModel, at: int, bit: int | None) -> None:
        super().__init__(model)
        self.at, self.bit = at, bit

    def read(self, timeout: float) -> bytes:
        data, at = super().read(timeout), self.at
        self.at -= len(data)
        if not 0 <= at < len(data):
            return data
        middle = b"" if self.bit is None else bytes([data[at] ^ 1 << self.bit])
        return data[:at] + middle + data[at + 1 :]


@pytest.mark.parametrize("cell", ["lstm", "gru", "mgu"])
@pytest.mark.parametrize("tokens", [20, 131])
def test_a_right_board_passes(cell, tokens):
    model = small(cell)
    compared, done = drive(ModelTransport(board(model)), board(model), model, tokens=tokens, seed=3)
    assert sum(done.values()) == tokens and done["generated"] and done["streamed"]
    assert compared.folded == (cell == "lstm")
    assert compared.compared > (2 if compared.folded else 5) * tokens and compared.settled()
    assert {"OPEN", "STEP", "GENERATE", "READ", "WRITE", "RESET", "COUNTERS"} <= set(compared.commands)


def test_a_board_whose_embedding_and_head_are_on_the_host_passes():
    model = small()
    parts = {"embedding": "host", "head": "host"}
    _, done = drive(ModelTransport(board(model, **parts)), board(model, **parts), model, tokens=60, seed=3)
    assert sum(done.values()) == 60


@pytest.mark.parametrize("seed", range(12))
def test_a_bit_that_is_wrong_anywhere_is_noticed(seed):
    """Any bit of what the board sends in the whole run, and any byte that is missing."""
    model, rng = small(seed=seed), np.random.default_rng(seed)
    compared, _ = drive(ModelTransport(board(model)), board(model), model, tokens=40, seed=1)
    at, bit = int(rng.integers(compared.compared - 1)), int(rng.integers(8))
    with pytest.raises(Mismatch, match="differs from its model's"):
        drive(
            Altered(board(model), at, None if seed % 4 == 0 else bit), board(model), model, tokens=40, seed=1
        )


def test_a_model_of_one_trit_more_is_noticed():
    """The board holds another weight than the file, and says that it holds the same."""
    model = small()
    other = board(random_model(model.config, seed=2))
    other.info = board(model).info
    with pytest.raises(Mismatch, match="differs from its model's"):
        drive(ModelTransport(other), board(model), model, tokens=40, seed=1)


def test_a_board_that_speaks_first_is_refused():
    model = small()
    transport = ModelTransport(board(model))
    transport.begin = lambda seconds: None
    transport.read = lambda timeout: b"\0"
    with pytest.raises(Mismatch, match="before it was asked"):
        _start(transport)


def test_frames_are_counted_by_command():
    compared = Compared(ModelTransport(board(small())), board(small()))
    compared.write(b"\x05garbage\0")
    assert dict(compared.commands) == {"damaged": 1}
    assert compared.read(0.1)


def test_report(tmp_path):
    made = Verification(
        board="icebreaker",
        model="small",
        level="packed bitstream",
        bitstream_sha256="00",
        placement_seed=1,
        lanes=64,
        banks=1,
        clock_mhz=21.0,
        tokens=2000,
        tokens_whole=101,
        tokens_generated=500,
        frames_checked={"bad crc": 2},
        frames_of_driver={"OPEN": 1, "STEP": 1234},
        bytes_compared=54321,
        simulated_ms=12.5,
        cycles=262500,
        seed=1,
        tools=["verilator 5"],
        command="trine verify build",
    )
    record, page = write_verification(made, "iCEBreaker", tmp_path)
    assert record.name == "icebreaker-small-verification.json"
    assert json.loads(record.read_text(encoding="utf-8"))["frames_of_driver"]["STEP"] == 1234
    text = page.read_text(encoding="utf-8")
    assert (
        "| bytes from the board, all equal to the board model's | 54,321 |" in text
        and "| STEP | 1,234 |" in text
    )


def test_a_gowin_s_build_is_refused_with_what_is_simulated_of_it(tmp_path):
    record = SimpleNamespace(board="tang-nano-9k", transport="uart", baud=3_000_000, address="")
    with pytest.raises(TrineError, match="nothing turns what a build for Sipeed Tang Nano 9K .*--no-check"):
        loaded_netlist(cast(BuildRecord, record), tmp_path, tmp_path)
