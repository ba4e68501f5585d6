"""Rows of the page: each engine that a board is expected to hold, and what a host gets of it."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from trine_boards.board_spec import BoardSpec
from trine_sw.engine import Geometry
from trine_sw.engine.placement import ANYWHERE, Placement
from trine_sw.fit import configure, shortage
from trine_sw.fit.design_space import BANKS, design_space, lane_counts
from trine_sw.fit.figures import Figures
from trine_sw.fit.link_rate import asked, line_of, link_rate
from trine_sw.fit.solver import Fit
from trine_sw.link.board_design import BoardDesign
from trine_sw.link.board_info import Info
from trine_sw.support.errors import TrineError

__all__ = ["Row", "as_csv", "explore", "what_is_short"]


@dataclass(frozen=True)
class Row:
    """An engine on a board.

    Members
    -------
    board : its name
    lanes, banks : what ``--lanes`` and ``--banks`` say
    lanes_built, groups, sampler_ways, relays, embedding, head : of the engine
    lut4, ff, block_ram, spram : expected, link included; logic cells on iCE40
    lut4_share : of the chip's
    planned : whether LUT4 and flip-flops are within the share of the chip that ``trine fit`` plans with
    clock_mhz : the board's
    cycles_per_token, tokens_per_s : of the engine, on the sample
    host : tokens/s of a program and what limits them, by link and by what is asked: ``"choice"`` or
        ``"values"``, ``"h"``
    pareto : whether no engine of the board is as good in cycles, LUT4 and block RAMs, and better in one
    command : what makes it
    """

    board: str
    lanes: int
    banks: int
    lanes_built: int
    groups: int
    sampler_ways: int
    relays: int
    embedding: str
    head: str
    lut4: int
    lut4_share: float
    ff: int
    block_ram: int
    spram: int
    planned: bool
    clock_mhz: float
    cycles_per_token: float
    tokens_per_s: int
    host: dict[str, dict[str, dict[str, Any]]]
    pareto: bool
    command: str


def explore(
    figures: Figures,
    path: str,
    boards: Sequence[BoardSpec],
    placement: Placement = ANYWHERE,
    *,
    banks: Sequence[int] = BANKS,
    progress: Callable[[int, int], object] = lambda done, of: None,
) -> list[Row]:
    """A row for each of :func:`trine_sw.fit.design_space.design_space`, in its order.

    Parameters
    ----------
    figures : of the model
    path : of the model file, for commands
    boards : where the engine is looked for
    placement, banks, progress : as there

    Raises
    ------
    TrineError
        If the model lacks what ``placement`` puts on the board.
    """
    placement.of(figures.model)
    host = _HostRates(figures)
    by_board: dict[str, list[Row]] = {}
    for lanes, found in design_space(figures, boards, placement, banks=banks, progress=progress):
        assert isinstance(found.chip, BoardSpec)
        row = _row(found, found.chip, lanes, path, placement, host)
        by_board.setdefault(row.board, []).append(row)
    return [row for rows in by_board.values() for row in _marked(rows)]


def _row(found: Fit, board: BoardSpec, lanes: int, path: str, placement: Placement, host: _HostRates) -> Row:
    engine, geometry, cost = found.engine, found.geometry, found.cost
    wishes = {"lanes": lanes, "banks": engine.banks, "embedding": placement.embedding, "head": placement.head}
    words = [word for name, value in wishes.items() if value for word in (f"--{name}", str(value))]
    return Row(
        board=board.name,
        lanes=lanes,
        banks=engine.banks,
        lanes_built=geometry.lanes,
        groups=geometry.groups,
        sampler_ways=engine.sampler_ways,
        relays=engine.relays,
        embedding=engine.embedding,
        head=engine.head,
        lut4=cost.lut4,
        lut4_share=round(cost.lut4 / board.lut4, 4),
        ff=cost.ff,
        block_ram=cost.block_ram,
        spram=cost.spram,
        planned=shortage(cost, geometry, board, share=board.lut_share) is None,
        clock_mhz=board.clock_mhz,
        cycles_per_token=round(found.cycles_per_token, 3),
        tokens_per_s=round(board.clock_mhz * 1e6 / found.cycles_per_token),
        host=host.of(found, board),
        pareto=False,
        command=shlex.join(["trine", "build", path, "--board", board.name, *words]),
    )


class _HostRates:
    """What a program gets of engines, of which a link asks where embedding and head are."""

    def __init__(self, figures: Figures) -> None:
        self.model = figures.model
        self._info: dict[tuple[str, str, str], Info] = {}

    def of(self, found: Fit, board: BoardSpec) -> dict[str, dict[str, dict[str, Any]]]:
        engine, clock_hz = found.engine, board.clock_mhz * 1e6
        rates: dict[str, dict[str, dict[str, Any]]] = {}
        for transport in board.transports:
            line = line_of(transport.name, transport.baud, clock_hz)
            if line is None:
                continue
            over = board.over(transport.name)
            key = f"{board.name} {transport.name}", engine.embedding, engine.head
            if key not in self._info:
                design = BoardDesign(self.model, engine, over.link, clock_hz=clock_hz, baud=transport.baud)
                self._info[key] = design.info
            rates[transport.name] = {}
            for name, want in asked(self.model, engine).items():
                rate = link_rate(
                    self._info[key], want, found.cycles_per_token, line=line, codec=over.link.codec
                )
                rates[transport.name][name] = {"tokens_per_s": round(rate.tokens_per_s), "limit": rate.limit}
        return rates


def _marked(rows: list[Row]) -> list[Row]:
    """A board's rows, with those that none beats."""
    sizes = [(row.cycles_per_token, row.lut4, row.block_ram) for row in rows]

    def beaten(mine: tuple[float, int, int]) -> bool:
        return any(other != mine and all(a <= b for a, b in zip(other, mine, strict=True)) for other in sizes)

    return [replace(row, pareto=not beaten(mine)) for row, mine in zip(rows, sizes, strict=True)]


def what_is_short(figures: Figures, board: BoardSpec, placement: Placement = ANYWHERE) -> str:
    """Why a board holds no engine: what the smallest one lacks."""
    model, reason = figures.model, ""
    for lanes in reversed(lane_counts(model, placement)):
        try:
            engine = configure(model, lanes, 1, chip=board, placement=placement, figures=figures)
            cost = figures.cost(engine, board)
        except TrineError as error:
            reason = str(error)
            continue
        return shortage(cost, Geometry(model.config, engine), board) or ""
    return reason


def as_csv(rows: Iterable[Row]) -> str:
    """Rows as CSV; what a host gets is in columns such as ``uart_h_tokens_per_s`` and ``uart_h_limit``."""
    flat = []
    for row in rows:
        values = asdict(row)
        for link, wants in values.pop("host").items():
            for want, rate in wants.items():
                values |= {f"{link}_{want}_{name}": value for name, value in rate.items()}
        flat.append(values)
    names = dict.fromkeys(field.name for field in fields(Row) if field.name != "host")
    for values in flat:
        names |= dict.fromkeys(values)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()
