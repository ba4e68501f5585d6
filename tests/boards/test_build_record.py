"""The record of a build: written with the bitstream, read by the commands that look at the folder later."""

import json

import numpy as np
import pytest

from tests.helpers.one_of_each import ONE_OF_EACH
from trine_boards import BOARDS
from trine_boards.build.record import RECORD_NAME, BuildRecord
from trine_boards.top import BoardTop
from trine_sw.engine import EngineConfig
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError


@pytest.mark.parametrize("name", sorted(ONE_OF_EACH))
def test_what_is_written_is_read(tmp_path, name):
    board, rng = BOARDS[name], np.random.default_rng(1)
    for seed in range(8):
        config = ModelConfig(hidden=int(rng.integers(2, 9)), embedding=int(rng.integers(2, 9)), vocab_size=8)
        model = random_model(config, seed=seed)
        columns = config.embedding + config.hidden
        assignment = tuple(rng.integers(0, 2, columns).tolist()) if seed % 2 else None
        engine = EngineConfig(
            lanes=40,
            banks=2,
            block_ram=board.block_ram_kind,
            assignment=assignment,
            sampler_ways=1 + seed % 2,
        )
        top = BoardTop(model, engine, board, board.clock_mhz)
        bitstream = tmp_path / "top.bit"
        bitstream.write_bytes(rng.bytes(100))
        record = BuildRecord.of(top, bitstream, seed)
        record.save(tmp_path, model)
        assert BuildRecord.load(tmp_path) == record
        assert record.built_info() == top.pinned.link.info and record.engine == engine
        assert BuildRecord.model(tmp_path).digest() == model.digest()


def test_a_folder_that_is_none_or_was_changed_is_refused(tmp_path):
    with pytest.raises(TrineError, match="no folder of a build.*trine build"):
        BuildRecord.load(tmp_path)
    model = random_model(ModelConfig(hidden=4, embedding=4, vocab_size=8), seed=1)
    board = BOARDS["ulx3s"]
    engine = EngineConfig(lanes=40, banks=2, block_ram="ecp5")
    bitstream = tmp_path / "top.bit"
    bitstream.write_bytes(b"LFE5U-85F")
    BuildRecord.of(BoardTop(model, engine, board, board.clock_mhz), bitstream, 1).save(tmp_path, model)
    path = tmp_path / RECORD_NAME
    whole = path.read_text(encoding="utf-8")
    values = json.loads(whole)
    damaged = [
        whole[:-9],
        "[]",
        "null",
        "{}",
        *(json.dumps({**values, name: None}) for name in ("engine", "info")),
    ]
    wrong = (5, None, [], {}, True, 1.5)
    damaged += [
        json.dumps({**values, name: value})
        for name in ("name", "board", "transport", "bitstream", "sha256", "seed")
        for value in wrong
        if not (name == "seed" and value == 5)
    ]
    damaged += ["[" * 100_000, json.dumps({**values, "more": 1}), json.dumps({**values, "info": "zz"})]
    for text in damaged:
        path.write_text(text, encoding="utf-8")
        with pytest.raises(TrineError, match="is damaged; run trine build again"):
            BuildRecord.load(tmp_path)
    path.write_text(whole, encoding="utf-8")
    bitstream.write_bytes(b"LFE5U-85F, another")
    with pytest.raises(TrineError, match=r"top\.bit is not the bitstream"):
        BuildRecord.load(tmp_path)
    bitstream.unlink()
    with pytest.raises(TrineError, match="cannot read .*top.bit"):
        BuildRecord.load(tmp_path)
