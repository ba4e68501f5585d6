"""Which engine a board holds for a model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import cast

import numpy as np

from trine.models import as_model
from trine_boards import BOARDS
from trine_boards.board_spec import BoardSpec
from trine_boards.clock.choice import board_clocks
from trine_sw.engine.placement import Place
from trine_sw.fit import (
    DoesNotFit,
    Fit,
    Placement,
    balance_banks,
    configure,
    estimate,
    fits,
    sample_text,
    shortage,
)
from trine_sw.fit import fit as solve
from trine_sw.fit.advice import advice
from trine_sw.fit.sample import ACTIVITY
from trine_sw.model import Model
from trine_sw.support.checks import share, shown
from trine_sw.support.errors import TrineError

__all__ = ["Boards", "as_board", "boards", "check_size", "fit", "fit_again"]


class Boards(Mapping[str, BoardSpec]):
    """The boards that Trine knows: a read-only mapping from names to :class:`BoardSpec`.

    A ``BoardSpec`` has the counts of the chip's LUT4, flip-flops, block RAMs and DSP blocks, the clock in MHz
    and the baud rate that builds use.

    Raises
    ------
    KeyError
        For a name that is not in the mapping.

    Examples
    --------
    >>> "icebreaker" in trine.boards, "ulx3s" in trine.boards
    (True, True)
    >>> trine.boards["icebreaker"].chip
    'iCE40UP5K-SG48'
    """

    def __getitem__(self, name: str) -> BoardSpec:
        return BOARDS[name]

    def __iter__(self) -> Iterator[str]:
        return iter(BOARDS)

    def __len__(self) -> int:
        return len(BOARDS)

    def __repr__(self) -> str:
        return f"<boards: {', '.join(BOARDS)}>"


boards = Boards()


def as_board(
    board: BoardSpec | str, baud: int | None = None, link: str | None = None, address: str | None = None
) -> BoardSpec:
    """A board, or the one of that name, with another link, baud rate and network address where given.

    Raises :class:`TrineError` with the names where there is none, for a rate that no clock of it makes, and
    for an address that it cannot have.
    """
    if not isinstance(board, BoardSpec):
        if not isinstance(board, str) or board not in BOARDS:
            raise TrineError(f"there is no board {shown(board)}; there are: {', '.join(sorted(BOARDS))}")
        board = BOARDS[board]
    board = board.over(link).at_baud(baud).at_address(address)
    if baud is not None and not board_clocks(board):
        raise TrineError(f"no clock of {board.title} makes {baud} baud: take a lower rate")
    return board


def fit(
    model: Model | str | os.PathLike[str],
    board: BoardSpec | str,
    *,
    lanes: int | None = None,
    banks: int | None = None,
    balance: bool = False,
    embedding: Place | None = None,
    head: Place | None = None,
    activity: float = ACTIVITY,
    baud: int | None = None,
) -> Fit:
    """Choose the engine for a model on a board, and estimate its cost and speed.

    Without `lanes` and `banks`, the engine is the one with the fewest cycles per token that the chip is
    expected to hold, and of several such the smallest.

    Parameters
    ----------
    model : Model or path
        The model, or its file.
    board : BoardSpec or str
        The board, or its name in :data:`trine.boards`.
    lanes, banks : int, optional
        Largest number of accumulators, and column ROMs that are read in each cycle, of an engine of your own
        choice. Give both or neither.
    balance : bool
        Assign columns to banks by how often they are active together in a sample of inputs, which saves
        cycles where activity is uneven. Column ``j`` lies in bank ``j % banks`` otherwise.
    embedding, head : {"board", "host"}, optional
        Where they must be. By default on the board, as far as the model file has them and the chip holds
        them.
    activity : float
        Share of random input trits that are not 0, on which cycles are counted for a model that has neither
        an embedding nor a sample of its inputs.
    baud : int, optional
        Rate of the board's serial port, by default 3,000,000. The clock must be a multiple of it, within 2 %.

    Returns
    -------
    Fit
        ``engine`` is the :class:`EngineConfig`, ``cost`` its expected LUT4, flip-flops and block RAMs with
        the link included, ``cycles_per_token`` the mean over a sample of 400 tokens or steps, ``sample``
        what that is, ``chip`` the board.

    Raises
    ------
    TrineError
        If the board does not hold such an engine. The message says what is short and by how much, which
        board holds the model, and how large a model this board holds.

    Examples
    --------
    >>> model = trine.Model.load("m.trine")
    >>> fit = trine.fit(model, "icebreaker")
    >>> fit.engine.block_ram, fit.cost.block_ram <= trine.boards["icebreaker"].block_ram
    ('ice40', True)
    >>> trine.fit(model, "ulx3s", lanes=300, banks=2).engine.banks
    2
    """
    model, board = as_model(model), as_board(board, baud)
    placement, activity = Placement(embedding, head), share(activity, "the activity")
    check_size(lanes, banks)
    if lanes is None or banks is None:
        try:
            chosen = solve(model, board, placement, activity=activity)
        except DoesNotFit as error:
            raise DoesNotFit(f"{error}; {advice(model, board, BOARDS.values())}") from None
        return estimate(model, balance_banks(model, chosen.engine), board) if balance else chosen
    engine = configure(model, lanes, banks, chip=board, placement=placement, activity=activity)
    text = sample_text(model, activity=activity)
    chosen = estimate(model, balance_banks(model, engine) if balance else engine, board, text)
    short = shortage(chosen.cost, chosen.geometry, board)
    if short is not None:
        remedy = "take fewer lanes or banks" if "short" in short else "take more lanes or banks"
        raise DoesNotFit(f"{lanes} lanes and {banks} banks do not fit {board.name}: {short}; {remedy}")
    return chosen


def check_size(lanes: int | None, banks: int | None) -> None:
    """Raises :exc:`TrineError` where one of both is given without the other."""
    if (lanes is None) != (banks is None):
        raise TrineError("give lanes and banks together, or neither")


def fit_again(
    model: Model,
    tried: Fit,
    used: int,
    *,
    balance: bool = False,
    embedding: Place | None = None,
    head: Place | None = None,
    activity: float = ACTIVITY,
) -> Fit:
    """The fit for a model whose engine took more logic than was expected of it, and than the chip has.

    Engines are compared as if all took as much more. Embedding and head stay where they were as long as such
    an engine is within the chip, if need be beyond the share of it that is planned with. The options are
    those of :func:`fit`.

    Parameters
    ----------
    tried : Fit
        With the board, and the engine that is too large.
    used : int
        LUT4, or logic cells, that it takes.

    Raises
    ------
    TrineError
        If the board is then expected to hold none.
    """
    board = tried.chip
    assert isinstance(board, BoardSpec)
    taken = min(1.0, tried.cost.lut4 / used)
    kept = Placement(cast(Place, tried.engine.embedding), cast(Place, tried.engine.head))
    for allowed in np.linspace(board.lut_share, 1, 9):
        wary = replace(board, lut_share=float(allowed) * taken)
        if fits(model, wary, kept):
            embedding, head = kept.embedding, kept.head
            break
    else:
        wary = replace(board, lut_share=board.lut_share * taken)
    engine = fit(model, wary, embedding=embedding, head=head, activity=activity).engine
    return fit(
        *(model, board),
        lanes=engine.lanes,
        banks=engine.banks,
        balance=balance,
        embedding=embedding,
        head=head,
        activity=activity,
    )
