"""The fast codec's result packer against the serial one's model: frames of random tokens, streams that
stall."""

import random

import numpy as np
import pytest

from tests.hw.test_result_packer import CASES, LINK, WIDE, Token
from trine_hw.core.core import Core
from trine_hw.link.fast.result_packer import FastResultPacker
from trine_hw.simulation.watchdog import run_watched
from trine_sw.engine import EngineConfig
from trine_sw.link.board_info import board_info
from trine_sw.link.memories import CELLS_AT_ONCE
from trine_sw.link.protocol import Want
from trine_sw.link.records import Codec
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.arithmetic import ceil_div

#: Beats of whole words, of several words and a rest, and of rests that meet anywhere within a word; padding
#: behind the last cell that fills a word of its own.
MORE = {
    "several words": (ModelConfig(hidden=23, embedding=2, vocab_size=3, **WIDE), EngineConfig(200, 1)),
    "several words, trits": (
        ModelConfig(hidden=20, embedding=2, vocab_size=3, cell_max=7),
        EngineConfig(200, 1),
    ),
    "beats of words": (ModelConfig(hidden=20, embedding=2, vocab_size=4, **WIDE), EngineConfig(48, 1)),
    "beats of rests": (ModelConfig(hidden=21, embedding=2, vocab_size=4, **WIDE), EngineConfig(31, 1)),
    "more words than wait": (
        ModelConfig(hidden=172, embedding=1, vocab_size=3, **WIDE),
        EngineConfig(700, 1, head="host"),
    ),
    "padding": (ModelConfig(hidden=20, embedding=2, vocab_size=4, **WIDE), EngineConfig(32, 1)),
    "stack of rests": (
        ModelConfig(hidden=12, embedding=2, vocab_size=3, layers=2, **WIDE),
        EngineConfig(28, 1),
    ),
}


class Frame:
    """Tokens of one frame, or of frames that follow each other in the engine, alike in what is wanted of
    them."""

    def __init__(self, core: Core, codec: Codec, rng: np.random.Generator) -> None:
        self.tokens = [Token(core, codec, rng) for _ in range(rng.integers(1, 5))]
        self.want, self.head = self.tokens[0].want, self.tokens[0].head
        for token in self.tokens:
            token.want, token.head = self.want, self.head

    def records(self, core: Core, codec: Codec) -> bytes:
        return b"".join(token.record(core, codec) for token in self.tokens)


