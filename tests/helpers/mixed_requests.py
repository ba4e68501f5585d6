"""Requests of all sorts to one core, and what the golden model gives for them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from trine_sw.golden import Golden
from trine_sw.golden.sampler import Sampler
from trine_sw.model import Model

__all__ = ["Mixed", "mixed_requests"]


@dataclass
class Mixed:
    """Requests by their fields' names; of each token h, u and c; the head's logits and choices."""

    requests: list[dict] = field(default_factory=list)
    h: list[list[int]] = field(default_factory=list)
    u: list[list[int]] = field(default_factory=list)
    c: list[list[int]] = field(default_factory=list)
    logits: list[list[int]] = field(default_factory=list)
    choices: list[int] = field(default_factory=list)

    @property
    def cells(self) -> list[list[tuple[int, int, int]]]:
        """h, abs(u) and c of each token's cells, of a single layer."""
        tokens = zip(self.h, self.u, self.c, strict=True)
        return [[(h, abs(u), c) for h, u, c in zip(*token, strict=True)] for token in tokens]


def mixed_requests(
    model: Model, *, seed: int, temperature: float, generator_seed: int, count: int = 40
) -> Mixed:
    """Resets, head passes of their own, generation in mid-stream, in random order."""
    mixed = Mixed()
    rng, golden = random.Random(seed), Golden(model)
    sampler = Sampler(model.head_scale, temperature, generator_seed)
    state = golden.initial_state()
    last_logits: list = []

    def step(token: int) -> None:
        nonlocal state, last_logits
        trace = golden.run([token], state)
        state = trace.state
        assert trace.logits is not None
        last_logits = trace.logits[0]
        for into, values in ((mixed.h, trace.h), (mixed.u, trace.u), (mixed.c, trace.c)):
            into.append(values[0].tolist())

    def choose() -> int:
        mixed.choices.append(sampler.choose(last_logits))
        mixed.logits.append(last_logits.tolist())
        return mixed.choices[-1]

    for index in range(count):
        request = {
            "token": rng.randrange(model.config.vocab_size),
            "head": rng.random() < 0.6,
            "last": rng.random() < 0.4,
        }
        request["reset"] = index == 0 or rng.random() < 0.2
        request["reseed"] = index == 0
        if rng.random() < 0.2:
            request["count"] = rng.randint(1, 4)
        if request["reset"]:
            state = golden.initial_state()
            if mixed.requests:
                mixed.requests[-1]["last"] = 1
        mixed.requests.append(request)
        step(request["token"])
        if request.get("count"):
            for index_chosen in range(request["count"]):
                token = choose()
                if index_chosen < request["count"] - 1:
                    step(token)
        elif request["head"]:
            choose()
    mixed.requests[-1]["last"] = 1
    return mixed
