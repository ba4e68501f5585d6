"""The list of the largest logits against its model: random logits, many of them equal, streams that stall."""

import random

import numpy as np
import pytest

from tests.helpers.link_run import CODECS
from trine_hw.core.core import Core
from trine_hw.link.fast.top_list import TopList
from trine_hw.simulation.watchdog import run_watched
from trine_sw.engine import EngineConfig
from trine_sw.link.board_info import board_info
from trine_sw.link.records import Codec
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

ENGINE = EngineConfig(400, 1, sampler_ways=2)
LINK = CODECS["fast"]


def parts(vocab_size: int) -> tuple[Core, Codec]:
    model = random_model(ModelConfig(hidden=5, embedding=4, vocab_size=vocab_size), seed=2)
    core = Core(model, ENGINE, loadable=True, state_step=10)
    return core, Codec(board_info(model, ENGINE, LINK, layout=core.layout))


def logits_of(rng: np.random.Generator, size: int, width: int) -> np.ndarray:
    """Of the whole range, of a few values, all equal, or rising, of which each is inserted."""
    low, high = -(1 << width - 1), (1 << width - 1) - 1
    kind = rng.integers(4)
    if kind == 0:
        return rng.integers(low, high, size, endpoint=True)
    if kind == 1:
        return rng.integers(-1, 2, size)
    if kind == 2:
        return np.full(size, rng.integers(low, high, endpoint=True))
    return np.sort(rng.integers(low, high, size, endpoint=True))


def rtl(core: Core, codec: Codec, tokens: list[tuple[np.ndarray, int]], steady: float):
    """The bytes of each token, and the cycles from its first logit to its first byte."""
    dut, rng = TopList(core, codec), random.Random(1)
    found, cycles = [], []

    async def run(ctx):
        for logits, count in tokens:
            ctx.set(dut.count, count)
            since = 0
            for number, logit in enumerate(logits.tolist()):
                while rng.random() > steady:
                    await ctx.tick()
                ctx.set(dut.i.payload, {"logit": logit, "last": number == len(logits) - 1})
                ctx.set(dut.i.valid, 1)
                taken = False
                while not taken:
                    *_, taken = await ctx.tick().sample(dut.i.ready)
                    since += 1
                ctx.set(dut.i.valid, 0)
            record, last = bytearray(), False
            while not last:
                ctx.set(dut.o.ready, rng.random() < steady)
                *_, moves, byte, last = await ctx.tick().sample(
                    dut.o.valid & dut.o.ready, dut.o.payload, dut.o.valid & dut.o.ready & dut.last
                )
                since += not record and not moves
                if moves:
                    record.append(byte)
            ctx.set(dut.o.ready, 0)
            found.append(bytes(record))
            cycles.append(since)

    run_watched(dut, run, progress={"logits": dut.i, "bytes": dut.o}, patience=200)
    return found, cycles


@pytest.mark.parametrize("vocab_size", [2, 5, 16, 30, 300])
def test_list_equals_model(vocab_size):
    core, codec = parts(vocab_size)
    assert codec.info.top == min(16, vocab_size)
    rng = np.random.default_rng(vocab_size)
    counts = rng.integers(1, codec.info.top, 12 if vocab_size < 100 else 5, endpoint=True).tolist()
    tokens = [
        (logits_of(rng, vocab_size, core.layout.logit_width), count) for count in (*counts, 1, codec.info.top)
    ]
    found, _ = rtl(core, codec, tokens, steady=0.8)
    assert found == [TopList.model(codec, logits, count) for logits, count in tokens]


def test_a_logit_takes_a_cycle_and_each_entry_that_moves_another():
    core, codec = parts(8)
    falling, rising = 3 - np.arange(8), np.arange(8) - 4
    _, cycles = rtl(core, codec, [(falling, 4), (rising, 4), (rising, 1)], steady=1)
    # Rising ones move 0 + 1 + 2 + 3 entries, and then all four each time; the last one settles in a cycle.
    assert cycles == [8 + 1, 8 + 6 + 4 * 4 + 1, 8 + 7 + 1]
