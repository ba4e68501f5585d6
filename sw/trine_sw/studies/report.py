"""``trine report hitnet``: the page with all tables and figures of the studies, run or not."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from trine_sw.data.evaluation import perplexity_of
from trine_sw.studies.catalogue import STUDIES
from trine_sw.studies.figures import draw_figures
from trine_sw.studies.memory import Memory, deployed
from trine_sw.studies.run import record_path
from trine_sw.studies.study import DATA_SETS, Row, Study
from trine_sw.support.atomic_file import atomic_write, check_folder, check_writable
from trine_sw.support.errors import TrineError
from trine_sw.training.recipes import RECIPES

__all__ = ["write_report"]

#: The recipes whose models are compared with what others published.
MODELS = (
    "ptb-lstm-300",
    "ptb-lstm-300-taught",
    "ptb-lstm-300-tuned",
    "ptb-lstm-300-dense",
    "ptb-gru-300",
    "wikitext2-lstm-512",
)

#: The models that those of these start from.
_STARTS = {
    "ptb-lstm-300-taught": "ptb-lstm-300",
    "ptb-lstm-300-tuned": "ptb-lstm-300-taught",
    "ptb-lstm-300-dense": "ptb-lstm-300-tuned",
}


def write_report(results: Path) -> list[Path]:
    """Write figures into ``results`` and the page beside it; all that was written.

    Raises :class:`TrineError` that names a record which cannot be read.
    """
    page = results.parent / f"{results.name}.md"
    check_writable(page)
    check_folder(results)
    records = [_read(path) for path in sorted(results.glob("*.json"))]
    rows = [record for record in records if "study" in record]
    memory = {
        name: (deployed(RECIPES[name].config, None), _packed(name)) for name in MODELS if name not in _STARTS
    }
    drawn = draw_figures(results, rows, memory, _curves(rows, results.parent))
    template = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    ).get_template("hitnet.md.jinja")
    text = template.render(
        models=[_model(name, results.parent) for name in MODELS],
        studies=[_study(study, results) for study in STUDIES.values()],
        speeds=[record for record in records if "ratio" in record],
        memory=[(name, kind, part) for name, pair in memory.items()
                for kind, part in zip(("float32", "packed"), pair, strict=True)],
        figures=drawn,
        folder=results.name,
    )  # fmt: skip
    with atomic_write(page) as file:
        file.write(text.encode())
    return [page, *(results / f"{name}.svg" for name in drawn)]


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        assert isinstance(record, dict) and ("ratio" in record or record["test"]["perplexity"] > 0)
    except (OSError, ValueError, KeyError, TypeError, AssertionError):
        raise TrineError(f"{path} is no whole record; remove it, and its command makes it anew") from None
    return record


def _packed(name: str) -> Memory:
    """A recipe's model with its ternary head, which every one of them has or is to have."""
    return deployed(RECIPES[name].config, "ternary")


def _model(name: str, folder: Path) -> dict[str, Any]:
    """Test perplexities that a recipe's record has, by kind."""
    path = folder / f"{name}-training.json"
    record = _read_training(path) if path.exists() else {}
    head = RECIPES[name].head
    found = {
        kind: record[kind]["test"]["perplexity"] for kind in record if "test" in _dictionary(record[kind])
    }
    return {
        "name": name,
        "command": f"trine train {name}"
        + (f" --start models/{_STARTS[name]}.trine" if name in _STARTS else ""),
        "float": found.get("float"),
        "ternary": found.get("ternary") if head == "float" else None,
        "ternary_head": found.get("ternary_head") if head == "float" else found.get("ternary"),
        "float_head": head == "float",
        "epochs": _dictionary(record.get("ternary")).get("epochs"),
        "activity": _dictionary(_dictionary(record.get("ternary")).get("best")),
    }


def _curves(rows: list[dict[str, Any]], folder: Path) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Validation perplexity by epoch: of each recipe that is recorded, and of the ladder's rows."""
    panels: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for name in MODELS:
        path = folder / f"{name}-training.csv"
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()) if path.exists() else ():
            point = int(row["epoch"]), perplexity_of(float(row["valid_nats"]))
            panels.setdefault(name, {}).setdefault(row["role"], []).append(point)
    for record in (record for record in rows if record["study"] == "ladder"):
        points = [(int(row["epoch"]), perplexity_of(float(row["valid_nats"]))) for row in record["log"]]
        title = f"ladder, {record['data_set']}, epochs: {record['epochs']}"
        panels.setdefault(title, {})[record["row"]] = points
    return panels


def _read_training(path: Path) -> dict[str, Any]:
    try:
        return _dictionary(json.loads(path.read_text(encoding="utf-8")))
    except ValueError:
        raise TrineError(f"{path} is no whole record; train the recipe anew") from None


def _dictionary(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _study(study: Study, results: Path) -> dict[str, Any]:
    """A study's tables: one for each vocabulary and number of epochs that was run, and for its own."""
    settings = {(study.words, study.epochs)}
    for words, dataset in DATA_SETS.items():
        for path in results.glob(f"{study.name}.*.{dataset}.*.json"):
            settings.add((words, int(path.stem.rsplit(".", 1)[1])))
    tables = [_table(study, words, epochs, results) for words, epochs in sorted(settings, reverse=True)]
    return {"name": study.name, "title": study.title, "about": study.about, "tables": tables}


def _table(study: Study, words: int, epochs: int, results: Path) -> dict[str, Any]:
    rows = study.at(words, epochs)
    lines = [_line(study, row, words, epochs, results) for row in rows]
    return {
        "data_set": rows[0].recipe.dataset,
        "words": words,
        "epochs": epochs,
        "lines": lines,
        "command": _command(study, words, epochs),
        "with_cycles": any("cycles_per_token" in line["record"] for line in lines),
    }


def _line(study: Study, row: Row, words: int, epochs: int, results: Path) -> dict[str, Any]:
    path = record_path(results, study.name, row)
    return {
        "what": row.what,
        "record": _read(path) if path.exists() else {},
        "command": f"{_command(study, words, epochs)} --row {row.name}",
    }


def _command(study: Study, words: int, epochs: int) -> str:
    options: Sequence[str] = (
        *((f"--words {words}",) if words != study.words else ()),
        *((f"--epochs {epochs}",) if epochs != study.epochs else ()),
    )
    return " ".join((f"trine study {study.name}", *options))
