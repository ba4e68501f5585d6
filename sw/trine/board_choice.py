"""Which of the boards holds a model, and what each would do."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from trine.models import as_model
from trine_boards import BOARDS
from trine_boards.board_spec import PRICES, BoardSpec
from trine_sw.engine.placement import Place
from trine_sw.fit import DoesNotFit, Fit, Placement
from trine_sw.fit import fit as solve
from trine_sw.fit.cost import fits_alike
from trine_sw.fit.figures import Figures
from trine_sw.fit.link_rate import link_rates
from trine_sw.fit.sample import ACTIVITY
from trine_sw.model import Model
from trine_sw.support.checks import share

__all__ = ["BoardChoice", "compare_boards"]


@dataclass(frozen=True)
class BoardChoice:
    """What a board would do for a model.

    Members
    -------
    board : its name
    chip, price, link : of the board; the class of its price, and the link that is built by default
    short : what it has too little of, and by how much; None where it holds the model
    lanes, banks, lut4, block_ram : of the engine, expected; 0 where there is none
    cycles_per_token, tokens_per_s : mean of the engine at the board's clock
    host_tokens_per_s : what a program gets through driver and link, of next tokens or, of a model without a
        head, of states; None where nothing is known of the link's rate
    host_limit : what takes longest for a frame, see :class:`trine_sw.fit.link_rate.LinkRate`
    """

    board: str
    chip: str
    price: str
    link: str
    short: str | None = None
    lanes: int = 0
    banks: int = 0
    lut4: int = 0
    block_ram: int = 0
    cycles_per_token: float = 0.0
    tokens_per_s: int = 0
    host_tokens_per_s: int | None = None
    host_limit: str | None = None


def compare_boards(
    model: Model | str | os.PathLike[str],
    boards: Iterable[BoardSpec] | None = None,
    *,
    embedding: Place | None = None,
    head: Place | None = None,
    activity: float = ACTIVITY,
    progress: Callable[[str], None] = lambda board: None,
) -> list[BoardChoice]:
    """What each of ``boards`` (default: all) would do for a model: those that hold it first, by the class of
    their price and then by what a program gets.

    Boards of the same chip are solved once. The options are those of :func:`trine.fit`; ``progress`` is told
    the name of each board before its turn.

    Raises
    ------
    TrineError
        If the file is no model, or an option is out of range.
    """
    model, placement = as_model(model), Placement(embedding, head)
    figures = Figures(model, activity=share(activity, "the activity"))
    solved: dict[Hashable, Fit | str] = {}
    found = []
    for board in BOARDS.values() if boards is None else boards:
        progress(board.name)
        key = fits_alike(board)
        if key not in solved:
            try:
                solved[key] = solve(model, board, placement, figures=figures)
            except DoesNotFit as error:
                solved[key] = str(error).removeprefix(f"the model does not fit {board.name}: ")
        found.append(_choice(model, board, solved[key]))
    return sorted(found, key=_order)


def _choice(model: Model, board: BoardSpec, fitted: Fit | str) -> BoardChoice:
    named = board.name, board.chip, board.price, board.transport.name
    if isinstance(fitted, str):
        return BoardChoice(*named, short=fitted)
    clock_hz, cycles = board.clock_mhz * 1e6, fitted.cycles_per_token
    wire = {"baud": board.baud, "transport": board.transport.name}
    rates = link_rates(model, fitted.engine, board.link, cycles, clock_hz=clock_hz, **wire)
    rate = next(iter(rates.values()), None)
    return BoardChoice(
        *named,
        lanes=fitted.geometry.lanes,
        banks=fitted.engine.banks,
        lut4=fitted.lut4,
        block_ram=fitted.block_ram,
        cycles_per_token=round(cycles, 2),
        tokens_per_s=round(clock_hz / cycles),
        host_tokens_per_s=None if rate is None else round(rate.tokens_per_s),
        host_limit=None if rate is None else rate.limit,
    )


def _order(choice: BoardChoice) -> tuple[bool, int, int, int]:
    host = choice.host_tokens_per_s or 0
    return choice.short is not None, PRICES.index(choice.price), -host, -choice.tokens_per_s
