"""A board as a backend of the command line, with a progress bar where streams are long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from trine.backend_results import Result
from trine.connect import Board
from trine.models import check_embedding
from trine_sw.driver import StepBlock
from trine_sw.engine.placement import ANYWHERE, Placement
from trine_sw.golden import generation_scale
from trine_sw.model import Model
from trine_sw.support.errors import TrineError

__all__ = ["BoardBackend", "open_placed", "with_progress"]

T = TypeVar("T")


class _Speed(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f} {self._unit}/s")


def _bar(unit: str = "tokens") -> Progress:
    """A bar on standard error, if that is a terminal."""
    columns = (TextColumn("{task.completed:,.0f} of {task.total:,.0f}"), BarColumn(), _Speed(unit))
    console = Console(stderr=True)
    return Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
    )


def with_progress(
    steps: Iterable[T], count: int, unit: str = "tokens", *, size: Callable[[T], int] = lambda step: 1
) -> Iterator[T]:
    """The same steps, with a bar and the tokens, or what they are, a second; each counts for its size."""
    with _bar(unit) as progress:
        task = progress.add_task("", total=count)
        for step in steps:
            progress.advance(task, size(step))
            yield step


def open_placed(url: str, model: Model, placement: Placement) -> Board:
    """The board at ``url``, which must hold ``model``, with embedding and head where ``placement`` says."""
    return Board.open(url, model, embedding=placement.embedding, head=placement.head)


class BoardBackend:
    """The board at ``url``, as of :func:`open_placed`; it is opened for each run."""

    def __init__(self, url: str, model: Model, placement: Placement = ANYWHERE) -> None:
        self.url, self.model, self.placement = url, model, placement

    def run(self, tokens: npt.ArrayLike) -> Result:
        """Run tokens (T,)."""
        check_embedding(self.model)
        ids = np.asarray(tokens)
        want = ["h", "u", "cycles"]
        if self.model.head_weight is not None:
            want.append("logits")
        with open_placed(self.url, self.model, self.placement) as board:
            steps = StepBlock.joined(with_progress(board.stream_blocks(ids, want), len(ids), size=len))
        if steps.h is None or steps.u is None or steps.cycles is None:
            raise TrineError("there are no tokens to run; give at least one")
        return Result(steps.h, None, steps.u, steps.logits, steps.cycles)

    def generate(
        self, prompt: npt.ArrayLike, count: int, temperature: float = 0.0, seed: int = 0
    ) -> npt.NDArray[np.int64]:
        """The ``count`` tokens that follow the prompt (P,)."""
        check_embedding(self.model)
        generation_scale(self.model)  # refuses a model without a head
        with open_placed(self.url, self.model, self.placement) as board, _bar() as progress:
            task = progress.add_task("", total=count)
            return board.generate(
                prompt, count, temperature, seed, on_choice=lambda choice: progress.advance(task)
            )
