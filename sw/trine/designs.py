"""What ``trine build`` is asked for, the design that this is, and its build with an engine that fits."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trine.fitting import as_board, check_size, fit, fit_again
from trine_boards.board_spec import MARGIN, BoardSpec
from trine_boards.clock.choice import board_clock
from trine_sw.engine.placement import Place
from trine_sw.fit import Fit
from trine_sw.fit.sample import ACTIVITY
from trine_sw.model import Model
from trine_sw.support.errors import TrineError

if TYPE_CHECKING:
    from trine.building import Build
    from trine_boards.build.bitstream import TooLarge
    from trine_boards.top import BoardTop

__all__ = ["BuildRequest", "Design", "build_design", "prepared"]


@dataclass(frozen=True)
class Design:
    """A model's engine on a board at a clock. `margin` is a fraction of the clock."""

    model: Model
    fit: Fit
    board: BoardSpec
    clock_mhz: float
    margin: float

    @cached_property
    def top(self) -> BoardTop:
        """The board's gateware."""
        from trine_boards.top import BoardTop

        return BoardTop(self.model, self.fit.engine, self.board, self.clock_mhz, self.margin)


def prepared(
    model: Model | Path,
    board_name: str,
    clock: float | None,
    margin: float,
    link: str | None,
    baud: int | None,
    address: str | None = None,
    **engine: Any,
) -> Design:
    """The design that the options ask for; `margin` is in %, and `engine` as :func:`trine.fit` takes it.

    Raises
    ------
    TrineError
        If the model cannot be read, or the board does not hold it at that clock.
    """
    board = as_board(board_name, baud, link, address)
    clock = board_clock(board, board.clock_mhz if clock is None else clock)
    model = model if isinstance(model, Model) else Model.load(model)
    return Design(model, fit(model, board, **engine), board, clock, margin / 100)


@dataclass(frozen=True)
class BuildRequest:
    """The options of ``trine build`` that decide a bitstream, under the names of its parameters."""

    model_path: Path
    board_name: str
    clock: float | None = None
    margin: float = 100 * MARGIN
    link: str | None = None
    baud: int | None = None
    address: str | None = None
    lanes: int | None = None
    banks: int | None = None
    balance: bool = False
    embedding: Place | None = None
    head: Place | None = None
    activity: float = ACTIVITY
    seeds: int = 1

    def __post_init__(self) -> None:
        """Raises :exc:`TrineError` for what no board can be built with."""
        if not 0 <= self.margin < 100:
            raise TrineError(f"--margin must be 0 % or more, and less than 100, not {self.margin:g}")
        check_size(self.lanes, self.banks)

    @property
    def name(self) -> str:
        """What the report calls the model."""
        return self.model_path.stem

    @property
    def folder(self) -> str:
        """Name of the build's folder."""
        return f"{self.board_name}-{self.name}"

    @property
    def wishes(self) -> dict[str, Any]:
        """What the engine must be like, but for its size."""
        return {
            "balance": self.balance,
            "embedding": self.embedding,
            "head": self.head,
            "activity": self.activity,
        }

    def design(self, model: Model | None = None) -> Design:
        """The design, of the model file or of `model`, which was read from it. Raises as :func:`prepared`."""
        return prepared(
            *(model or self.model_path, self.board_name, self.clock, self.margin, self.link, self.baud),
            address=self.address,
            lanes=self.lanes,
            banks=self.banks,
            **self.wishes,
        )

    def command(self, design: Design, chosen: bool = False) -> str:
        """The command that builds `design` again; its engine is named where it was `chosen` meanwhile."""
        words = ["trine", "build", str(self.model_path), "--board", self.board_name]
        words += ["--clock", f"{design.clock_mhz:.7g}"]
        if design.margin != MARGIN:
            words += ["--margin", f"{100 * design.margin:g}"]
        words += [] if self.link is None else ["--link", self.link]
        words += [] if self.baud is None else ["--baud", str(self.baud)]
        words += [] if self.address is None else ["--address", self.address]
        words += ["--balance"] if self.balance else []
        for option, at in (("--embedding", self.embedding), ("--head", self.head)):
            words += [option, at] if at else []
        words += ["--activity", f"{self.activity:g}"] if self.activity != ACTIVITY else []
        words += ["--seeds", str(self.seeds)]
        engine = design.fit.engine
        if chosen:
            words += ["--lanes", str(engine.lanes), "--banks", str(engine.banks)]
            words += [] if self.embedding else ["--embedding", engine.embedding]
            words += [] if self.head else ["--head", engine.head]
        elif self.lanes is not None:
            words += ["--lanes", str(self.lanes), "--banks", str(self.banks)]
        return shlex.join(words)


def build_design(
    request: BuildRequest,
    design: Design,
    folder: Path,
    say: Callable[[str], None] = lambda line: None,
    **options: Any,
) -> Build:
    """:func:`trine.build` of a request's design, with `options` of its own.

    Where no engine was asked for, and the one that was chosen takes more logic than the chip has, a smaller
    one is taken; `say` is told so.

    Raises
    ------
    TrineError
        As :func:`trine.build` does.
    """
    from trine.building import build
    from trine_boards.build.bitstream import TooLarge

    chosen = False
    while True:
        try:
            return build(
                design.model,
                design.fit,
                folder,
                name=request.name,
                clock=design.clock_mhz,
                margin=design.margin,
                seeds=request.seeds,
                command=request.command(design, chosen),
                **options,
            )
        except TooLarge as error:
            if request.lanes is not None:
                raise
            design, chosen = _smaller(design, error, say, **request.wishes), True


def _smaller(design: Design, error: TooLarge, say: Callable[[str], None], **wishes: Any) -> Design:
    """The design with an engine that takes so much less as the first one took too much."""
    taken = design.fit.cost.lut4
    smaller = fit_again(design.model, design.fit, error.used, **wishes)
    say(
        f"the engine of {design.fit.engine.lanes} lanes takes {error.used:,} logic cells, where {taken:,} "
        f"were expected and the chip has {error.available:,}: going on with {smaller.engine.lanes} lanes"
    )
    return replace(design, fit=smaller)
