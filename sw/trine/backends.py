"""What can compute a model: the golden model, or its engine in a simulator. All agree in every bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trine.backend_results import Backend, Generation, Result, TracingBackend
from trine.models import check_embedding
from trine_hw.simulation.simulators import SIMULATORS
from trine_sw.engine import EngineConfig
from trine_sw.engine.default import default_engine
from trine_sw.engine.placement import ANYWHERE, Placement
from trine_sw.engine.timing import generation_cycles, token_cycles, vector_cycles
from trine_sw.golden import Golden, generation_scale
from trine_sw.golden.difference import difference
from trine_sw.golden.sampler import Sampler, seed_state, tau_code
from trine_sw.model import Model
from trine_sw.support.checks import integer, integer_array, shown
from trine_sw.support.errors import TrineError

if TYPE_CHECKING:
    from trine_hw.simulation.job import TokenRequest
    from trine_hw.simulation.run import Run

__all__ = [
    "BACKENDS",
    "Backend",
    "Generation",
    "Result",
    "TracingBackend",
    "engine_inputs",
    "open_backend",
    "open_tracing_backend",
]

BACKENDS = ("golden", *SIMULATORS)


def open_backend(
    name: str,
    model: Model,
    engine: EngineConfig | None = None,
    *,
    placement: Placement = ANYWHERE,
    waves: Path | None = None,
) -> Backend:
    """The backend ``name``, or the board at a URL, for ``model``, on ``engine`` or
    :func:`trine_sw.engine.default.default_engine` with embedding and head where ``placement`` has them.

    A simulator writes its waveforms to ``waves``, and GTKWave's save file beside it.

    Raises
    ------
    TrineError
        If there is no such backend or board, or the model lacks what the board must hold; if a simulator or
        cocotb is missing, a run says so.
    """
    if not isinstance(name, str):
        raise TrineError(f"a backend is named, such as 'golden', or a board's URL; not {shown(name)}")
    placement.of(model)  # refuses what the model file lacks
    if waves is not None and name not in SIMULATORS:
        raise TrineError(f"only a simulator has waveforms ({' or '.join(SIMULATORS)}), not {name}")
    if name in BACKENDS:
        return open_tracing_backend(name, model, engine, placement=placement, waves=waves)
    from trine.board_backend import BoardBackend

    return BoardBackend(name, model, placement)


def open_tracing_backend(
    name: str,
    model: Model,
    engine: EngineConfig | None = None,
    *,
    placement: Placement = ANYWHERE,
    waves: Path | None = None,
) -> TracingBackend:
    """One of :data:`BACKENDS`."""
    engine = engine or default_engine(model, placement=placement)
    return (
        _GoldenBackend(model, engine) if name == "golden" else _SimulatorBackend(name, model, engine, waves)
    )


def _tokens(model: Model, tokens: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Tokens (T,) of the model's vocabulary, T >= 1."""
    ids = integer_array(tokens, "tokens", "(T,), at least one", (1,))
    if not ids.size:
        raise TrineError("tokens must be at least one whole number, of shape (T,)")
    wrong = np.flatnonzero((ids < 0) | (ids >= model.config.vocab_size))
    if wrong.size:
        raise TrineError(
            f"token {ids[wrong[0]]}, number {wrong[0] + 1} of {len(ids)}, is out of range: "
            f"the model's are 0 to {model.config.vocab_size - 1}"
        )
    check_embedding(model)
    return ids.astype(np.int64)


def engine_inputs(
    model: Model, engine: EngineConfig, tokens: npt.NDArray[np.int64]
) -> list[int] | list[npt.NDArray[np.int8]]:
    """What an engine takes for tokens: their numbers or, with the embedding on the host, their trits."""
    if engine.embedding == "board":
        return tokens.tolist()
    assert model.embedding_weight is not None
    return list(model.embedding_weight[tokens])


def _generates(engine: EngineConfig) -> bool:
    """Whether the board generates by itself."""
    return (engine.embedding, engine.head) == ("board", "board")


class _GoldenBackend:
    def __init__(self, model: Model, engine: EngineConfig) -> None:
        self.model, self.engine, self._golden = model, engine, Golden(model)

    def run(self, tokens: npt.ArrayLike) -> Result:
        ids = _tokens(self.model, tokens)
        trace = self._golden.run(ids)
        cycles = token_cycles(self.model, self.engine, ids, h=trace.h).cycles
        return Result(trace.h, trace.c, trace.u, trace.logits, cycles)

    def trace_generation(
        self,
        prompt: npt.ArrayLike,
        count: int,
        temperature: float = 0.0,
        seed: int = 0,
        *,
        on_choice: Callable[[int], None] | None = None,
    ) -> Generation:
        ids = _tokens(self.model, prompt)
        chosen = self._golden.generate(ids, count, temperature, seed)
        if on_choice:
            for choice in chosen:
                on_choice(int(choice))
        given = np.concatenate([ids, chosen[:-1]])
        trace = self._golden.run(given)
        if _generates(self.engine):
            cycles = generation_cycles(self.model, self.engine, ids, chosen).cycles
        else:
            assert self.model.embedding_weight is not None
            x, heads = self.model.embedding_weight[given], np.arange(len(given)) >= len(ids) - 1
            cycles = vector_cycles(self.model, self.engine, x, trace.h, head=heads).cycles
        return Generation(trace.h, trace.c, trace.u, None, cycles, chosen)

    def generate(
        self, prompt: npt.ArrayLike, count: int, temperature: float = 0.0, seed: int = 0
    ) -> npt.NDArray[np.int64]:
        return self._golden.generate(_tokens(self.model, prompt), count, temperature, seed)


