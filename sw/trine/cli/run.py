"""The command that runs tokens or sequences through a model: run."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trine.cli.model import (
    backend_option,
    json_option,
    model_argument,
    print_json,
    print_pairs,
    waves_option,
)
from trine.cli.outputs import OutputFile
from trine.cli.placement import head_kind_option, placement_options
from trine_sw.support.atomic_file import atomic_write, check_apart
from trine_sw.support.errors import TrineError
from trine_sw.support.reading import read_text

if TYPE_CHECKING:
    from trine.backends import Result
    from trine.sequence_backends import SequenceRun
    from trine_sw.data.windows import Windows
    from trine_sw.engine.placement import Place, Placement
    from trine_sw.golden.readout import Outputs
    from trine_sw.model import HeadKind, Model

__all__ = ["COMMANDS"]

_TOKEN_SUFFIXES = ".npy, or text with whole numbers between white space"
_ROWS = 20  # sequences that are shown to people


@click.command()
@model_argument
@click.option("--text", help="Symbols of the model's vocabulary.")
@click.option("--tokens", type=click.Path(path_type=Path), help=f"File: {_TOKEN_SUFFIXES}.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Sequences: .npz, .csv or .ts, an audio file or a folder of them.",
)
@head_kind_option
@backend_option
@placement_options
@click.option("--trace", type=OutputFile(), help="Write states, outputs and cycles as .npz.")
@waves_option
@json_option
def run(
    model_path: Path,
    text: str | None,
    tokens: Path | None,
    data: Path | None,
    head_kind: "HeadKind | None",
    backend: str,
    embedding: "Place | None",
    head: "Place | None",
    trace: Path | None,
    waves: Path | None,
    as_json: bool,
) -> None:
    """Run tokens or sequences through a model from the zero state, and show what it makes of them."""
    from trine_sw.engine.placement import Placement
    from trine_sw.model import Model

    placement = Placement(embedding, head)
    if sum(given is not None for given in (text, tokens, data)) != 1:
        raise click.UsageError("give --text, --tokens or --data, one of them")
    check_apart([trace, waves], [model_path, tokens, data])
    model = Model.load(model_path)
    if data is not None:
        _run_sequences(model, data, head_kind, backend, placement, trace, waves, as_json)
        return
    if model.task != "language":
        raise TrineError(f"the model's task is {model.task!r}: give its sequences by --data")
    from trine.backends import open_backend
    from trine_sw.golden.host_head import head_of

    if model.heads or head_kind is not None:
        head_of(model, head_kind)  # refuses a head that is not there
    kind = head_kind or (model.heads[0] if model.heads else None)

    numbers = model.encode(text) if text is not None else _read_tokens(tokens or Path())
    if not len(numbers):
        raise TrineError("there are no tokens to run; give at least one")
    result = open_backend(backend, model, placement=placement, waves=waves).run(numbers)
    logits = _logits(model, kind, result)
    if trace is not None:
        _write_trace(trace, numbers, result, logits)
    facts: dict[str, Any] = {"backend": backend, "tokens": len(numbers)}
    facts["active_h"] = round(float(np.count_nonzero(result.h) / result.h.size), 4)
    facts["cycles"] = int(result.cycles.sum())
    facts["cycles_per_token"] = round(float(result.cycles.mean()), 3)
    if logits is not None:
        facts["head_kind"] = kind
        best = logits[-1].argsort(kind="stable")[::-1][:5].tolist()
        facts["next"] = [model.decode([token]) for token in best] if model.vocabulary else best
    if as_json:
        print_json(facts)
    else:
        print_pairs(facts)


def _run_sequences(
    model: "Model",
    data: Path,
    head_kind: "HeadKind | None",
    backend: str,
    placement: "Placement",
    trace: Path | None,
    waves: Path | None,
    as_json: bool,
) -> None:
    """Run the sequences of a file, and show their outputs; with targets in it, the figures too."""
    from trine.evaluation import quality_of_outputs
    from trine.sequence_backends import run_on
    from trine_sw.data.windows import load_windows
    from trine_sw.golden.readout import Readout

    kind = None
    if model.heads or head_kind is not None:
        kind = Readout(model, head_kind).kind  # refuses a head that is not there before anything is read
    windows = load_windows(data, model)
    found = run_on(backend, model, windows.x, head_kind=kind, placement=placement, waves=waves)
    if trace is not None:
        _write_arrays(trace, _arrays(found))
    facts: dict[str, Any] = {"backend": backend} | ({} if kind is None else {"head_kind": kind})
    facts |= {"sequences": len(found.lengths), "steps": int(found.lengths.sum())}
    if found.h is not None and found.cycles is not None:
        facts["active_h"] = round(float(np.count_nonzero(found.h) / found.h.size), 4)
        facts["cycles_per_step"] = round(float(found.cycles.mean()), 3)
        facts["cycles_per_sequence"] = round(float(found.cycles.sum() / len(found.lengths)), 1)
    if windows.y is not None and found.outputs is not None:
        facts |= quality_of_outputs(model, windows, found.outputs)
    outputs = None if found.outputs is None else _named_outputs(model, found.outputs)
    if as_json:
        if outputs is not None:
            named = zip(windows.names, outputs, strict=True)
            facts["outputs"] = [{"name": name, "output": output} for name, output in named]
        print_json(facts)
        return
    print_pairs({name: round(fact, 5) if isinstance(fact, float) else fact for name, fact in facts.items()})
    if outputs is not None:
        _print_outputs(windows, outputs)


def _named_outputs(model: "Model", outputs: "Outputs") -> list[Any]:
    """Each sequence's class, classes, or values by name."""
    labels = model.labels or [str(number) for number in range(model.config.vocab_size)]
    if outputs.values is not None:
        return [dict(zip(labels, row, strict=True)) for row in outputs.values.tolist()]
    assert outputs.classes is not None
    if isinstance(outputs.classes, list):
        return [[labels[number] for number in classes] for classes in outputs.classes]
    return [labels[number] for number in outputs.classes]


