"""``trine train``: a recipe's model and its float baseline, measured, exported and recorded."""

import csv
import io
import json
import math
import os
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from trine_sw import __version__
from trine_sw.data import DATA_SETS, describe_split, load_text, split_names
from trine_sw.errors import TrineError
from trine_sw.evaluate import evaluate, quality_of, text_tokens
from trine_sw.export import export
from trine_sw.language_model import FloatLanguageModel, TernaryLanguageModel
from trine_sw.model import Model
from trine_sw.recipes import Recipe, recipe
from trine_sw.recurrence import Numerics
from trine_sw.training_run import Kind, Run, float_nats
from trine_sw.whole_file import check_writable, replacing

__all__ = ["train"]


def train(
    recipe_name: str,
    *,
    resume: bool = False,
    out: str | os.PathLike[str] | None = None,
    threads: int = 1,
    kinds: Sequence[Kind] = ("float", "ternary"),
    results: str | os.PathLike[str] = "docs/results",
    runs: str | os.PathLike[str] = "runs",
    console: Console | None = None,
) -> Model:
    """Train a recipe's model and its float baseline, measure both, and write model and record.

    Parameters
    ----------
    resume : go on from the checkpoints; a part that is finished is not trained again. Without it, there must
        be none.
    out : model file, by default ``models/RECIPE.trine``.
    threads : of PyTorch. Results depend on it in the last bits.
    kinds : which to train now; the other is recorded where its checkpoint has it finished.
    results, runs : folders of the record (``RECIPE-training.json``, ``.csv``) and of the checkpoints.

    Raises :class:`TrineError` when it is interrupted or the loss is no number; checkpoints remain. Where the
    model or the record cannot be written, it does so before anything is trained.
    """
    chosen = recipe(recipe_name)
    console = console or Console()
    torch.set_num_threads(threads)
    out = Path(out or f"models/{chosen.name}.trine")
    for path in (out, Path(results) / f"{chosen.name}-training.json"):  # better now than after hours
        check_writable(path)
    folder = Path(runs) / chosen.name
    for kind in kinds:
        if not resume and (folder / f"{kind}.pt").exists():
            kept = f"{folder / f'{kind}.pt'} holds a run of this recipe"
            raise TrineError(f"{kept}; go on from it with --resume, or remove it to train anew")
    numerics = Numerics.fastest(torch.device("cpu"))
    finished: dict[Kind, Run] = {}
    teacher: FloatLanguageModel | None = None
    for kind in ("float", "ternary"):
        path = folder / f"{kind}.pt"
        if kind not in kinds and not path.exists():
            continue
        run = Run(chosen, kind, path, console, teacher, numerics)
        if kind in kinds:
            if resume and path.exists():
                run.resume()
            run.fit()
        else:
            run.resume()
        if run.finished:
            finished[kind] = run
            if isinstance(best := run.best_model(), FloatLanguageModel):
                teacher = best
    if "ternary" not in finished:
        raise TrineError("the ternary model is not trained yet, so there is no model to write")
    return _write(chosen, finished, out, Path(results), console)


def _write(chosen: Recipe, finished: dict[Kind, Run], out: Path, results: Path, console: Console) -> Model:
    """Export the ternary model, measure both on the whole held-out texts, write model, record and log."""
    run = finished["ternary"]
    ternary = run.best_model()
    assert isinstance(ternary, TernaryLanguageModel)
    model = export(ternary, run.vocabulary, {})
    quality = evaluate(model, chosen.dataset, "valid")
    record: dict[str, Any] = {
        "recipe": asdict(chosen),
        "data_set": chosen.dataset,
        "split": f"valid: {describe_split(chosen.dataset, 'valid')}",
        "measured_on": f"{quality['tokens']} predictions, all of the validation text in one stream",
        "seed": chosen.seed,
        "code_version": _code_version(),
        "ternary": _figures(run, quality["nats_per_token"]),
    }
    tested = "test" in split_names(chosen.dataset)
    if tested:
        record["ternary"]["test"] = evaluate(model, chosen.dataset, "test")
    if "float" in finished:
        baseline = finished["float"]
        reference = baseline.best_model()
        assert isinstance(reference, FloatLanguageModel)
        record["float"] = _figures(baseline, float_nats(reference, baseline.valid[:, None]))
        if tested:
            tokens = text_tokens(model, load_text(chosen.dataset, "test"))
            nats = float_nats(reference, tokens[:, None])
            record["float"]["test"] = quality_of(nats, len(tokens) - 1)
        record["ternary_over_float"] = record["ternary"]["valid_nats"] / record["float"]["valid_nats"]
    model.training = record
    model.save(out)
    with replacing(results / f"{chosen.name}-training.json") as file:
        file.write((json.dumps(record, indent=2) + "\n").encode())
    log = io.StringIO()
    writer = csv.DictWriter(log, ["kind", *run.log[0]], lineterminator="\n")
    writer.writeheader()
    for kind, entry in finished.items():
        writer.writerows({"kind": kind} | row for row in entry.log)
    with replacing(results / f"{chosen.name}-training.csv") as file:
        file.write(log.getvalue().encode())
    unit = "word" if DATA_SETS[chosen.dataset].words else "character"
    console.print(f"{out}: validation {quality['nats_per_token']:.4f} nats per {unit}", highlight=False)
    if "float" in finished:
        share, cell = 100 * (record["ternary_over_float"] - 1), chosen.config.cell.upper()
        console.print(
            f"float {cell} of the same size and recipe: {record['float']['valid_nats']:.4f}; ",
            end="",
        )
        console.print(f"the ternary model is {share:+.1f} % from it", highlight=False)
    for kind in finished if tested else ():
        perplexity = record[kind]["test"]["perplexity"]
        console.print(f"test perplexity, {kind}: {perplexity:.2f}", highlight=False)
    return model


def _figures(run: Run, nats: float) -> dict[str, Any]:
    best = {name: value for name, value in run.best.items() if name not in ("model", "valid_nats", "seconds")}
    return {
        "valid_nats": nats,
        "valid_bits": nats / math.log(2),
        "epochs": run.epoch,
        "best": best,
        "parameters": sum(parameter.numel() for parameter in run.model.parameters()),
        "seconds": round(run.seconds, 1),
    }


def _code_version() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return f"{__version__}+{commit}"
