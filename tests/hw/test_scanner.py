"""The scanner against its model: every entry, in order, and the cycles it promises."""

import random

import pytest

from trine_hw.core.scanner import Scanner
from trine_hw.simulation.watchdog import run_watched


def run_scanner(
    dut: Scanner, vectors: list[list[int]], *, ready: float, seed: int
) -> list[list[tuple[int, int, bool]]]:
    """Entries of each vector; ``again`` wherever a vector is repeated."""
    rng = random.Random(seed)
    entries: list[list[tuple[int, int, bool]]] = []
    loads: list[int] = []
    firsts: list[int] = []
    cycle = 0

    async def drive(ctx):
        nonlocal cycle
        index = taken = 0
        entries.append([])
        while taken < len(vectors):
            load = False
            if index < len(vectors) and ctx.get(dut.idle):
                load = True
                values = vectors[index]
                if index and values == vectors[index - 1]:
                    ctx.set(dut.again, 1)
                    # What is offered meanwhile is not looked at.
                    ctx.set(dut.trits, [{"active": 1, "negative": 1, "magnitude": 0} for _ in values])
                elif any(values):
                    ctx.set(dut.load, 1)
                    ctx.set(
                        dut.trits,
                        [{"active": v != 0, "negative": v < 0, "magnitude": abs(v)} for v in values],
                    )
                else:
                    ctx.set(dut.clear, 1)
                    ctx.set(dut.trits, [{"active": 1, "negative": 1, "magnitude": 0} for _ in values])
                loads.append(cycle)
                index += 1
            ctx.set(dut.o.ready, rng.random() < ready)
            if ctx.get(dut.o.valid) and not entries[-1] and len(firsts) <= taken:
                firsts.append(cycle)
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
            if load:
                ctx.set(dut.again, 0)
                ctx.set(dut.load, 0)
                ctx.set(dut.clear, 0)

    run_watched(dut, drive, progress={"entries": dut.o}, patience=dut.latency + round(20 / ready))
    assert firsts[0] == loads[0] + dut.latency
    if ready == 1:
        work = sum(len(e) for e in entries)
        assert cycle <= work + 3 * len(vectors) + dut.latency  # one a cycle, three at a change of vector
    return entries[:-1]


@pytest.mark.parametrize("ready", [1.0, 0.5])
@pytest.mark.parametrize(("size", "bits"), [(1, 0), (7, 0), (8, 2), (37, 3), (86, 0)])
def test_entries_equal_model(size: int, bits: int, ready: float) -> None:
    rng = random.Random(size)
    top = 2**bits - 1 if bits else 1
    vectors = []
    for density in (0, 0, 0.05, 0.3, 0.3, 1, 1, 0.1, 0, 0.5, *[0.05] * 8):
        if vectors and rng.random() < 0.4:
            vectors.append(vectors[-1])
        vectors.append(
            [rng.choice([-1, 1]) * rng.randint(1, top) if rng.random() < density else 0 for _ in range(size)]
        )
    got = run_scanner(Scanner(size, bits), vectors, ready=ready, seed=size)
    assert got == [Scanner.model(v) for v in vectors]


def test_empty_scanner_gives_one_idle_entry() -> None:
    assert run_scanner(Scanner(0), [[], []], ready=1.0, seed=0) == [[(0, 0, True)]] * 2


def test_negative_size_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        Scanner(-1)