def _print_outputs(windows: "Windows", outputs: list[Any]) -> None:
    """The outputs of the first sequences, for people to read."""
    table = Table("sequence", "output")
    for name, output in list(zip(windows.names, outputs, strict=True))[:_ROWS]:
        if isinstance(output, Mapping):
            output = ", ".join(f"{label} {value:.6g}" for label, value in output.items())
        elif isinstance(output, list):
            output = " ".join(output[:_ROWS]) + (" ..." if len(output) > _ROWS else "")
        table.add_row(Text(name), Text(output))
    Console().print(table)
    if len(outputs) > _ROWS:
        click.echo(f"and {len(outputs) - _ROWS:,} more; --json shows all")


def _arrays(found: "SequenceRun") -> dict[str, np.ndarray]:
    """What is known of a run, by names."""
    named = {"lengths": found.lengths, "h": found.h, "cycles": found.cycles}
    if (outputs := found.outputs) is not None:
        classes = np.concatenate(outputs.classes) if isinstance(outputs.classes, list) else outputs.classes
        named |= {"classes": classes, "logits": outputs.logits, "values": outputs.values}
    return {name: array for name, array in named.items() if array is not None}


def _read_tokens(path: Path) -> np.ndarray:
    """Token numbers (T,) from a file."""
    try:
        if path.suffix == ".npy":  # its header may claim more than there is: nothing is read in advance
            values = np.lib.format.open_memmap(path, mode="r")
        else:
            values = np.array([_whole_number(word) for word in read_text(path).split()], np.int64)
    except OSError as error:
        raise TrineError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, OverflowError, EOFError) as error:
        reason = f"; {error}" if path.suffix != ".npy" and not isinstance(error, UnicodeError) else ""
        raise TrineError(f"{path} is no file of tokens: it must be {_TOKEN_SUFFIXES}{reason}") from None
    if values.ndim != 1 or (values.size and values.dtype.kind not in "iu"):
        raise TrineError(f"{path} must hold one row of whole numbers, not {values.dtype} of {values.shape}")
    return values.astype(np.int64)


def _whole_number(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise ValueError(f"{word[:40]!r} is none") from None


def _logits(model: "Model", kind: "HeadKind | None", result: "Result") -> np.ndarray | None:
    """Logits (T, V) of a model's head of that kind, which are the engine's where it has that head."""
    from trine_sw.data.evaluation import logits_of

    if kind is None or (kind == "ternary" and result.logits is not None):
        return result.logits
    return np.concatenate(list(logits_of(model, result.u, kind)))


def _write_trace(path: Path, tokens: np.ndarray, result: "Result", logits: np.ndarray | None) -> None:
    """Write the trace of tokens."""
    arrays = {"tokens": tokens, "h": result.h, "cycles": result.cycles}
    if result.c is not None:
        arrays["c"] = result.c
    if logits is not None:
        arrays["logits"] = logits
    _write_arrays(path, arrays)


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays by their names, whole or not at all."""
    with atomic_write(path) as file:
        np.savez_compressed(file, **arrays)  # pyright: ignore[reportArgumentType]


COMMANDS = (run,)