def rtl(core: Core, codec: Codec, frames: list[Frame], steady: float):
    """The records of frames; the words of cells stored with each; the last choice after each; the cycles for
    which a state waited."""
    dut, geometry, config = FastResultPacker(core, codec, LINK), core.geometry, core.model.config
    ways = geometry.engine.sampler_ways
    records, stored = [bytearray() for _ in frames], [[] for _ in frames]
    at, choices, entered, waited, given = 0, [], 0, [], [0]
    levels = "u" in dict(core.state.payload.shape()["cells"].shape.elem_shape) and codec.info.u_bits
    tokens = [token for frame in frames for token in frame.tokens]

    def stall(seed):
        rng = random.Random(seed)
        return lambda: rng.random() > steady

    async def until_entered(ctx, number):
        while entered <= number:
            await ctx.tick()

    async def cells(ctx):
        waits = stall("cells")
        for number, token in enumerate(tokens):
            await until_entered(ctx, number)
            padded = np.zeros((3, geometry.layer_groups * geometry.units * config.layers), int)
            padded[:, : len(token.c)] = token.h, np.abs(token.u), token.c
            for group in range(geometry.groups):
                while waits():
                    await ctx.tick()
                own = padded[:, group * geometry.units :][:, : geometry.units].T.tolist()
                beat = [{"h": h, "c": c} | ({"u": u} if levels else {}) for h, u, c in own]
                final = group == geometry.groups - 1
                cycles = token.cycles if final else 0x55AA55AA
                ctx.set(dut.state.payload, {"cells": beat, "last": final, "cycles": cycles})
                ctx.set(dut.state.valid, 1)
                shifts, taken, since = [0], False, 0
                while not taken:
                    *_, shift, taken = await ctx.tick().sample(dut.state_shift, dut.state.ready)
                    since += 1
                    shifts = [shift, *shifts]
                    if shifts.pop():  # as the state queue does, two cycles later
                        beat = [*beat, *[{name: 0 for name in beat[0]}] * CELLS_AT_ONCE][CELLS_AT_ONCE:][
                            : len(own)
                        ]
                        if not taken:
                            ctx.set(dut.state.payload.cells, beat)
                waited.append(since)
                ctx.set(dut.state.valid, 0)

    async def logits(ctx):
        waits = stall("logits")
        for number, token in enumerate(tokens):
            await until_entered(ctx, number)
            assert token.logits is not None
            for first in range(0, len(token.logits) if token.head else 0, ways):
                while waits():
                    await ctx.tick()
                own = token.logits[first : first + ways].tolist()
                ctx.set(dut.logits.payload.logit, own + [-1] * (ways - len(own)))
                ctx.set(dut.logits.payload.mask, (1 << len(own)) - 1)
                ctx.set(dut.logits.payload.last, first + ways >= len(token.logits))
                ctx.set(dut.logits.valid, 1)
                await ctx.tick().until(dut.logits.ready)
                ctx.set(dut.logits.valid, 0)
            given[0] += 1

    async def choice(ctx):
        waits = stall("choice")
        for number, token in enumerate(tokens):
            await until_entered(ctx, number)
            if token.head:
                while given[0] <= number or waits():  # the sampler has seen all logits
                    await ctx.tick()
                ctx.set(dut.choice.payload, token.choice)
                ctx.set(dut.choice.valid, 1)
                await ctx.tick().until(dut.choice.ready)
                ctx.set(dut.choice.valid, 0)

    async def ask(ctx):
        nonlocal entered, at
        rng = random.Random("ask")
        for number, frame in enumerate(frames):
            at = number
            ctx.set(dut.start, 1)
            ctx.set(dut.want.as_value(), int(frame.want))
            ctx.set(dut.head, frame.head)
            await ctx.tick()
            ctx.set(dut.start, 0)
            ctx.set(dut.want.as_value(), 0)  # they are those of the cycle of ``start``
            ctx.set(dut.head, 0)
            await ctx.tick()
            left, final = len(frame.tokens), 0
            together = left if not frame.want & Want.CYCLES and rng.random() < 0.3 else 1
            while left:
                while not ctx.get(dut.idle) if frame.want & Want.CYCLES else rng.random() < 0.9:
                    await ctx.tick()
                assert final or not ctx.get(dut.done)
                left -= together
                final = left == 0 or rng.random() < 0.5  # another frame may follow, without a start
                ctx.set(dut.enter, 1)
                ctx.set(dut.tokens, together)
                ctx.set(dut.final, final)
                await ctx.tick()
                ctx.set(dut.enter, 0)
                entered += together
            await ctx.tick().until(dut.done)
            choices.append(ctx.get(dut.last_choice))

    async def take(ctx):
        waits = stall("bytes")
        while True:
            ctx.set(dut.o.ready, not waits())
            *_, moves, byte, en, word = await ctx.tick().sample(
                *(dut.o.valid & dut.o.ready, dut.o.payload, dut.store_en, dut.stored)
            )
            if moves:
                records[at].append(byte)
            if en:
                cells = [(word.cells[lane].c, word.cells[lane].h) for lane in range(CELLS_AT_ONCE)]
                stored[at].append((word.number, cells))

    head = (logits, choice) if geometry.head_lanes else ()
    streams = {"state": dut.state, "record": dut.o}
    run_watched(dut, cells, *head, ask, background=[take], progress=streams, patience=1000)
    return [bytes(record) for record in records], stored, choices, waited


def states(stored, config: ModelConfig) -> list[list[tuple[int, int]]]:
    """The states that were stored, (c, h) of each cell; each has all of its words, in their order."""
    words = ceil_div(config.hidden, CELLS_AT_ONCE)
    of_layers = [[cells for _, cells in stored[at : at + words]] for at in range(0, len(stored), words)]
    assert [number for number, _ in stored] == list(range(config.layers * words)) * (
        len(of_layers) // config.layers
    )
    layers = [sum(cells, [])[: config.hidden] for cells in of_layers]
    return [sum(layers[at : at + config.layers], []) for at in range(0, len(layers), config.layers)]


@pytest.mark.parametrize("case", [*CASES, *MORE])
def test_records_equal_model(case):
    config, engine = (CASES | MORE)[case]
    core = Core(random_model(config, seed=5), engine, loadable=True, state_step=CELLS_AT_ONCE)
    codec = Codec(board_info(core.model, engine, LINK))
    rng = np.random.default_rng(len(case))
    frames = [Frame(core, codec, rng) for _ in range(10 if config.vocab_size < 100 else 4)]
    records, stored, choices, _ = rtl(core, codec, frames, steady=0.7)
    assert records == [frame.records(core, codec) for frame in frames]
    last = 0
    for frame, words, choice in zip(frames, stored, choices, strict=True):
        token = frame.tokens[-1]
        kept = states(words, config)
        wanted = [list(zip(token.c.tolist(), token.h.tolist(), strict=True)) for token in frame.tokens]
        assert kept[-1] == wanted[-1] and all(state in wanted for state in kept)
        last = token.choice if token.head else last
        assert choice == last


def test_the_state_queue_is_free_as_soon_as_promised():
    """A beat of 23 cells is three words: it is taken 5 cycles and a cycle for each after it came."""
    config, engine = MORE["several words"]
    core = Core(random_model(config, seed=5), engine, loadable=True, state_step=CELLS_AT_ONCE)
    codec = Codec(board_info(core.model, engine, LINK))
    frame = Frame(core, codec, np.random.default_rng(1))
    frame.want, frame.head = Want.H, False
    for token in frame.tokens:
        token.want, token.head = Want.H, False
    *_, waited = rtl(core, codec, [frame], steady=1.0)
    assert set(waited) == {3 + 3}
