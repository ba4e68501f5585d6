"""A tiny engine's bitstream for every board, with the true tools; and the record of those that were made."""

import json

import pytest

from sim.measure.tiny_bitstreams import RECORD, tiny_bitstream
from trine_boards import BOARDS


@pytest.mark.nightly
@pytest.mark.parametrize("name", BOARDS)
def test_a_tiny_engine_is_routed(tmp_path, name):
    board = BOARDS[name]
    facts = tiny_bitstream(board, tmp_path)
    assert facts["fmax_mhz"] >= 1.05 * board.clock_mhz
    assert (
        facts["lut4"] > 1000 and facts["block_ram"] <= board.block_ram and facts["bitstream_bytes"] > 10_000
    )


def test_the_record_is_of_boards_that_there_are():
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    assert record
    for name, facts in record.items():
        board = BOARDS[name]
        assert facts["chip"] == board.chip
        assert facts["fmax_mhz"] >= 1.05 * facts["clock_mhz"] > 0
