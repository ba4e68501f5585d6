"""Synthesised netlists, in Yosys' cell models and the block RAM's, equal the golden models."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from sim.netlist.replay import Bench
from sim.netlist.synthesis import Netlist, synthesise
from trine_hw.core.core import Core
from trine_hw.core.logit_stream import LogitBeat
from trine_hw.core.sampler import Sampler
from trine_hw.core.token_source import Request
from trine_hw.primitives.column_rom import ColumnROM, rom_words
from trine_hw.simulation.simulators import SIMULATORS
from trine_sw.engine import EngineConfig
from trine_sw.engine.timing import generation_cycles, token_cycles
from trine_sw.golden import Golden
from trine_sw.golden.sampler import sampler_latency, seed_state, tau_code
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.arithmetic import ceil_div


@pytest.mark.parametrize(("depth", "lanes"), [(77, 40), (700, 10), (1500, 6), (9000, 1)])
def test_column_rom(tmp_path, depth, lanes):
    """Both forms against the matrix; what Yosys infers also checks the block RAM's model."""
    contents = np.random.default_rng(0).integers(-1, 2, (depth, lanes), dtype=np.int8)
    words = rom_words(contents)
    addresses = [
        *range(0, depth, ceil_div(depth, 200)),
        *np.random.default_rng(1).integers(0, depth, 100).tolist(),
    ]
    for form in ("ecp5", "inferred"):
        netlist = synthesise(ColumnROM(contents, block_ram=form), tmp_path / form)
        found = Bench(netlist, tmp_path / form, "icarus").run(len(addresses), {"addr": addresses})
        assert found["o"] == [0] * 3 + [words[address] for address in addresses[:-3]]


