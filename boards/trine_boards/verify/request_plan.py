"""How many requests a netlist is asked for, so that its simulation takes minutes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from trine_boards.verify.requests import Requests
from trine_sw.link.board_model import BoardModel

__all__ = ["RequestPlan", "plan_requests"]

#: Evaluations of a cell, one in each cycle of the engine, that a check may take: some minutes of one core.
_EVALUATIONS = 6e10
_MOST_REQUESTS = 300
#: Of a byte on the line. Lines of other kinds than a UART take fewer.
_BITS = 10
#: Of :attr:`Requests.BRIEF`, those that every netlist is asked for.
_LEAST = 2


@dataclass(frozen=True)
class RequestPlan:
    """The requests that a netlist is asked for.

    Members
    -------
    count : of the first of them
    brief : whether these are brief
    cycles : of the engine's clock, in which they are sent and answered
    """

    count: int
    brief: bool
    cycles: int


def plan_requests(
    made: Callable[[], BoardModel], *, cells: int, cycles_a_bit: float, seed: int = 1
) -> RequestPlan:
    """The plan for a netlist of so many cells: up to 300 requests, as many as its simulation may take.

    Each kind of request is among them or, of an engine that is large or whose line is slow, so that there is
    no time for them, the brief ones: at least two.

    Parameters
    ----------
    made : makes the board's model, as it is when it has started
    cells : of the netlist
    cycles_a_bit : cycles of the engine's clock in which a bit of the line is sent
    seed : of the requests
    """
    most = _EVALUATIONS / cells
    requests = Requests(made(), seed)
    count, cycles = _within(most, requests, cycles_a_bit)
    if requests.shown:
        return RequestPlan(count, False, cycles)
    brief = Requests(made(), seed, brief=True)
    count, cycles = _within(most, brief, cycles_a_bit, least=_LEAST)
    return RequestPlan(count, True, cycles)


def _within(most: float, requests: Requests, cycles_a_bit: float, *, least: int = 0) -> tuple[int, int]:
    """As many of `requests` as take `most` cycles, or `least`, and the cycles that they take."""
    board, count, cycles = requests.board, 0, 0.0
    for _, data in islice(requests, _MOST_REQUESTS):
        computed = board.counts["cycles"]
        answer = board.exchange(data)
        taken = _BITS * (len(data) + len(answer)) * cycles_a_bit + board.counts["cycles"] - computed
        if count >= least and cycles + taken > most:
            break
        count, cycles = count + 1, cycles + taken
    return count, round(cycles)
