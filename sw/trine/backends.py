"""What can compute a model: the golden model, or its engine in a simulator. All agree in every bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trine.backend_results import Backend, Generation, Result, TracingBackend
from trine_hw.simulation.simulators import SIMULATORS
from trine_sw.engine import EngineConfig
from trine_sw.engine.default import default_engine
from trine_sw.engine.timing import generation_cycles, token_cycles
from trine_sw.golden import Golden
from trine_sw.golden.sampler import seed_state, tau_code
from trine_sw.model import Model
from trine_sw.support.checks import integer, integer_array, shown
from trine_sw.support.errors import TrineError

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
    name: str, model: Model, engine: EngineConfig | None = None, *, waves: Path | None = None
) -> Backend:
    """The backend ``name``, or the board at a URL, for ``model``, on ``engine`` or
    :func:`trine_sw.engine.default.default_engine`.

    A simulator writes its waveforms to ``waves``, and GTKWave's save file beside it.

    Raises
    ------
    TrineError
        If there is no such backend or board; if a simulator or cocotb is missing, a run says so.
    """
    if not isinstance(name, str):
        raise TrineError(f"a backend is named, such as 'golden', or a board's URL; not {shown(name)}")
    if waves is not None and name not in SIMULATORS:
        raise TrineError(f"only a simulator has waveforms ({' or '.join(SIMULATORS)}), not {name}")
    if name in BACKENDS:
        return open_tracing_backend(name, model, engine, waves=waves)
    from trine.board_backend import BoardBackend

    return BoardBackend(name, model)


def open_tracing_backend(
    name: str, model: Model, engine: EngineConfig | None = None, *, waves: Path | None = None
) -> TracingBackend:
    """One of :data:`BACKENDS`."""
    engine = engine or default_engine(model)
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
    if model.embedding_weight is None:
        raise TrineError("the model has no embedding: it takes input vectors, and no tokens")
    return ids.astype(np.int64)


def engine_inputs(
    model: Model, engine: EngineConfig, tokens: npt.NDArray[np.int64]
) -> list[int] | list[npt.NDArray[np.int8]]:
    """What an engine takes for tokens: their numbers or, with the embedding on the host, their trits."""
    if engine.embedding == "board":
        return tokens.tolist()
    assert model.embedding_weight is not None
    return list(model.embedding_weight[tokens])


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
        trace = self._golden.run(np.concatenate([ids, chosen[:-1]]))
        cycles = generation_cycles(self.model, self.engine, ids, chosen).cycles
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
        from trine_hw.core.core import Core
        from trine_hw.simulation.job import Job, TokenRequest
        from trine_hw.simulation.run import simulate

        ids = _tokens(self.model, tokens)
        final = len(ids) - 1
        given = engine_inputs(self.model, self.engine, ids)
        requests = [TokenRequest(t, head=True, reset=i == 0, last=i == final) for i, t in enumerate(given)]
        (run,) = simulate([Job(Core(self.model, self.engine), requests)], self.simulator, waves=self._waves)
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
        from trine_hw.core.core import Core
        from trine_hw.core.token_source import COUNT_BITS
        from trine_hw.simulation.job import Job, TokenRequest
        from trine_hw.simulation.run import simulate

        if self.model.head_scale is None or self.engine.head != "board":
            raise TrineError("the engine has no head on the board: it cannot generate")
        count = integer(count, "the count in a simulator", 1, 2**COUNT_BITS - 1)
        ids = _tokens(self.model, prompt)
        seed_state(seed)  # refuses a seed out of range
        given = engine_inputs(self.model, self.engine, ids)
        requests = [TokenRequest(t, reset=i == 0) for i, t in enumerate(given)]
        requests[-1] = replace(requests[-1], count=count, reseed=True)
        job = Job(
            Core(self.model, self.engine),
            requests,
            tau=tau_code(temperature, self.model.head_scale),
            seed=seed,
        )
        (run,) = simulate([job], self.simulator, on_choice=on_choice, waves=self._waves)
        return Generation(run.h, run.c, run.u, None, run.cycles, run.choices)

    def generate(
        self, prompt: npt.ArrayLike, count: int, temperature: float = 0.0, seed: int = 0
    ) -> npt.NDArray[np.int64]:
        return self.trace_generation(prompt, count, temperature, seed).chosen
