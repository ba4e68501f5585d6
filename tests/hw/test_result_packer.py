"""The result packer against its model: random tokens, everything that may be wanted, streams that stall."""

import random

import numpy as np
import pytest

from trine_hw.core.core import Core
from trine_hw.link.result_packer import ResultPacker
from trine_hw.simulation.watchdog import run_watched
from trine_sw.engine import EngineConfig
from trine_sw.link.board_info import board_info, level_values
from trine_sw.link.protocol import LinkConfig, Want
from trine_sw.link.records import Codec
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

LINK = LinkConfig(window=1, slot_bytes=1024, receive_bytes=1024)
WIDE = dict(cell_max=15, cell_shift=1, output_shift=1, head_levels=(0, 1, 2, 3))
#: Logits of one to two bytes, one to four ways, one group to three, levels that end within a byte and at one,
#: groups beyond the last cell, layers, and a head on the host.
CASES = {
    "levels": (ModelConfig(hidden=5, embedding=2, vocab_size=3, **WIDE), EngineConfig(100, 1)),
    "levels that fill bytes": (
        ModelConfig(hidden=8, embedding=2, vocab_size=7, **WIDE),
        EngineConfig(100, 1, sampler_ways=4),
    ),
    "trits": (ModelConfig(hidden=7, embedding=2, vocab_size=3, cell_max=7), EngineConfig(100, 1)),
    "wide logits": (
        ModelConfig(hidden=6, embedding=2, vocab_size=5, cell_max=127, head_levels=(0, 1, 60, 120)),
        EngineConfig(100, 1, sampler_ways=2),
    ),
    "wide tokens": (ModelConfig(hidden=2, embedding=1, vocab_size=260), EngineConfig(300, 1, sampler_ways=3)),
    "folded": (ModelConfig(hidden=7, embedding=2, vocab_size=4, **WIDE), EngineConfig(14, 1)),
    # The head takes more groups than the cells: the last ones hold none.
    "one group of padding": (ModelConfig(hidden=5, embedding=2, vocab_size=30, **WIDE), EngineConfig(9, 1)),
    "groups of padding": (ModelConfig(hidden=5, embedding=2, vocab_size=40, **WIDE), EngineConfig(6, 1)),
    "trits and padding": (ModelConfig(hidden=5, embedding=2, vocab_size=14, cell="mgu"), EngineConfig(10, 1)),
    "stack": (ModelConfig(hidden=4, embedding=2, vocab_size=3, layers=2, **WIDE), EngineConfig(100, 1)),
    "host": (ModelConfig(hidden=6, embedding=2, vocab_size=3, **WIDE), EngineConfig(24, 1, head="host")),
}


class Token:
    """What a core may give for a token, and what is asked of it."""

    def __init__(self, core: Core, codec: Codec, rng: np.random.Generator) -> None:
        config = core.model.config
        magnitudes = np.array((0, *level_values(config)))
        self.c = rng.integers(-config.cell_max, config.cell_max + 1, config.cells)
        self.h = rng.integers(-1, 2, config.cells)
        # A cell has a level if, and only if, its h is not 0.
        self.u = self.h * magnitudes[rng.integers(1, len(magnitudes), config.cells)]
        self.cycles = int(rng.choice([0, 255, 1 << 31, 0xFFFF_FFFF, rng.integers(1 << 32)]))
        bits, self.logits = codec.info.logit_bits, None
        wants = 8
        if core.geometry.head_lanes:
            wants, edge = 32, 1 << bits - 1
            values = [-edge, edge - 1, -1, 0, 1, rng.integers(-edge, edge)]
            self.logits = rng.choice(values, config.vocab_size)
        self.choice = int(rng.integers(config.vocab_size))
        self.want = Want(int(rng.integers(wants)))
        if Want.H in self.want and Want.U in self.want:  # a record holds one of them
            self.want &= ~Want.U
        self.head = bool(self.want & (Want.LOGITS | Want.CHOICE)) or (wants > 8 and rng.random() < 0.2)
        self.keep = bool(rng.random() < 0.5)

    def record(self, core: Core, codec: Codec) -> bytes:
        hidden = core.model.config.hidden
        levels = level_values(core.model.config)
        values = dict(cycles=self.cycles, logits=self.logits, choice=self.choice)
        return ResultPacker.model(codec, levels, self.want, h=self.h[-hidden:], u=self.u[-hidden:], **values)


