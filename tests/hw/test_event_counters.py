"""The link's counters in memory, against counting."""

import random

import pytest

from trine_hw.link.event_counters import EventCounters
from trine_hw.simulation.watchdog import run_watched

KINDS = 3


def counts_after(bursts: list[list[int]], *, first: dict[int, int]) -> list[list[int]]:
    """Counts read after each burst, a list of events a cycle; counters start at ``first``, by kind."""
    dut = EventCounters(KINDS)
    found: list[list[int]] = []

    async def drive(ctx):
        await ctx.tick().repeat(2 * KINDS + 1)
        for kind, value in first.items():
            ctx.set(dut.memory.data[2 * kind], value & 0xFFFF)
            ctx.set(dut.memory.data[2 * kind + 1], value >> 16)
        for burst in bursts:
            for events in burst:
                ctx.set(dut.events, events)
                await ctx.tick()
            ctx.set(dut.events, 0)
            await ctx.tick().until(dut.settled)
            ctx.set(dut.hold, 1)
            halves = []
            for index in range(2 * KINDS):
                ctx.set(dut.index, index)
                # Events while the counters are read wait, and are in the next reading.
                ctx.set(dut.events, 1 << index // 2 if index % 2 else 0)
                await ctx.tick()
                halves.append(ctx.get(dut.word))
            ctx.set(dut.events, 0)
            ctx.set(dut.hold, 0)
            found.append([low | high << 16 for low, high in zip(halves[::2], halves[1::2], strict=True)])

    # Bursts have 60 cycles, and adding takes 6 * kinds + 2 for each of 7 events that wait.
    run_watched(dut, drive, progress={"settled": dut.settled}, patience=60 + 7 * (6 * KINDS + 2))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_every_event_counts_once(seed: int) -> None:
    rng = random.Random(seed)
    first = {0: 0xFFFD, 1: 0xFFFFFFFE, 2: 5}  # carries into the upper half, and over the top
    # At most 7 events of a kind in the time that adding takes: here one in three cycles.
    bursts = [[rng.randrange(8) if cycle % 3 == 0 else 0 for cycle in range(60)] for _ in range(4)]
    expected, counts = [], dict(first)
    for number, burst in enumerate(bursts):
        for kind in range(KINDS):
            counts[kind] += sum(events >> kind & 1 for events in burst) + (number > 0)
        expected.append([counts[kind] & 0xFFFFFFFF for kind in range(KINDS)])
    assert counts_after(bursts, first=first) == expected


def test_nothing_to_count_is_refused() -> None:
    with pytest.raises(ValueError, match="kinds must be at least 1"):
        EventCounters(0)