@pytest.mark.parametrize(
    ("vocab_size", "ways", "tau", "block_ram"),
    [(21, 2, 100, "ecp5"), (8, 3, 4095, "inferred"), (5, 1, 0, "ecp5")],
)
def test_sampler(tmp_path, vocab_size, ways, tau, block_ram):
    logits = np.random.default_rng(ways).integers(-128, 128, (30, vocab_size)).tolist()
    beats = []
    for row in logits:
        for start in range(0, vocab_size, ways):
            beat = row[start : start + ways]
            value = {"logit": beat + [127] * (ways - len(beat)), "mask": (1 << len(beat)) - 1}
            value["last"] = start + ways >= vocab_size
            beats.append(LogitBeat(ways, 8).const(value).as_bits())
    netlist = synthesise(Sampler(vocab_size, 8, ways, block_ram=block_ram), tmp_path)
    steady = {"tau": tau, "seed": 0, "reseed": 0, "o__ready": 1}
    found = Bench(netlist, tmp_path, "icarus").run(len(beats) + 12, steady, "i", beats)
    shown = [cycle for cycle, valid in enumerate(found["o__valid"]) if valid]
    last = range(len(beats) // 30 - 1, len(beats), len(beats) // 30)
    assert shown == [cycle + sampler_latency(ways) for cycle in last]
    assert [found["o__payload"][cycle] for cycle in shown] == Sampler.model(logits, tau, seed_state(0))[0]


@dataclass
class Outcome:
    """What a core's outputs were, token by token."""

    cells: list[list[tuple[int, int]]] = field(default_factory=lambda: [[]])
    cycles: list[int] = field(default_factory=list)
    logits: list[list[int]] = field(default_factory=lambda: [[]])
    choices: list[int] = field(default_factory=list)


class SmallEngine:
    """A core of two groups and two banks, its netlist, and runs of it."""

    def __init__(self, folder: Path, cell: str = "lstm", relays: int = 0) -> None:
        config = ModelConfig(cell=cell, hidden=5, embedding=4, vocab_size=9, cell_max=7)
        self.model = random_model(config, seed=3)
        self.engine = EngineConfig(lanes=18, banks=2, block_ram="ecp5", sampler_ways=2, relays=relays)
        self.core = Core(self.model, self.engine)
        self.folder = folder
        self.netlist = synthesise(self.core, folder)

    def run(
        self,
        simulator: str,
        requests: Sequence[dict[str, int]],
        cycles: int,
        *,
        tau: int = 0,
        seed: int = 0,
        ready: float = 1.0,
        netlist: Netlist | None = None,
    ) -> Outcome:
        """Outputs for some requests; each output stream is taken in a share ``ready`` of the cycles."""
        rng = np.random.default_rng(0)
        streams = ("state", "logits", "choice")
        takes = {f"{name}__ready": (rng.random(cycles) < ready).astype(int).tolist() for name in streams}
        request = Request(self.model.config, self.engine)
        blank = {"reset": 0, "head": 0, "last": 0, "count": 0, "reseed": 0}
        items = [request.const(blank | wanted).as_bits() for wanted in requests]
        bench = Bench(netlist or self.netlist, self.folder / simulator, simulator)
        found = bench.run(cycles, {"tau": tau, "seed": seed, **takes}, "i", items)
        return self._decoded(found, takes)

    def _decoded(self, found: dict[str, list[int]], takes: dict[str, list[int]]) -> Outcome:
        core, outcome = self.core, Outcome()

        def transfers(name: str) -> list[int]:
            marks = zip(
                found[f"{name}__valid"], takes[f"{name}__ready"], found[f"{name}__payload"], strict=True
            )
            return [payload for valid, ready, payload in marks if valid and ready]

        for payload in transfers("state"):
            beat = core.state.payload.shape().from_bits(payload)
            outcome.cells[-1] += [(cell.h, cell.c) for cell in beat.cells]
            if beat.last:
                del outcome.cells[-1][self.model.config.hidden :]
                outcome.cells.append([])
                outcome.cycles.append(beat.cycles)
        for payload in transfers("logits"):
            beat = core.logits.payload.shape().from_bits(payload)
            outcome.logits[-1] += [logit for way, logit in enumerate(beat.logit) if beat.mask >> way & 1]
            if beat.last:
                outcome.logits.append([])
        outcome.choices = transfers("choice")
        assert outcome.cells.pop() == [] and outcome.logits.pop() == []
        return outcome

    def expected(self, tokens: Sequence[int]) -> tuple[list[list[tuple[int, int]]], list[list[int]]]:
        """The golden model's cells (h, c) and logits."""
        trace = Golden(self.model).run(tokens)
        cells = [
            list(zip(h, c, strict=True)) for h, c in zip(trace.h.tolist(), trace.c.tolist(), strict=True)
        ]
        assert trace.logits is not None
        return cells, trace.logits.tolist()


@pytest.fixture(scope="module")
def small_engine(tmp_path_factory) -> SmallEngine:
    return SmallEngine(tmp_path_factory.mktemp("engine"))


TOKENS = np.random.default_rng(2).integers(0, 9, 40).tolist()
REQUESTS = [{"token": token, "reset": n == 0, "head": 1, "last": n == 39} for n, token in enumerate(TOKENS)]


# Verilator simulates synthesised netlists of whole boards in test_netlist_pins.
@pytest.mark.parametrize(
    "simulator",
    [name if name == "icarus" else pytest.param(name, marks=pytest.mark.nightly) for name in SIMULATORS],
)
def test_every_token_of_a_small_engine(small_engine, simulator):
    predicted = token_cycles(small_engine.model, small_engine.engine, TOKENS).cycles.tolist()
    outcome = small_engine.run(simulator, REQUESTS, sum(predicted) + 100)
    cells, logits = small_engine.expected(TOKENS)
    assert outcome.cells == cells
    assert outcome.logits == logits
    assert outcome.choices == np.argmax(logits, axis=1).tolist()
    assert outcome.cycles == predicted


@pytest.mark.parametrize("relays", [pytest.param(0, marks=pytest.mark.nightly), 1])
def test_every_token_of_a_small_gru(tmp_path, relays):
    engine = SmallEngine(tmp_path, "gru", relays)
    predicted = token_cycles(engine.model, engine.engine, TOKENS).cycles.tolist()
    outcome = engine.run("icarus", REQUESTS, sum(predicted) + 100)
    assert (outcome.cells, outcome.logits) == engine.expected(TOKENS)
    assert outcome.cycles == predicted


def test_generation_of_a_small_engine(small_engine):
    model, temperature = small_engine.model, 1.5
    chosen = Golden(model).generate(TOKENS[:4], 25, temperature, 9)
    predicted = generation_cycles(model, small_engine.engine, TOKENS[:4], chosen).cycles.tolist()
    requests = [{"token": token, "reset": n == 0} for n, token in enumerate(TOKENS[:4])]
    requests[-1] |= {"count": 25, "reseed": 1}
    tau = tau_code(temperature, model.head_scale)
    outcome = small_engine.run("icarus", requests, 2000, tau=tau, seed=9)
    assert outcome.choices == chosen.tolist()
    assert outcome.cells == small_engine.expected(TOKENS[:4] + chosen[:-1].tolist())[0]
    assert outcome.cycles == predicted


def test_stalls_of_a_small_engine(small_engine):
    outcome = small_engine.run("icarus", REQUESTS, 4000, ready=0.3)
    assert (outcome.cells, outcome.logits) == small_engine.expected(TOKENS)


def test_a_corrupted_initial_value_is_noticed(small_engine, tmp_path):
    """The lowest bit of each block RAM: a weight, an embedding's trit, an entry of the sampler's table."""
    text = small_engine.netlist.verilog.read_text(encoding="utf-8")
    broken, count = re.subn(r"(\.INITVAL_00\(320'h[0-9a-f]*)([0-9a-f])\)", flipped_bit, text)
    assert count == len(small_engine.netlist.block_rams) > 2
    path = tmp_path / "top.v"
    path.write_text(broken, encoding="utf-8")
    netlist = Netlist("top", path, small_engine.netlist.module)
    outcome = small_engine.run("icarus", REQUESTS, 1200, netlist=netlist)
    cells, logits = small_engine.expected(TOKENS)
    assert outcome.cells != cells or outcome.logits != logits


def flipped_bit(match: re.Match[str]) -> str:
    return f"{match[1]}{int(match[2], 16) ^ 1:x})"