def rtl(core: Core, codec: Codec, tokens: list[Token], steady: float):
    """The records of tokens; the cells stored with each, by address; the last choice after each."""
    dut, geometry = ResultPacker(core, codec), core.geometry
    ways = geometry.engine.sampler_ways
    records = [bytearray() for _ in tokens]
    stored: list[dict[int, tuple[int, int]]] = [{} for _ in tokens]
    at = 0  # the token whose record is under way
    choices: list[int] = []
    levels = "u" in dict(core.state.payload.shape()["cells"].shape.elem_shape) and codec.info.u_bits

    def stall(seed):
        rng = random.Random(seed)
        return lambda: rng.random() > steady

    async def cells(ctx):
        waits = stall("cells")
        for token in tokens:
            padded = np.zeros((3, geometry.units * geometry.groups), int)
            padded[:, : len(token.c)] = token.h, np.abs(token.u), token.c
            for group in range(geometry.groups):
                while waits():
                    await ctx.tick()
                own = padded[:, group * geometry.units :][:, : geometry.units].T.tolist()
                beat = [{"h": h, "c": c} | ({"u": u} if levels else {}) for h, u, c in own]
                final = group == geometry.groups - 1
                # Of a beat that is not its token's last the cycles are no token's.
                cycles = token.cycles if final else 0x55AA55AA
                ctx.set(dut.state.payload, {"cells": beat, "last": final, "cycles": cycles})
                ctx.set(dut.state.valid, 1)
                shifts, taken = [0], False
                while not taken:
                    *_, shift, taken = await ctx.tick().sample(dut.state_shift, dut.state.ready)
                    shifts = [shift, *shifts]
                    if shifts.pop():  # as the state queue does, two cycles later
                        beat = [*beat[1:], {name: 0 for name in beat[0]}]
                        if not taken:
                            ctx.set(dut.state.payload.cells, beat)
                ctx.set(dut.state.valid, 0)

    async def logits(ctx):
        waits = stall("logits")
        for token in tokens:
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

    async def choice(ctx):
        waits = stall("choice")
        for token in tokens:
            if token.head:
                while waits():
                    await ctx.tick()
                ctx.set(dut.choice.payload, token.choice)
                ctx.set(dut.choice.valid, 1)
                await ctx.tick().until(dut.choice.ready)
                ctx.set(dut.choice.valid, 0)

    async def ask(ctx):
        for token in tokens:
            ctx.set(dut.start, 1)
            ctx.set(dut.want.as_value(), int(token.want))
            ctx.set(dut.head, token.head)
            ctx.set(dut.keep, token.keep)
            await ctx.tick()
            ctx.set(dut.start, 0)
            ctx.set(dut.want.as_value(), 0)  # they are those of the cycle of ``start``
            ctx.set(dut.head, 0)
            ctx.set(dut.keep, 0)
            await ctx.tick().until(dut.done)
            choices.append(ctx.get(dut.last_choice))

    async def take(ctx):
        nonlocal at
        waits = stall("bytes")
        while True:
            ctx.set(dut.o.ready, not waits())
            *_, moves, byte, done, en, addr, data = await ctx.tick().sample(
                *(dut.o.valid & dut.o.ready, dut.o.payload, dut.done),
                *(dut.store_en, dut.store_addr, dut.store_data),
            )
            if moves:
                records[at].append(byte)
            if en:
                stored[at][addr] = (data.c, data.h)
            at += done

    head = (logits, choice) if geometry.head_lanes else ()
    streams = {"state": dut.state, "record": dut.o}
    patience = 100 + 4 * core.model.config.cells * (4 + codec.info.u_bits)
    run_watched(dut, cells, *head, ask, background=[take], progress=streams, patience=patience)
    return [bytes(record) for record in records], stored, choices


@pytest.mark.parametrize("case", CASES)
def test_records_equal_model(case):
    config, engine = CASES[case]
    model = random_model(config, seed=5)
    core = Core(model, engine, loadable=True)
    codec = Codec(board_info(model, engine, LINK))
    if case == "wide logits":
        assert codec.logit_bytes == 2
    rng = np.random.default_rng(len(case))
    tokens = [Token(core, codec, rng) for _ in range(12 if config.vocab_size < 100 else 6)]
    records, stored, choices = rtl(core, codec, tokens, steady=0.7)
    assert records == [token.record(core, codec) for token in tokens]
    last = 0
    for token, cells, choice in zip(tokens, stored, choices, strict=True):
        kept = {at: (int(c), int(h)) for at, (c, h) in enumerate(zip(token.c, token.h, strict=True))}
        assert cells == (kept if token.keep else {})
        last = token.choice if token.head else last
        assert choice == last
