# amaranth: UnusedElaboratable=no
"""The sampler: its golden model against softmax, its gateware against the golden model."""

import re

import numpy as np
import pytest

from tests.helpers.selection import named, product
from trine_hw.core.sampler import Sampler as SamplerGateware
from trine_hw.simulation.watchdog import run_watched
from trine_sw.golden.sampler import (
    STATE_SEED_0,
    Sampler,
    gumbel_table,
    sampler_latency,
    seed_state,
    step,
    tau_code,
)
from trine_sw.support.arithmetic import ceil_div
from trine_sw.support.errors import TrineError

#: 99.99 % points of the chi-square distribution by degrees of freedom (scipy.stats.chi2.ppf).
CHI_SQUARE = {2: 18.42, 7: 29.88, 39: 82.06, 64: 117.3}


def random_logits(tokens: int, vocab_size: int, width: int, seed: int) -> np.ndarray:
    """Logits (tokens, vocab_size): ordinary ones, ties and extremes."""
    rng = np.random.default_rng(seed)
    low, high = -(1 << width - 1), (1 << width - 1) - 1
    logits = np.clip(np.rint(rng.normal(0, high / 6, (tokens, vocab_size))), low, high).astype(int)
    logits[1::4] = rng.integers(-1, 1, (len(logits[1::4]), vocab_size))
    logits[2::4] = rng.choice([low, high], (len(logits[2::4]), vocab_size))
    return logits


def rtl(
    dut: SamplerGateware, logits: np.ndarray, tau: int, seed: int | None, stalls: float = 0.0
) -> tuple[list[int], list[int], list[int]]:
    """Choices, and for each token the cycles in which its last beat was taken and its choice appeared."""
    rng = np.random.default_rng(1)
    ways, vocab_size = dut.ways, dut.vocab_size
    choices: list[int] = []
    taken: list[int] = []
    shown: list[int] = []
    cycle = 0

    async def count(ctx):
        nonlocal cycle
        while True:
            await ctx.tick()
            cycle += 1

    async def source(ctx):
        ctx.set(dut.tau, tau)
        if seed is not None:
            ctx.set(dut.seed, seed)
            ctx.set(dut.reseed, 1)
            await ctx.tick()
            ctx.set(dut.reseed, 0)
            ctx.set(dut.seed, 0)
        for row in logits.tolist():
            for start in range(0, vocab_size, ways):
                while rng.random() < stalls:
                    await ctx.tick()
                beat = row[start : start + ways]
                for way in range(ways):  # beyond the vocabulary: what must not win
                    ctx.set(dut.i.payload.logit[way], beat[way] if way < len(beat) else max(row))
                ctx.set(dut.i.payload.mask, (1 << len(beat)) - 1)
                ctx.set(dut.i.payload.last, start + ways >= vocab_size)
                ctx.set(dut.i.valid, 1)
                while True:
                    *_, ready = await ctx.tick().sample(dut.i.ready)
                    if ready:
                        break
                ctx.set(dut.i.valid, 0)
            taken.append(cycle - 1)

    async def sink(ctx):
        while len(choices) < len(logits):
            while rng.random() < 2 * stalls:
                await ctx.tick()
            ctx.set(dut.o.ready, 1)
            while True:
                *_, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
                if valid:
                    break
            shown.append(cycle - 1)
            choices.append(payload)
            ctx.set(dut.o.ready, 0)

    patience = dut.latency + (round(20 / (1 - 2 * stalls)) if stalls else 2)
    streams = {"logits": dut.i, "choices": dut.o}
    run_watched(dut, source, sink, background=[count], progress=streams, patience=patience)
    return choices, taken, shown


#: Every number of ways with every vocabulary at one temperature, and with every temperature once.
ALWAYS = " ".join(f"300-{size}-{ways}" for size in (1, 5, 12) for ways in (1, 2, 3, 4))
ALWAYS += " 0-12-1 0-5-2 0-5-3 0-12-4 1-12-1 1-5-2 1-12-3 1-5-4 4095-5-1 4095-12-2 4095-5-3 4095-12-4"


@pytest.mark.parametrize(
    ("tau", "vocab_size", "ways"),
    product(named(0, 1, 300, 4095), named(1, 5, 12), named(1, 2, 3, 4), always=ALWAYS.split()),
)
def test_gateware_equals_model(tau, vocab_size, ways):
    logits = random_logits(24, vocab_size, width=10, seed=ways)
    dut = SamplerGateware(vocab_size, 10, ways)
    choices, _, _ = rtl(dut, logits, tau, seed=7, stalls=0.2)
    assert choices == SamplerGateware.model(logits, tau, seed_state(7))[0]


