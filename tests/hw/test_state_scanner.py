"""The scanner that keeps the state in memory, against the scanner's model and the cycles that it promises."""

import random

import pytest

from trine_hw.core.state_scanner import StateScanner
from trine_hw.simulation.watchdog import run_watched


def run(dut: StateScanner, vectors: list[list[int]], *, ready: float, seed: int):
    """Entries of each vector. The next vector is put, group by group, while the one before is scanned: its
    last group in the cycle of its load. Zeros are cleared, and repeated vectors scanned or loaded again."""
    rng = random.Random(seed)
    padded = dut.units * dut.groups
    waiting: list[tuple[int, list[int]]] = []  # groups of the next vector
    entries: list[list[tuple[int, int, bool]]] = [[]]
    cycle = 0

    def stage(index: int) -> None:
        if index < len(vectors) and (not index or vectors[index] != vectors[index - 1]):
            values = vectors[index] + [0] * (padded - len(vectors[index]))
            waiting.extend((g, values[g * dut.units : (g + 1) * dut.units]) for g in range(dut.groups))

    async def drive(ctx):
        nonlocal cycle
        index = taken = 0
        last_load = -9
        stage(0)
        while taken < len(vectors):
            for strobe in (dut.load, dut.again, dut.clear, dut.put):
                ctx.set(strobe, 0)
            if index < len(vectors) and ctx.get(dut.idle) and len(waiting) <= 1:
                repeated = bool(index) and vectors[index] == vectors[index - 1]
                # A cleared vector is put too, as the group's cells are not told of it.
                strobe = dut.load if any(vectors[index]) else dut.clear
                if repeated and (strobe is dut.clear or rng.random() < 0.5):
                    strobe = dut.again
                if waiting and strobe is not dut.load:
                    pass  # first the rest of what is put, below
                else:
                    ctx.set(strobe, 1)
                    last_load = cycle
                    index += 1
            loaded = last_load == cycle
            if waiting and (loaded or len(waiting) > 1 or not any(vectors[index])):
                group, values = waiting.pop(0)
                ctx.set(dut.put, 1)
                ctx.set(dut.group, group)
                ctx.set(
                    dut.cells, [{"active": v != 0, "negative": v < 0, "magnitude": abs(v)} for v in values]
                )
            if loaded:
                stage(index)
            ctx.set(dut.o.ready, rng.random() < ready)
            if ctx.get(dut.o.valid & dut.o.ready):
                entry = ctx.get(dut.o.payload)
                magnitude = entry.trit.magnitude if dut.magnitude_bits else entry.trit.active
                value = (-magnitude if entry.trit.negative else magnitude) if entry.trit.active else 0
                entries[-1].append((entry.column if value else 0, value, bool(entry.final)))
                if entry.final:
                    taken += 1
                    entries.append([])
            await ctx.tick()
            cycle += 1

    # While a vector is put, a group a cycle, no entry need come.
    patience = dut.latency + dut.groups + round(20 / ready)
    run_watched(dut, drive, progress={"entries": dut.o}, patience=patience)
    return entries[:-1], cycle


@pytest.mark.parametrize("ready", [1.0, 0.5])
@pytest.mark.parametrize(
    ("size", "units", "groups", "bits"), [(7, 2, 4, 0), (9, 3, 5, 2), (64, 4, 16, 2), (3, 4, 1, 1)]
)
def test_entries_equal_model(size: int, units: int, groups: int, bits: int, ready: float) -> None:
    rng = random.Random(size)
    top = 2**bits - 1 if bits else 1
    vectors: list[list[int]] = []
    for density in (0.3, 0, 0.05, 1, 1, 0.3, 0, 0, 0.1, 0.5):
        if vectors and rng.random() < 0.4:
            vectors.append(vectors[-1])
        vectors.append(
            [rng.choice([-1, 1]) * rng.randint(1, top) if rng.random() < density else 0 for _ in range(size)]
        )
    got, cycles = run(StateScanner(size, units, groups, bits), vectors, ready=ready, seed=size)
    assert got == [StateScanner.model(v) for v in vectors]
    if ready == 1:  # an entry a cycle, three at a change of vector, and what putting the groups takes
        assert cycles <= sum(len(e) for e in got) + (groups + 5) * len(vectors)


def test_groups_that_hold_too_little_are_refused() -> None:
    with pytest.raises(ValueError, match="3 groups of 2 do not hold 7 trits"):
        StateScanner(7, 2, 3)
