"""What a finished run of a language model leaves: the model file, measured, its record and its log."""

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from trine_sw.data import OwnText, describe_split, split_names, symbol_name
from trine_sw.data.evaluation import evaluate, quality_of
from trine_sw.model import HeadKind, Model
from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.json_text import json_text
from trine_sw.support.plain_values import plain
from trine_sw.training.code_version import code_version
from trine_sw.training.loop.log import csv_of
from trine_sw.training.loop.run import Run
from trine_sw.training.loop.validation import predicted
from trine_sw.training.models.export import export
from trine_sw.training.models.float_model import FloatLanguageModel
from trine_sw.training.models.ternary_model import TernaryLanguageModel
from trine_sw.training.nn.states import TRITS
from trine_sw.training.recipes import TEACHERS, Recipe, Role

__all__ = ["exported", "figures_of", "write_model"]


def write_model(
    chosen: Recipe, finished: dict[Role, Run], out: Path, results: Path, console: Console
) -> Model:
    """Export the ternary model, measure all on the whole held-out texts, write model, record and log."""
    model = exported(finished)
    tested = "test" in split_names(chosen.dataset)
    predictions = len(finished["ternary"].valid) - 1
    record: dict[str, Any] = {
        "recipe": asdict(chosen),
        "data_set": str(chosen.dataset),
        "split": f"valid: {describe_split(chosen.dataset, 'valid')}",
        "measured_on": f"{predictions} predictions, all of the validation text in one stream",
        "seed": chosen.seed,
        "code_version": code_version(),
    }
    if digests := finished["ternary"].taught_by:
        record["teacher_files"] = digests
    if (start := finished["ternary"].started_from) is not None:
        record["start"] = start
    names = {"ternary": "ternary", "float": "float"} | {role: role for role in TEACHERS}
    names["head"] = "ternary_head"
    for role in sorted(finished, key=list(names).index):
        alone = chosen.finish_cell and role == "ternary" and "head" in finished
        measured = exported({"ternary": finished["ternary"]}) if alone else model
        record[names[role]] = figures_of(finished[role], measured)
    if "float" in finished:
        record["ternary_over_float"] = record["ternary"]["valid_nats"] / record["float"]["valid_nats"]
    model.training = record
    if isinstance(chosen.dataset, OwnText):
        model.data = {"text": plain(chosen.dataset)}
    if "head" in finished and not chosen.keep_float_head:
        model = replace(model, host_head_weight=None, host_head_bias=None)
    model.save(out)
    with atomic_write(results / f"{chosen.name}-training.json") as file:
        file.write((json_text(record, indent=2) + "\n").encode())
    rows = [{"role": role} | row for role, run in finished.items() for row in run.log]
    names_of_all = dict.fromkeys(name for row in rows for name in row)
    with atomic_write(results / f"{chosen.name}-training.csv") as file:
        file.write(csv_of([dict.fromkeys(names_of_all, "") | row for row in rows]))
    unit = symbol_name(chosen.dataset)
    nats = record["ternary"]["valid_nats"]
    console.print(f"{out}: validation {nats:.4f} nats per {unit}", highlight=False)
    if "float" in finished:
        share, cell = 100 * (record["ternary_over_float"] - 1), chosen.config.cell.upper()
        console.print(
            f"float {cell} of the same size and recipe: {record['float']['valid_nats']:.4f}; ",
            end="",
        )
        console.print(f"the ternary model is {share:+.1f} % from it", highlight=False)
    for role in finished if tested else ():
        perplexity = record[names[role]]["test"]["perplexity"]
        console.print(f"test perplexity, {names[role].replace('_', ' ')}: {perplexity:.2f}", highlight=False)
    return model


def exported(finished: dict[Role, Run]) -> Model:
    """The model file's content of finished runs, with both heads where both are of the same cell."""
    run = finished["ternary"]
    model = run.best_model()
    second = finished["head"].best_model() if "head" in finished else None
    assert isinstance(model, TernaryLanguageModel) and not isinstance(second, FloatLanguageModel)
    if second is not None and run.recipe.finish_cell:  # of a cell that the float head is not of
        return export(second, run.vocabulary, {})
    return export(model, run.vocabulary, {}, second)


def figures_of(run: Run, model: Model | None) -> dict[str, Any]:
    """What a finished run gives on the whole validation and test texts, in one stream each.

    A ternary model and its heads are measured by the golden model, of ``model``, which has them; a model of
    other states than three as it is in PyTorch.
    """
    dataset, best = run.recipe.dataset, run.best_model()
    tested = "test" in split_names(dataset)
    figures: dict[str, Any] = {}
    if isinstance(best, FloatLanguageModel) or best.states != TRITS:
        figures["valid_nats"] = predicted(best, run.valid[:, None])[0]
        if tested:
            tokens = run.text("test")
            figures["test"] = quality_of(predicted(best, tokens[:, None])[0], len(tokens) - 1)
    else:
        assert model is not None
        head: HeadKind = "ternary" if run.role == "head" else run.recipe.head
        figures["valid_nats"] = evaluate(model, dataset, "valid", head_kind=head)["nats_per_token"]
        if tested:
            figures["test"] = evaluate(model, dataset, "test", head_kind=head)
    kept = {name: value for name, value in run.best.items() if name not in ("model", "valid_nats", "seconds")}
    figures |= {
        "valid_bits": figures["valid_nats"] / math.log(2),
        "epochs": run.epoch,
        "best": kept,
        "parameters": sum(parameter.numel() for parameter in run.model.parameters()),
        "seconds": round(run.seconds, 1),
    }
    return figures
