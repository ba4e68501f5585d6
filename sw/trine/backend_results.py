"""What a backend is, and what it returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from trine_sw.engine import EngineConfig

__all__ = ["Backend", "Generation", "Result", "TracingBackend"]


@dataclass(frozen=True)
class Result:
    """What T tokens gave: h, c (T, L·H); u (T, H); logits int32 (T, V) or None; cycles int64 (T,).

    Where a board computes, c is None, since it is shown only after the last token, and h the last layer's.
    """

    h: npt.NDArray[np.int8]
    c: npt.NDArray[np.int8] | None
    u: npt.NDArray[np.integer]
    logits: npt.NDArray[np.int32] | None
    cycles: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Generation(Result):
    """A generation: of the prompt's tokens and all but the last of the chosen ones, and the choices (N,).

    ``logits`` are None: those of the prompt are not computed.
    """

    chosen: npt.NDArray[np.int64]


class Backend(Protocol):
    """Computes a model from the zero state on."""

    def run(self, tokens: npt.ArrayLike) -> Result:
        """Run tokens (T,)."""
        ...

    def generate(
        self, prompt: npt.ArrayLike, count: int, temperature: float = 0.0, seed: int = 0
    ) -> npt.NDArray[np.int64]:
        """The ``count`` tokens that follow the prompt (P,)."""
        ...


class TracingBackend(Backend, Protocol):
    """A backend that shows all of a generation."""

    engine: EngineConfig

    def trace_generation(
        self,
        prompt: npt.ArrayLike,
        count: int,
        temperature: float = 0.0,
        seed: int = 0,
        *,
        on_choice: Callable[[int], None] | None = None,
    ) -> Generation:
        """Generate, and return everything on the way; ``on_choice`` sees each choice as it is made."""
        ...
