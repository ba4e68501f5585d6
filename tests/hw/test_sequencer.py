"""The sequencer against its model: every marker and load in its order, each marker in the first cycle that it
may have, whatever scanners, columns, cells and takers need."""

import random
from collections import deque
from dataclasses import replace

import pytest

from trine_hw.core.sequencer import Sequencer, TokenFlags
from trine_hw.simulation.watchdog import run_watched
from trine_sw.engine import EngineConfig, Geometry
from trine_sw.model import ModelConfig

ONE = ModelConfig(hidden=6, embedding=4, vocab_size=5)
#: One group and several; a head in all groups, in fewer of them, in none; layers, folded or not; GRUs.
CASES = {
    "one group": (ONE, EngineConfig(100, 2)),
    "folded": (ONE, EngineConfig(12, 2)),
    "head in one group of two": (replace(ONE, vocab_size=2), EngineConfig(14, 1)),
    "head on the host": (ONE, EngineConfig(12, 1, head="host")),
    "stack": (replace(ONE, layers=3), EngineConfig(100, 1)),
    "stack, folded": (replace(ONE, layers=2, cell="gru"), EngineConfig(16, 1)),
}


def random_tokens(geometry: Geometry, rng: random.Random, count: int) -> list[TokenFlags]:
    """Requests as the contract allows them, and chains that feed their choices back."""
    tokens: list[TokenFlags] = []
    while len(tokens) < count:
        head = bool(geometry.head_lanes) and rng.random() < 0.7
        generate = head and rng.random() < 0.4
        last = generate or rng.random() < 0.5
        # The one before a reset leaves no logits for its pass.
        reset = not tokens or (rng.random() < 0.3 and (tokens[-1].last or not tokens[-1].head))
        reseed = bool(geometry.head_lanes) and rng.random() < 0.3
        more = rng.randrange(3) if generate else 0
        tokens.append(TokenFlags(reset, head, last, reseed, generate, feeds_back=more > 0))
        for n in reversed(range(more)):
            tokens.append(TokenFlags(False, True, True, False, True, feeds_back=n > 0))
    tokens[-1] = replace(tokens[-1], last=True)
    return tokens


class Bench:
    """The sequencer's neighbours: each takes a random time, and notes what it is told."""

    def __init__(self, geometry: Geometry, tokens: list[TokenFlags], seed: int, steady: float) -> None:
        self.geometry, self.tokens, self.steady = geometry, tokens, steady
        self.random = random.Random(seed)
        self.dut = Sequencer(geometry)
        self.markers: list[dict[str, int]] = []
        self.loads: dict[str, list[tuple[str, int]]] = {"x": [], "h": []}

    def soon(self) -> bool:
        return self.random.random() < self.steady

    async def drive(self, ctx):
        dut, geometry, rng = self.dut, self.geometry, self.random
        offered = 0  # tokens taken
        released = 0  # steps ended
        waiting = {"x": 0, "h": 0}  # vectors that are loaded and not yet taken by the banks
        idle = {"x": True, "h": True}
        in_x, in_h, done = True, False, False  # the banks
        committing: deque[int] = deque()  # cycles until a layer's new h is there
        room, logits_busy, drains = geometry.state_buffer, False, 0
        standing = 0  # groups of states that wait
        expected = deque(Sequencer.model(geometry, self.tokens)[0])
        shown = None  # the marker that is seen in the next cycle
        fed = [token.feeds_back for token in self.tokens]
        while expected or shown is not None:
            known = offered < len(self.tokens) and (not offered or not fed[offered - 1] or self.chosen)
            ctx.set(dut.token_valid, known and self.soon())
            if known:
                token = self.tokens[offered]
                names = ("reset", "head", "last", "reseed", "generate")
                ctx.set(dut.token_flags, {name: int(getattr(token, name)) for name in names})
            ctx.set(dut.feeds_back, bool(released) and fed[released - 1])
            for name, port in (("x", dut.x_idle), ("h", dut.h_idle)):
                idle[name] = idle[name] or (waiting[name] < 2 and self.soon())
                ctx.set(port, idle[name])
            committed = bool(committing) and committing[0] <= 0
            ctx.set(dut.committed, committed)
            if committed:
                committing.popleft()
            committing = deque(n - 1 for n in committing)
            ctx.set(dut.issue_done, done)
            taken = standing > 0 and self.soon()
            ctx.set(dut.state_taken, taken)
            drained = logits_busy and drains <= 0 and self.soon()
            ctx.set(dut.logits_drained, drained)
            drains -= 1

            if shown is not None:
                marker = ctx.get(dut.marker)
                found = {name: getattr(marker, name, None) for name in shown}
                found |= {name: ctx.get(getattr(dut, name)) for name in ("reseed", "base", "with_h")}
                # ``with_x`` was said with ``begin``; whether to take h is said as long as the group lasts.
                self.markers.append(found | {"with_x": int(in_x)})
                shown = None
            else:
                assert not ctx.get(dut.marker.as_value()) and not ctx.get(dut.reseed)

            begin = ctx.get(dut.begin)
            wanted = expected[0] if expected else {"gates": 0, "head": 0}
            free = not (wanted["gates"] and room == 0) and not (wanted["head"] and logits_busy)
            assert begin == (done and free), "a marker is late or too early"
            with_x, with_h = ctx.get(dut.with_x), ctx.get(dut.with_h)
            for name in ("x", "h"):
                ports = {what: getattr(dut, f"{name}_{what}") for what in ("load", "again", "clear")}
                strobes = [what for what, port in ports.items() if ctx.get(port)]
                assert len(strobes) <= 1 and (idle[name] or not strobes)
                for what in strobes:
                    layer = ctx.get(getattr(dut, f"{name}_layer"))
                    self.loads[name].append((what, 0 if what == "again" else layer))
                    waiting[name] += 1
                    idle[name] = False
            offered += ctx.get(dut.take)
            await ctx.tick()

            standing -= taken
            room += taken
            if drained:
                logits_busy = False
            # The banks take x's vector, then h's.
            if begin:
                shown = expected.popleft()
                in_x, in_h, done = bool(with_x), not with_x, False
                if shown["gates"]:
                    room -= 1
                    standing += 1
                if shown["head"]:
                    logits_busy, drains = True, rng.randrange(6)
                if shown["last"]:
                    committing.append(rng.randrange(8) if self.steady < 1 else 3)
                if shown["gates"] and shown["group"] == geometry.groups - 1:
                    released += 1
                    self.chosen = not fed[released - 1]
                if not shown["gates"] and shown["head"]:
                    self.chosen = True
            elif not done:
                if in_x and waiting["x"] and self.soon():
                    waiting["x"] -= 1
                    in_x, in_h = False, bool(with_h)
                    done = not in_h
                elif in_h and waiting["h"] and self.soon():
                    waiting["h"] -= 1
                    in_h, done = False, True
        assert offered == released == len(self.tokens)

    chosen = True


@pytest.mark.parametrize("steady", [1.0, 0.5])
@pytest.mark.parametrize("case", CASES)
def test_markers_and_loads_equal_model(case: str, steady: float) -> None:
    geometry = Geometry(*CASES[case])
    rng = random.Random(case)
    tokens = random_tokens(geometry, rng, 40)
    bench = Bench(geometry, tokens, 1, steady)
    dut = bench.dut
    progress = {"marker": dut.begin, "loads": dut.x_load | dut.h_load | dut.x_clear | dut.h_clear}
    run_watched(dut, bench.drive, progress=progress, patience=100)
    markers, loads = Sequencer.model(geometry, tokens)
    assert bench.markers == markers
    assert bench.loads == loads
