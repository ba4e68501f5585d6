"""What a host gets over a board's link: the record is what the measurement gives, and the line bounds it."""

import json

import pytest

from sim.measure.link_rate import ENGINES, link_rate, rates
from tests.helpers.paths import ROOT

RECORD = json.loads((ROOT / "docs/results/link-rates.json").read_text(encoding="utf-8"))["engines"]


def test_the_record_is_what_is_measured():
    assert rates("icebreaker-shakespeare-small") == RECORD["icebreaker-shakespeare-small"]


@pytest.mark.nightly
@pytest.mark.parametrize("name", ENGINES)
def test_every_record_is_what_is_measured(name):
    assert rates(name) == RECORD[name]


def test_the_line_bounds_the_rate():
    """h of 64 units takes 13 bytes of ten bits; a slower engine gives less."""
    report = json.loads((ROOT / "docs/results/icebreaker-shakespeare-small.json").read_text(encoding="utf-8"))
    fast = link_rate(report, "h", 400)
    assert fast < 3_000_000 / (13 * 10)
    slow = report | {"cycles_per_token": 20 * report["cycles_per_token"]}
    assert link_rate(slow, "h", 400) < report["clock_mhz"] * 1e6 / slow["cycles_per_token"] < fast
