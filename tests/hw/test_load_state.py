"""States put in place of the core's own: the next token starts from them."""

from dataclasses import replace

import numpy as np
import pytest

from trine_hw.core.core import Core
from trine_hw.simulation.watchdog import core_patience, run_watched
from trine_sw.engine import EngineConfig
from trine_sw.golden import Golden, State
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

CONFIG = ModelConfig(
    hidden=11, embedding=6, vocab_size=9, cell_max=15, cell_shift=1, output_shift=1, head_levels=(0, 1, 2)
)


GRU = replace(CONFIG, cell="gru")


async def load(ctx, core, c, h):
    """Put a state in place, as the link does."""
    geometry = core.geometry
    padded = np.zeros((2, geometry.units * geometry.groups), int)
    padded[:, : len(c)] = c, h != 0
    for group in range(geometry.groups):
        ctx.set(core.load.cells.active, 1)
        ctx.set(core.load.group, group)
        for unit in reversed(range(geometry.units)):
            await ctx.tick().repeat(1 + unit % 3)  # cells may come with gaps
            ctx.set(core.load.cells.c, int(padded[0, group * geometry.units + unit]))
            if core.model.config.spec.output_gate:
                ctx.set(core.load.cells.open, int(padded[1, group * geometry.units + unit]))
            ctx.set(core.load.cells.shift, 1)
            await ctx.tick()
            ctx.set(core.load.cells.shift, 0)
        ctx.set(core.load.commit, 1)
        await ctx.tick()
        ctx.set(core.load.commit, 0)
        await ctx.tick().repeat(4)
    ctx.set(core.load.cells.active, 0)


@pytest.mark.parametrize("config", [CONFIG, GRU, replace(CONFIG, cell="mgu")], ids=["lstm", "gru", "mgu"])
@pytest.mark.parametrize("lanes", [100, 20, 7])
def test_next_token_starts_from_a_loaded_state(lanes, config):
    model = random_model(config, seed=3)
    core = Core(model, EngineConfig(lanes, 2), loadable=True)
    golden = Golden(model)
    trace = golden.run(np.random.default_rng(1).integers(0, 9, 60))
    starts = [5, 59, 20, 33]
    found, expected = [], []

    async def bench(ctx):
        ctx.set(core.logits.ready, 1)
        ctx.set(core.choice.ready, 1)
        ctx.set(core.state.ready, 1)
        for round_, start in enumerate(starts):
            await load(ctx, core, trace.c[start], trace.h[start])
            for _ in range(3 * core.geometry.groups):
                assert not ctx.get(core.state.valid)  # a state put in place is nobody's answer
                await ctx.tick()
            state = State(trace.h[start][None], trace.c[start][None])
            tokens = [1, 2, 3][: 1 + round_ % 3]
            expected.extend(golden.run(tokens, state).c.tolist())
            for token in tokens:
                head = {"head": 1, "last": 1} if token == 2 else {"head": 0, "last": 0}
                ctx.set(core.i.payload, {"token": token, "reset": 0, "count": 0, "reseed": 0, **head})
                ctx.set(core.i.valid, 1)
                await ctx.tick().until(core.i.ready)
                ctx.set(core.i.valid, 0)
                cells = []
                while len(cells) < core.geometry.units * core.geometry.groups:
                    (beat,) = await ctx.tick().sample(core.state.payload).until(core.state.valid)
                    cells += [cell.c for cell in beat.cells]
                found.append(cells[: CONFIG.hidden])
            await ctx.tick().repeat(80)  # logits leave

    geometry = core.geometry
    load_cycles = geometry.groups * (4 * geometry.units + 8) + 80
    run_watched(
        core,
        bench,
        progress={name: getattr(core, name) for name in ("i", "state", "logits", "choice")},
        patience=core_patience(geometry) + load_cycles,
    )
    assert found == expected
