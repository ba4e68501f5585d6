"""``trine study``: trains the rows of a study that are not recorded yet, and records what they give."""

import copy
import hashlib
import json
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from trine_sw.cluster.job import Cluster, ClusterError, Job, Outcome, Tick
from trine_sw.cluster.jobs import run_jobs
from trine_sw.cluster.shared_folder import SharedFolder, shared
from trine_sw.engine import EngineConfig
from trine_sw.engine.timing import vector_cycles
from trine_sw.model import Model, ModelConfig
from trine_sw.studies.distributions import distributions
from trine_sw.studies.study import Row, Study
from trine_sw.support.atomic_file import atomic_write, check_writable, make_folder
from trine_sw.support.errors import TrineError
from trine_sw.support.file_lock import exclusive
from trine_sw.support.json_text import json_text
from trine_sw.training.code_version import code_version
from trine_sw.training.loop.distributed import training_device
from trine_sw.training.loop.run import Run
from trine_sw.training.models.export import export
from trine_sw.training.models.roles import AnyModel
from trine_sw.training.models.ternary_model import TernaryLanguageModel
from trine_sw.training.nn.recurrence import Numerics
from trine_sw.training.nn.states import TRITS
from trine_sw.training.recipes import Recipe, Role
from trine_sw.training.record import figures_of

__all__ = ["record_path", "run_study"]

_IN_PROCESS = Cluster()
_TIMED = 2000  # tokens whose cycles are counted
_BANKS = 3


def record_path(results: Path, study: str, row: Row) -> Path:
    """Where a row's figures are, of this data set and so many epochs."""
    epochs = row.recipe.schedule_of(row.role).epochs
    return results / f"{study}.{row.name}.{row.recipe.dataset}.{epochs}.json"


def run_study(
    chosen: Study,
    *,
    row: str | None = None,
    words: int | None = None,
    epochs: int | None = None,
    resume: bool = False,
    threads: int = 1,
    device: str | None = None,
    cluster: Cluster = _IN_PROCESS,
    results: Path = Path("docs/results/hitnet"),
    runs: Path = Path("runs/hitnet"),
    console: Console | None = None,
    tick: Tick = lambda step, what, seconds: None,
) -> list[Path]:
    """Train, measure and record the rows, or one, that are not recorded; the records that it wrote.

    Models are kept by what decides them, so that rows share a float baseline. On several workers of
    `cluster`, which must see the folder `runs`, models that rows share are trained first, then the rows.
    Raises :class:`TrineError` for an unknown row, for a checkpoint of an interrupted run without ``resume``,
    and as training does.
    """
    console = console or Console()
    rows = chosen.at(words, epochs)
    if row is not None:
        names = [entry.name for entry in rows]
        if row not in names:
            raise TrineError(f"{row!r} is no row of {chosen.name}; there are {', '.join(names)}")
        rows = [entry for entry in rows if entry.name == row]
    training_device(device)  # refuses one that is not there
    paths = [record_path(results, chosen.name, entry) for entry in rows]
    for path in paths:  # better now than after the first of them
        check_writable(path)
    todo = []
    for entry, path in zip(rows, paths, strict=True):
        if path.exists():
            console.print(f"{path} is there already", highlight=False, soft_wrap=True)
        else:
            todo.append(entry)
    written = []
    starts = {entry.start: Model.load(entry.start) for entry in todo if entry.start}

    def done(number: int, outcome: Outcome) -> None:
        entry, record = todo[number], outcome.result()
        path = record_path(results, chosen.name, entry)
        with atomic_write(path) as file:
            file.write((json_text(record, indent=1) + "\n").encode())
        test = record["test"]["perplexity"]
        line = f"{path}: {entry.what}; test perplexity {test:.2f} after {record['epochs']} epochs"
        console.print(line, highlight=False, soft_wrap=True)
        written.append(path)

    make_folder(runs)
    with shared(runs, cluster, ()) as folder:
        earlier = frozenset(path.name for path in runs.glob("*.pt"))
        common = _Common(chosen.name, folder, resume, earlier, threads, device, console, starts)
        if not cluster.in_process(len(todo)):
            for stage in _stages(todo, runs):  # one after the other: two workers cannot train one model
                for outcome in run_jobs(
                    [Job(f"{entry.name} {role}", _train, (entry, role)) for entry, role in stage],
                    cluster,
                    common=common,
                    tick=tick,
                ):
                    outcome.result()
        run_jobs(
            [Job(entry.name, _record, entry) for entry in todo], cluster, common=common, tick=tick, done=done
        )
    return written


@dataclass(frozen=True)
class _Common:
    """What all rows have in common. The console stays in the process that it is of.

    Members
    -------
    earlier : names of the checkpoints that were there before; others are this command's own, which a row
        goes on from where its first worker was lost
    starts : the models that rows start from, by path
    """

    study: str
    runs: SharedFolder
    resume: bool
    earlier: frozenset[str]
    threads: int
    device: str | None
    console: Console | None
    starts: Mapping[str, Model]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"console": None}

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """The folder of checkpoints, which this process must see."""
        with self.runs.here() as copy:
            if copy.own:
                raise ClusterError(
                    f"a worker on {socket.gethostname()} does not see {self.runs.path}: the models of a "
                    "study are kept there, so run it in a folder that all workers share"
                )
            yield copy.path


