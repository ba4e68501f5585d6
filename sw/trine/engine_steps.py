"""Steps for an engine: what it takes, where sequences begin, and whose logits are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trine.backends import engine_inputs
from trine_hw.simulation.job import TokenRequest
from trine_sw.engine import EngineConfig
from trine_sw.fit.sample import Sample, step_flags
from trine_sw.golden import Golden, State, Trace
from trine_sw.model import Model

__all__ = ["EngineSteps"]

Int8 = npt.NDArray[np.int8]


@dataclass(frozen=True)
class EngineSteps:
    """T steps of one or more sequences, and what the golden model makes of them.

    Members
    -------
    given : what the engine takes for each: a token's number, or trits (E,)
    x : trits (T, E)
    starts, heads : bool (T,), where a sequence begins, and whose logits are wanted, on the board or not
    trace : the golden model's, without logits
    """

    given: Sequence[int] | Sequence[Int8]
    x: Int8
    starts: npt.NDArray[np.bool_]
    heads: npt.NDArray[np.bool_]
    trace: Trace

    @classmethod
    def of_tokens(cls, model: Model, engine: EngineConfig, tokens: npt.NDArray[np.int64]) -> EngineSteps:
        """Tokens (T,) of one sequence."""
        assert model.embedding_weight is not None
        starts, heads = step_flags(model, [len(tokens)])
        trace = Golden(model).run(tokens, logits=False)
        given = engine_inputs(model, engine, tokens)
        return cls(given, model.embedding_weight[tokens], starts, heads, trace)

    @classmethod
    def of_sequences(cls, model: Model, sequences: Sequence[Int8]) -> EngineSteps:
        """Sequences of trits (T, E), one at least."""
        golden = Golden(model)
        traces = [golden.run_vectors(each, logits=False) for each in sequences]
        h, c, u = (np.concatenate([getattr(each, name) for each in traces]) for name in ("h", "c", "u"))
        x = np.concatenate(sequences)
        starts, heads = step_flags(model, [len(each) for each in sequences])
        return cls(list(x), x, starts, heads, Trace(h, c, u, None, traces[-1].state))

    def __len__(self) -> int:
        return len(self.x)

    @property
    def sample(self) -> Sample:
        """The same for the timing model."""
        return Sample(self.x, self.trace.h, self.starts, self.heads)

    def requests(self, start: int, stop: int, *, head: bool) -> list[TokenRequest]:
        """Requests of the steps from ``start`` on, before ``stop``; logits only where the board has the
        ``head``."""
        ends = [*self.starts[start + 1 : stop].tolist(), True]
        return [
            TokenRequest(
                self.given[n], head=head and bool(self.heads[n]), reset=bool(self.starts[n]), last=last
            )
            for n, last in zip(range(start, stop), ends, strict=True)
        ]

    def state_before(self, step: int) -> State:
        """The state of one stream that a step finds."""
        if self.starts[step]:
            return State(np.zeros_like(self.trace.h[:1]), np.zeros_like(self.trace.c[:1]))
        return State(self.trace.h[step - 1 : step], self.trace.c[step - 1 : step])
