"""Windows over a board's link: the record is what is measured, and the line bounds it."""

import json

import pytest

from sim.measure.window_rate import ENGINES, window_rates
from tests.helpers.paths import ROOT

RECORD = json.loads((ROOT / "docs/results/window-rates.json").read_text(encoding="utf-8"))["engines"]
QUICK = "icebreaker-japanese-vowels"


def test_the_record_is_what_is_measured():
    found = window_rates(QUICK)
    assert found == RECORD[QUICK]
    # A step's request and its answer, of at least 12 bytes each, and the millisecond of the USB chip.
    assert found["microseconds_to_class"] > 1000 + 1e6 * 24 * 10 / found["baud"]
    assert found["windows_per_s"] < found["engine_windows_per_s"]


@pytest.mark.nightly
@pytest.mark.parametrize("name", [name for name in ENGINES if name != QUICK])
def test_every_record_is_what_is_measured(name):
    assert window_rates(name) == RECORD[name]


def test_windows_fill_the_line():
    """Of a model whose board has several frames in flight, nine tenths of the line's time are inputs."""
    assert RECORD["ulx3s-spoken-digits"]["line_payload"] >= 0.9