class _SimulatorBackend:
    def __init__(self, simulator: str, model: Model, engine: EngineConfig, waves: Path | None) -> None:
        self.simulator, self.model, self._waves = simulator, model, waves
        self.engine = replace(engine, block_ram="inferred")  # the same bits and cycles, without primitives

    def run(self, tokens: npt.ArrayLike) -> Result:
        from trine_hw.simulation.job import TokenRequest

        ids = _tokens(self.model, tokens)
        final = len(ids) - 1
        given = engine_inputs(self.model, self.engine, ids)
        requests = [TokenRequest(t, head=True, reset=i == 0, last=i == final) for i, t in enumerate(given)]
        run = self._simulated(requests)
        return Result(run.h, run.c, run.u, run.logits if len(run.logits) else None, run.cycles)

    def trace_generation(
        self,
        prompt: npt.ArrayLike,
        count: int,
        temperature: float = 0.0,
        seed: int = 0,
        *,
        on_choice: Callable[[int], None] | None = None,
    ) -> Generation:
        from trine_hw.core.token_source import COUNT_BITS
        from trine_hw.simulation.job import TokenRequest

        tau = tau_code(temperature, generation_scale(self.model))  # refuses a model without a head
        count = integer(count, "the count in a simulator", 1, 2**COUNT_BITS - 1)
        ids = _tokens(self.model, prompt)
        seed_state(seed)  # refuses a seed out of range
        if not _generates(self.engine):
            return self._with_host(ids, count, temperature, seed, on_choice)
        requests = [TokenRequest(t, reset=i == 0) for i, t in enumerate(ids.tolist())]
        requests[-1] = replace(requests[-1], count=count, reseed=True)
        run = self._simulated(requests, tau, seed, on_choice)
        return Generation(run.h, run.c, run.u, None, run.cycles, run.choices)

    def _with_host(
        self,
        prompt: npt.NDArray[np.int64],
        count: int,
        temperature: float,
        seed: int,
        on_choice: Callable[[int], None] | None,
    ) -> Generation:
        """A generation in which the host looks up each chosen token, or computes the head, or both.

        The simulator takes all tokens in advance, those that the golden model chooses. What the host or the
        engine chooses of the engine's own states must be the same tokens.
        """
        from trine_hw.simulation.job import TokenRequest

        expected = Golden(self.model).generate(prompt, count, temperature, seed)
        ids = np.concatenate([prompt, expected[:-1]])
        first, on_board = len(prompt) - 1, self.engine.head == "board"
        requests = [
            TokenRequest(
                t, reset=n == 0, head=on_board and n >= first, last=n == len(ids) - 1, reseed=n == first
            )
            for n, t in enumerate(engine_inputs(self.model, self.engine, ids))
        ]
        tau = tau_code(temperature, generation_scale(self.model))
        run = self._simulated(requests, tau, seed)
        chosen = run.choices
        if not on_board:
            sampler = Sampler(generation_scale(self.model), temperature, seed)
            logits = Golden(self.model).logits(run.u[first:].astype(np.int8))
            chosen = np.array([sampler.choose(each) for each in logits], np.int64)
        told = difference("choice", chosen, expected)
        if told is not None:
            raise TrineError(f"the simulated engine differs from the golden model: {told}")
        if on_choice:
            for choice in chosen:
                on_choice(int(choice))
        return Generation(run.h, run.c, run.u, None, run.cycles, chosen)

    def _simulated(
        self,
        requests: list[TokenRequest],
        tau: int = 0,
        seed: int = 0,
        on_choice: Callable[[int], None] | None = None,
    ) -> Run:
        from trine_hw.core.core import Core
        from trine_hw.simulation.job import Job
        from trine_hw.simulation.run import simulate

        job = Job(Core(self.model, self.engine), requests, tau=tau, seed=seed)
        (run,) = simulate([job], self.simulator, on_choice=on_choice, waves=self._waves)
        return run

    def generate(
        self, prompt: npt.ArrayLike, count: int, temperature: float = 0.0, seed: int = 0
    ) -> npt.NDArray[np.int64]:
        return self.trace_generation(prompt, count, temperature, seed).chosen
