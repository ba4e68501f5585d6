"""The estimate of power: what it is made of, for each family that it has figures of."""

import doctest

import pytest

import trine_boards.report.power as power
from trine_boards.report.power import CORES, estimate_power

USED = {"lut4": 60_000, "ff": 40_000, "block_ram": 200}


def test_example_gives_what_it_shows():
    result = doctest.testmod(power)
    assert result.attempted and not result.failed


@pytest.mark.parametrize("family", sorted(CORES))
def test_parts_grow_with_what_causes_them(family):
    core = CORES[family]
    one, twice = (estimate_power(family, **USED, clock_mhz=mhz, toggle_rate=0.1) for mhz in (50, 100))
    assert one.static == twice.static == pytest.approx(core.volts * core.static_ma / 1000)
    for part in ("logic", "clock", "block_ram"):
        assert getattr(twice, part) == pytest.approx(2 * getattr(one, part))
    busy = estimate_power(family, **USED, clock_mhz=50, toggle_rate=0.2)
    assert busy.logic == pytest.approx(2 * one.logic) and busy.clock == one.clock
    assert busy.total == pytest.approx(busy.static + busy.logic + busy.clock + busy.block_ram)
    assert busy.amperes * busy.volts == pytest.approx(busy.total)


def test_one_net_that_always_changes_takes_half_a_swing_a_cycle():
    found = estimate_power("ecp5", lut4=1, ff=0, block_ram=0, clock_mhz=1, toggle_rate=1)
    assert found.logic == pytest.approx(1e6 * 1.5e-12 * 1.1**2 / 2)
