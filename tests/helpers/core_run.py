"""A core in Amaranth's simulator, its requests, and what it gave."""

import random

from trine_hw.core.cells.base import level_bits
from trine_hw.core.core import Core
from trine_hw.simulation.watchdog import core_patience, run_watched

__all__ = ["Run"]

#: Cycles after the last expected beat in which nothing may come any more.
_QUIET = 64


class Run:
    """What a core gave for a list of requests."""

    def __init__(
        self, core: Core, requests: list[dict], *, tau: int = 0, seed: int = 0, steady: float = 1.0
    ) -> None:
        self.core, self.requests, self.steady = core, requests, steady
        self.tau, self.seed = tau, seed
        geometry, config = core.geometry, core.model.config
        self.cells: list[list] = []
        self.cycles: list[int] = []
        self.logits: list[list[int]] = [[]]
        self.choices: list[int] = []
        wanted = sum(r.get("head", 0) or bool(r.get("count")) for r in requests)
        generated = sum(max(r.get("count", 0) - 1, 0) for r in requests)
        self.want_tokens = len(requests) + generated
        self.want_choices = (wanted + generated) if geometry.head_lanes else 0
        self.cells_of = config.cells
        streams, testbenches = {"i": core.i, "state": core.state}, [self._feed, self._states]
        if geometry.head_lanes:
            streams |= {"logits": core.logits, "choice": core.choice}
            testbenches += [self._take_logits, self._take_choices]
        testbenches.append(self._nothing_more)
        run_watched(core, *testbenches, progress=streams, patience=core_patience(geometry, steady))

    async def _feed(self, ctx):
        core, rng = self.core, random.Random(1)
        if self.core.geometry.head_lanes:
            ctx.set(core.tau, self.tau)
            ctx.set(core.seed, self.seed)
        for request in self.requests:
            while rng.random() > self.steady:
                await ctx.tick()
            ctx.set(core.i.payload, {"reset": 0, "head": 0, "last": 0, "count": 0, "reseed": 0, **request})
            ctx.set(core.i.valid, 1)
            await ctx.tick().until(core.i.ready)
            ctx.set(core.i.valid, 0)
            # What is not offered is nobody's request, whatever it looks like.
            ctx.set(core.i.payload, {"reset": 1, "head": 1, "last": 1, "count": 3, "reseed": 1})

    async def _stream(self, ctx, port, rng):
        while rng.random() > self.steady:
            await ctx.tick()
        ctx.set(port.ready, 1)
        moved = False
        while not moved:
            # What is offered is read only where there is an offer: a wide beat takes the simulator long.
            payload = ctx.get(port.payload) if ctx.get(port.valid) else None
            _, _, moved = await ctx.tick().sample(port.valid)
        ctx.set(port.ready, 0)
        assert payload is not None, "valid came after the edge before, or went without a transfer"
        return payload

    async def _states(self, ctx):
        rng, bits = random.Random(2), level_bits(self.core.model.config)
        for _ in range(self.want_tokens):
            cells, last = [], 0
            while not last:
                beat = await self._stream(ctx, self.core.state, rng)
                cells += [(c.h, c.u if bits else abs(c.h), c.c) for c in beat.cells]
                last = beat.last
            self.cells.append(cells[: self.cells_of])
            self.cycles.append(beat.cycles)
            assert not any(any(cell) for cell in cells[self.cells_of :])

    async def _nothing_more(self, ctx):
        """For some time after what was asked for nothing comes."""
        core = self.core
        offers = [core.state.valid, *([core.choice.valid] if core.geometry.head_lanes else [])]
        while len(self.cycles) < self.want_tokens or len(self.choices) < self.want_choices:
            await ctx.tick()
        for _ in range(_QUIET):
            assert not any(ctx.get(offer) for offer in offers), "more came than was asked for"
            await ctx.tick()
        assert ctx.get(core.tokens) == self.want_tokens

    async def _take_logits(self, ctx):
        rng = random.Random(3)
        while len(self.logits) <= self.want_choices:
            beat = await self._stream(ctx, self.core.logits, rng)
            self.logits[-1] += [v for i, v in enumerate(beat.logit) if beat.mask >> i & 1]
            if beat.last:
                self.logits.append([])

    async def _take_choices(self, ctx):
        rng = random.Random(4)
        while len(self.choices) < self.want_choices:
            self.choices.append(await self._stream(ctx, self.core.choice, rng))
