"""From a model and a fit to a bitstream and its report."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trine.models import as_model
from trine_boards import BOARDS
from trine_boards.board_spec import MARGIN, BoardSpec
from trine_boards.build import bitstream
from trine_boards.build.elaboration import netlist_sources
from trine_boards.build.netlist_digest import netlist_digest
from trine_boards.build.record import RECORD_NAME, BuildRecord
from trine_boards.clock.choice import board_clock
from trine_boards.report.report import Report, make_report, report_paths, write_report
from trine_boards.top import BoardTop
from trine_boards.verify.check_step import check_step
from trine_sw.cluster.job import Cluster
from trine_sw.fit import Fit
from trine_sw.link.board_design import DEFAULT_BAUD
from trine_sw.model import Model
from trine_sw.support.atomic_file import check_writable
from trine_sw.support.checks import finite_real, integer, shown
from trine_sw.support.errors import TrineError
from trine_sw.support.file_lock import exclusive

__all__ = ["MOST_SEEDS", "Build", "build"]

#: Runs of place and route that take a day or more.
MOST_SEEDS = 1000


@dataclass(frozen=True)
class Build:
    """What :func:`build` made.

    Members
    -------
    bitstream : path of the file that ``trine program`` loads
    report : clock, resources, cycles per token and tokens per second
    folder : the folder of the build, with the report as JSON and Markdown, netlists and logs
    """

    bitstream: Path
    report: Report
    folder: Path


def build(
    model: Model | str | os.PathLike[str],
    fit: Fit,
    folder: str | os.PathLike[str] | None = None,
    *,
    name: str | None = None,
    clock: float | None = None,
    margin: float = MARGIN,
    link: str | None = None,
    address: str | None = None,
    seeds: int = 1,
    check: bool = True,
    floorplan: bool = False,
    results: str | os.PathLike[str] | None = None,
    command: str | None = None,
    processes: int = 1,
    cluster: str | None = None,
    steps: str | os.PathLike[str] | None = None,
    progress: Callable[[str, str, float], None] | None = None,
) -> Build:
    """Build a board's bitstream: elaboration, synthesis, placement and routing, packing.

    Steps whose inputs have not changed since an earlier build in the same folder are reused, so that a build
    that was interrupted goes on where it stopped. The tools come from the extra ``tools``, or from PATH. A
    build takes minutes to hours.

    Parameters
    ----------
    model : Model or path
        The model, or its file.
    fit : Fit
        Engine and board, from :func:`trine.fit`.
    folder : path, optional
        Folder for all files; ``build/BOARD-NAME`` by default.
    name : str, optional
        What the report calls the model: the file's name without its suffix by default, or ``model``.
    clock : float, optional
        Clock of the engine in MHz, the board's by default; the PLL must be able to make it.
    margin : float
        Fraction, 0 to less than 1, by which the routed clock must exceed the engine's.
    link : str, optional
        What carries the board's bytes, by its name among the board's transports; the first by default.
    address : str, optional
        IPv4 address of a board on Ethernet, by default the one of its description, 192.168.1.50.
    seeds : int
        Seeds of place and route, 1 to 1000, of which the fastest result is taken.
    check : bool
        Simulate the synthesised netlist against the golden model before it is placed, through the pins of its
        link; a build over Ethernet is not simulated.
    floorplan : bool
        Keep where every cell lies, for ``trine draw floorplan``.
    results : path, optional
        Folder for a copy of the report.
    command : str, optional
        The command that the report gives to repeat the build.
    processes : int
        Seeds that are placed side by side, each in a worker process. With more than 1, a script must do its
        work under ``if __name__ == "__main__":``, since worker processes import it.
    cluster : str, optional
        Dask scheduler whose workers place the seeds instead: ``tcp://HOST:PORT``, or its scheduler file.
    steps : path, optional
        Folder of finished steps by their content, which builds and machines may share.
    progress : callable, optional
        Called with a step's name, what it does (``"started"``, ``"running"``, ``"done"``, ``"kept"``,
        ``"failed"``, or ``"restarted"`` where its worker was lost) and the seconds since its start, from
        several threads.

    Returns
    -------
    Build
        Path of the bitstream, the report, and the folder.

    Raises
    ------
    TrineError
        If a value is out of range, a tool is missing or fails, the netlist differs from the model, another
        process builds in the folder, no placement meets clock and margin, or a scheduler cannot be reached or
        has workers of another version of Trine or of a tool.

    Examples
    --------
    >>> fit = trine.fit("m.trine", "ulx3s")
    >>> built = trine.build("m.trine", fit, "build/mine", check=False)
    >>> built.bitstream.name, built.report.clock_mhz
    ('top.bit', 75.0)
    """
    if name is None:
        name = "model" if isinstance(model, Model) else Path(model).stem
    model = as_model(model)
    if not isinstance(fit, Fit) or not isinstance(fit.chip, BoardSpec):
        raise TrineError(f"fit must come from trine.fit(model, board), not {shown(fit)}")
    board, engine = fit.chip.over(link).at_address(address), fit.engine
    seeds = integer(seeds, "seeds", 1, MOST_SEEDS)
    clock = board_clock(board, board.clock_mhz if clock is None else clock)
    margin = finite_real(margin, "margin")
    if not 0 <= margin < 1:
        raise TrineError(f"margin must be 0 or more, and less than 1, not {margin:g}")
    workers = Cluster(processes, cluster, None if steps is None else Path(os.path.abspath(steps)))
    where = Path("build") / f"{board.name}-{name}" if folder is None else Path(folder)
    copies = [where] if results is None else [where, Path(results)]
    for copy in copies:
        for path in report_paths(copy, board, name):  # better now than after the build
            check_writable(path)
    with exclusive(where / ".lock", f"the folder {where}"):
        # Until the build is complete the folder's bitstream is not of the netlists beside it.
        (where / RECORD_NAME).unlink(missing_ok=True)
        top = BoardTop(model, engine, board, clock, margin)
        routed = bitstream.build_bitstream(
            top,
            board,
            clock,
            where,
            margin=margin,
            seeds=range(1, seeds + 1),
            floorplan=floorplan,
            check=(lambda tick: check_step(top, where, tick)) if check else None,
            cluster=workers,
            progress=progress or (lambda step, what, seconds: None),
        )
        BuildRecord.of(top, routed.bitstream, routed.seed, name).save(where, model)
        if command is None:
            command = _command(name, board, link, address)
        sources = (where / name for name in netlist_sources(where / "top.ys"))
        netlist = netlist_digest(*(path.read_text(encoding="utf-8") for path in sources))
        report = make_report(model, name, engine, board, routed, command, netlist)
        for copy in copies:
            write_report(report, board, copy)
    return Build(routed.bitstream, report, where)


def _command(name: str, board: BoardSpec, link: str | None, address: str | None) -> str:
    """What repeats a build, with the baud rate where the board's own is another."""
    own = BOARDS[board.name].over(link).baud if board.name in BOARDS else DEFAULT_BAUD
    over = [] if link is None else ["--link", link]
    over += [] if board.baud in (0, own) else ["--baud", str(board.baud)]
    over += [] if address is None else ["--address", address]
    return shlex.join(["trine", "build", f"{name}.trine", "--board", board.name, *over])