@pytest.mark.parametrize(("ways", "vocab_size"), [(1, 65), (4, 65), (3, 7), (4, 3)])
def test_latency_and_throughput(ways, vocab_size):
    logits = random_logits(12, vocab_size, width=12, seed=0)
    dut = SamplerGateware(vocab_size, 12, ways)
    choices, taken, shown = rtl(dut, logits, tau=64, seed=0)
    assert choices == SamplerGateware.model(logits, 64, seed_state(0))[0]
    assert dut.latency == sampler_latency(ways)
    assert np.diff(taken).tolist() == [ceil_div(vocab_size, ways)] * 11
    assert [b - a for a, b in zip(taken, shown, strict=True)] == [dut.latency] * 12


@pytest.mark.parametrize("seed", [0, 1, 0x9D9EEC79, 0xFFFFFFFF])
def test_seeds(seed):
    """0x9D9EEC79 is the seed whose reversed bits would cancel."""
    logits = np.zeros((3, 20), int)
    choices, _, _ = rtl(SamplerGateware(20, 4, 4), logits, tau=64, seed=seed)
    assert choices == SamplerGateware.model(logits, 64, seed_state(seed))[0]
    assert len(set(choices)) > 1


def test_without_reseed_the_seed_is_0():
    logits = np.zeros((3, 20), int)
    choices, _, _ = rtl(SamplerGateware(20, 4, 2), logits, tau=64, seed=None)
    assert choices == SamplerGateware.model(logits, 64, seed_state(0))[0]


@pytest.mark.parametrize(
    ("vocab_size", "scale", "temperature", "spread"),
    [(3, 1.0, 1.0, 1.0), (8, 0.25, 1.0, 1.0), (8, 0.25, 0.5, 0.5), (40, 0.1, 2.0, 2.0), (65, 0.05, 1.5, 1.5)],
)
def test_draws_follow_softmax(vocab_size, scale, temperature, spread):
    """Pearson's test over 40,000 draws; symbols of which fewer than 5 are expected are counted as one."""
    draws = 40_000
    rng = np.random.default_rng(vocab_size)
    logits = np.rint(rng.normal(0, spread / scale, vocab_size)).astype(int)
    sampler = Sampler(scale, temperature, seed=3)
    counts = np.bincount([sampler.choose(logits) for _ in range(draws)], minlength=vocab_size)
    weight = np.exp((logits - logits.max()) * scale / temperature)
    expected = draws * weight / weight.sum()
    rare = expected < 5
    if rare.any():
        counts = np.append(counts[~rare], counts[rare].sum())
        expected = np.append(expected[~rare], expected[rare].sum())
    assert ((counts - expected) ** 2 / expected).sum() < CHI_SQUARE[vocab_size - 1]


def test_table_is_the_gumbel_distribution():
    """Mean and standard deviation of the standard Gumbel: 0.5772 and pi / sqrt(6) = 1.2825."""
    table = gumbel_table() / 256
    assert table[0] == 0 and table.min() == 0 and table.max() < 16
    assert table.mean() - 2.0314 == pytest.approx(0.5772, abs=1e-2)
    assert table.std() == pytest.approx(1.2825, abs=2e-2)


def test_generator_has_no_short_cycle():
    state = STATE_SEED_0
    seen = set()
    for _ in range(100_000):
        state = step(state)
        seen.add(state)
    assert len(seen) == 100_000 and 0 not in seen


def test_first_draws_of_neighbouring_seeds_differ():
    assert len({step(seed_state(seed)) >> 22 for seed in range(1024)}) == 1024


def test_zero_temperature_takes_the_first_largest_logit_and_keeps_the_state():
    sampler = Sampler(0.1, 0.0, seed=5)
    assert sampler.choose([3, 9, -1, 9]) == 1
    assert sampler.state == seed_state(5)


def test_tau_code():
    assert tau_code(1.0, 0.5) == 128
    assert tau_code(0.0, 0.5) == 0
    for temperature in (-0.1, 32.0, float("nan"), float("inf")):
        with pytest.raises(TrineError, match="from 0 to 31.99"):
            tau_code(temperature, 0.5)
    with pytest.raises(TrineError, match="scale must be positive"):
        tau_code(1.0, 0.0)
    for seed in (-1, 1 << 32):
        with pytest.raises(TrineError, match="from 0 to 4294967295"):
            seed_state(seed)


@pytest.mark.parametrize("sizes", [(0, 8, 1), (4, 0, 1), (4, 8, 0)])
def test_rejects_sizes(sizes):
    with pytest.raises(ValueError, match=re.escape("must be at least 1, not 0")):
        SamplerGateware(*sizes)