def _stages(rows: Sequence[Row], runs: Path) -> list[list[tuple[Row, Role]]]:
    """Models that more than one row needs, each once; those of a later stage may need earlier ones."""
    first: dict[Path, tuple[int, Row, Role]] = {}
    users: Counter[Path] = Counter()
    for row in rows:
        for depth, role in enumerate(_roles(row)):
            path = _checkpoint(runs, _of_role(row.recipe, role), role)
            if path not in first or depth < first[path][0]:
                first[path] = depth, row, role
            users[path] += 1
    stages: dict[int, list[tuple[Row, Role]]] = {}
    for depth, row, role in (first[path] for path, count in users.items() if count > 1):
        stages.setdefault(depth, []).append((row, role))
    return [stages[depth] for depth in sorted(stages)]


def _roles(row: Row) -> list[Role]:
    """The models that a row takes, in the order in which they are trained."""
    return [*row.recipe.needs(row.role), row.role]


def _train(common: _Common, argument: tuple[Row, Role], tick: Tick) -> None:
    """Train a model that several rows need, and what that needs."""
    row, role = argument
    roles = _roles(row)
    _trained(common, row, roles[: roles.index(role) + 1], tick)


def _trained(
    common: _Common, row: Row, roles: Sequence[Role], tick: Tick
) -> tuple[Run, dict[Role, AnyModel], torch.device]:
    """The run of the last of `roles`, and all models; what a checkpoint has is not trained again."""
    torch.set_num_threads(common.threads)
    device = training_device(common.device)
    numerics = Numerics.fastest(device)
    ready: dict[Role, AnyModel] = {}
    run: Run | None = None
    with common.folder() as runs:
        for role in roles:
            recipe = _of_role(row.recipe, role)
            path = _checkpoint(runs, recipe, role)
            console = common.console or Console(quiet=True)
            start = common.starts.get(row.start)
            run = Run(recipe, role, path, console, ready, numerics, device, start=start)
            if path.exists():
                run.resume()
            if not run.finished:  # one that is finished is only read, by any number of workers
                _fit(run, common, lambda what, role=role: tick(f"{row.name} {role}", what, 0))
            ready[role] = run.best_model()
    assert run is not None
    return run, ready, device


def _fit(run: Run, common: _Common, tick: Callable[[str], None]) -> None:
    """Train a model, from its checkpoint where there is one that this command may go on from."""
    path = run.path
    with exclusive(path.with_name(f".{path.name}.lock"), str(path)):
        if path.exists():  # another process may have changed it before it was locked
            run.resume()
            if not run.finished and not common.resume and path.name in common.earlier:
                kept = f"{path} holds a part of this run"
                raise TrineError(f"{kept}; go on from it with --resume, or remove it to train anew")
        tick("started")
        run.fit()
        tick("done")


def _record(common: _Common, row: Row, tick: Tick) -> dict[str, Any]:
    """Train what a row needs, and measure it."""
    run, ready, device = _trained(common, row, _roles(row), tick)
    best, numerics = ready[row.role], Numerics.fastest(device)
    model, measured_on = None, "the float model"
    if isinstance(best, TernaryLanguageModel) and best.states == TRITS:
        model, measured_on = export(best, run.vocabulary, {}), "the integer golden model, float head"
    elif isinstance(best, TernaryLanguageModel):
        measured_on = "the PyTorch module in evaluation, float head"
    tokens = run.text("test")[:_TIMED]
    record: dict[str, Any] = {
        "study": common.study,
        "row": row.name,
        "what": row.what,
        "data_set": str(row.recipe.dataset),
        "measured_on": measured_on,
        **figures_of(run, model),
        "device": str(device),
        "numerics": str(numerics),
        "date": time.strftime("%Y-%m-%d"),
        "code_version": code_version(),
        "recipe": asdict(row.recipe),
        "log": run.log,
    }
    if run.started_from is not None:
        record["start"] = run.started_from
    if isinstance(best, TernaryLanguageModel):
        record |= _speed(best, tokens)
    return record | {"distributions": distributions(best, tokens)}


def _of_role(recipe: Recipe, role: Role) -> Recipe:
    """The recipe; for a float model without the options of the integer cell, so that rows share it."""
    if role == "ternary":
        return recipe
    shape = recipe.config
    plain = ModelConfig(
        cell=shape.cell, hidden=shape.hidden, embedding=shape.embedding, vocab_size=shape.vocab_size
    )
    return replace(recipe, config=plain)


def _checkpoint(runs: Path, recipe: Recipe, role: Role) -> Path:
    """A file whose name follows from all that decides the run, the recipe's name left out."""
    content = json.loads(recipe.fingerprint(role))
    content.pop("name", None)
    digest = hashlib.sha256(json_text(content, sort_keys=True).encode()).hexdigest()[:12]
    return runs / f"{role}-{recipe.dataset}-{digest}.pt"


@torch.no_grad()
def _speed(model: TernaryLanguageModel, tokens: NDArray[np.integer]) -> dict[str, Any]:
    """What the engine would need for tokens (T,), with a lane for each row, a column a cycle and bank."""
    model = copy.deepcopy(model).cpu().eval()
    ids = torch.from_numpy(np.asarray(tokens, np.int64))[:, None]
    _, _, states = model.features(ids, model.initial_state(1))
    x, h = (part.ne(0).numpy().astype(np.int8) for part in (model.embedding_trits()[ids[:, 0]], states[:, 0]))
    engine = EngineConfig(model.config.rows, _BANKS, embedding="host", head="host")
    return {
        "cycles_per_token": float(vector_cycles(model, engine, x, h).cycles.mean()),
        "active_x": float(x.mean()),
        "active_h": float(h.mean()),
        "changed_h": float((states[1:] != states[:-1]).double().mean()),
    }
