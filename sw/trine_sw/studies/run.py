"""``trine study``: trains the rows of a study that are not recorded yet, and records what they give."""

import hashlib
import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from trine_sw.data import Text
from trine_sw.data.evaluation import split_tokens
from trine_sw.engine import EngineConfig
from trine_sw.engine.timing import token_cycles
from trine_sw.golden import Golden
from trine_sw.model import Model, ModelConfig
from trine_sw.studies.catalogue import Row, Study
from trine_sw.studies.distributions import distributions
from trine_sw.support.atomic_file import atomic_write, check_writable
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
from trine_sw.training.recipes import Recipe, Role
from trine_sw.training.train import figures_of

__all__ = ["record_path", "run_study"]

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
    results: Path = Path("docs/results/hitnet"),
    runs: Path = Path("runs/hitnet"),
    console: Console | None = None,
) -> list[Path]:
    """Train, measure and record the rows, or one, that are not recorded; the records that it wrote.

    Models are kept by what decides them, so that rows share a float baseline. Raises :class:`TrineError` for
    an unknown row, for a checkpoint of an interrupted run without ``resume``, and as training does.
    """
    console = console or Console()
    rows = chosen.at(words, epochs)
    if row is not None:
        names = [entry.name for entry in rows]
        if row not in names:
            raise TrineError(f"{row!r} is no row of {chosen.name}; there are {', '.join(names)}")
        rows = [entry for entry in rows if entry.name == row]
    torch.set_num_threads(threads)
    where = training_device(device)
    for entry in rows:  # better now than after the first of them
        check_writable(record_path(results, chosen.name, entry))
    written = []
    for entry in rows:
        path = record_path(results, chosen.name, entry)
        if path.exists():
            console.print(f"{path} is there already", highlight=False, soft_wrap=True)
            continue
        record = _record(chosen, entry, runs, resume, where, console)
        with atomic_write(path) as file:
            file.write((json_text(record, indent=1) + "\n").encode())
        test = record["test"]["perplexity"]
        line = f"{path}: {entry.what}; test perplexity {test:.2f} after {record['epochs']} epochs"
        console.print(line, highlight=False, soft_wrap=True)
        written.append(path)
    return written


def _record(
    chosen: Study, row: Row, runs: Path, resume: bool, device: torch.device, console: Console
) -> dict[str, Any]:
    numerics = Numerics.fastest(device)
    ready: dict[Role, AnyModel] = {}
    for role in (*row.recipe.needs(row.role), row.role):
        recipe = _of_role(row.recipe, role)
        path = _checkpoint(runs, recipe, role)
        with exclusive(path.with_name(f".{path.name}.lock"), str(path)):
            run = Run(recipe, role, path, console, ready, numerics, device)
            if path.exists():
                run.resume()
                if not run.finished and not resume:
                    kept = f"{path} holds a part of this run"
                    raise TrineError(f"{kept}; go on from it with --resume, or remove it to train anew")
            run.fit()
            ready[role] = run.best_model()
    best = ready[row.role]
    model = export(best, run.vocabulary, {}) if isinstance(best, TernaryLanguageModel) else None
    record: dict[str, Any] = {
        "study": chosen.name,
        "row": row.name,
        "what": row.what,
        "data_set": str(row.recipe.dataset),
        "measured_on": "the integer golden model, float head" if model else "the float model",
        **figures_of(run, model),
        "device": str(device),
        "numerics": str(numerics),
        "date": time.strftime("%Y-%m-%d"),
        "code_version": code_version(),
        "recipe": asdict(row.recipe),
        "log": run.log,
    }
    if model is not None:
        record |= _speed(model, row.recipe.dataset)
    part = split_tokens(model, row.recipe.dataset, "test") if model else run.text("test")
    return record | {"distributions": distributions(best, part[:_TIMED])}


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


def _speed(model: Model, dataset: Text) -> dict[str, Any]:
    """What the engine would need for the first tokens of the test text, with a lane for each row."""
    tokens = split_tokens(model, dataset, "test")[:_TIMED]
    h = Golden(model).run(tokens, logits=False).h
    engine = EngineConfig(model.config.rows, _BANKS, embedding="host", head="host")
    assert model.embedding_weight is not None
    return {
        "cycles_per_token": float(token_cycles(model, engine, tokens, h=h).cycles.mean()),
        "active_x": float((model.embedding_weight[tokens] != 0).mean()),
        "active_h": float((h != 0).mean()),
        "changed_h": float((h[1:] != h[:-1]).mean()),
    }
