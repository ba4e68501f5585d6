"""Commands about a model: info, run, generate."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from trine.cli.outputs import OutputFile
from trine_hw.simulation.simulators import SIMULATORS
from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.checks import integer
from trine_sw.support.errors import TrineError
from trine_sw.support.json_text import json_text
from trine_sw.support.reading import read_text

if TYPE_CHECKING:
    from trine.backends import Result

__all__ = [
    "COMMANDS",
    "backend_option",
    "device_option",
    "json_option",
    "model_argument",
    "print_json",
    "print_pairs",
    "threads_option",
]

_MOST_THREADS = 1024

_TOKEN_SUFFIXES = ".npy, or text with whole numbers between white space"

model_argument = click.argument("model_path", metavar="MODEL", type=click.Path(path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")


class _BackendName(click.Choice):
    """The name of a backend, or a board's URL."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value in self.choices or ":" in value or "/" in value or value.startswith("COM"):
            return value
        raise TrineError(
            f"--backend must be {', '.join(self.choices)}, or a board's URL, such as /dev/ttyUSB0 "
            f"(trine ports), golden:M.trine or socket://host:port; not {value!r}"
        )


backend_option = click.option(
    "--backend",
    type=_BackendName(("golden", *SIMULATORS)),
    default="golden",
    show_default=True,
    help="What computes: the integer golden model, the engine in a simulator, or the board at a URL, such as "
    "/dev/ttyUSB0 or socket://host:port. All agree in every bit.",
)
waves_option = click.option(
    "--waves",
    type=OutputFile(),
    help="Write a simulator's waveforms (.vcd from verilator, .fst from icarus), and a view of them for "
    "GTKWave (.gtkw).",
)


def threads_option(text: str) -> Callable[[Any], Any]:
    """The option --threads, with a text of help, checked before anything is imported to train."""

    def checked(ctx: click.Context, param: click.Parameter, value: int) -> int:
        return integer(value, "--threads", 1, _MOST_THREADS)

    return click.option("--threads", default=1, show_default=True, callback=checked, help=text)


device_option = click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    help="Where to train.  [default: a GPU where there is one]",
)


def print_json(value: Any) -> None:
    """Print `value` as JSON on standard output, nothing else."""
    click.echo(json_text(value, indent=2))


def print_pairs(pairs: dict[str, Any], title: str | None = None) -> None:
    """Print names and values as two columns, all of them in full."""
    console = Console()
    if title:
        console.print(Text(title), soft_wrap=True)
    table = Table("", Column(overflow="fold"), show_header=False)
    for name, value in pairs.items():
        whole = isinstance(value, int) and not isinstance(value, bool)
        table.add_row(Text(name), Text(f"{value:,}" if whole else str(value)))
    console.print(table)


@click.command()
@model_argument
@json_option
def info(model_path: Path, as_json: bool) -> None:
    """Show what is in a model file."""
    from dataclasses import asdict

    from trine_sw.model import Model

    model = Model.load(model_path)
    weights = sum(layer.weight.size for layer in model.layers)
    not_zero = sum(int(np.count_nonzero(layer.weight)) for layer in model.layers)
    facts = asdict(model.config) | {
        "digest": model.digest().hex(),
        "bytes": model_path.stat().st_size,
        "weights": weights,
        "weights_not_zero": round(not_zero / weights, 4),
        "embedding_in_file": model.embedding_weight is not None,
        "head_in_file": model.head_weight is not None,
        "host_head_in_file": model.host_head_weight is not None,
    }
    if as_json:
        print_json(facts | {"vocabulary": model.vocabulary, "training": model.training})
        return
    print_pairs(facts | {"vocabulary": _some(model.vocabulary)}, str(model_path))
    if model.training:
        print_pairs({key: json_text(value) for key, value in model.training.items()}, "training")


def _some(vocabulary: list[str] | None, most: int = 100) -> str:
    """A vocabulary, or its first symbols, for people to read."""
    if vocabulary is None:
        return "none: tokens are numbers"
    joint = "" if all(len(symbol) == 1 for symbol in vocabulary) else " "
    return repr(joint.join(vocabulary[:most])) + (", ..." if len(vocabulary) > most else "")


@click.command()
@model_argument
@click.option("--text", help="Symbols of the model's vocabulary.")
@click.option("--tokens", type=click.Path(path_type=Path), help=f"File: {_TOKEN_SUFFIXES}.")
@backend_option
@click.option("--trace", type=OutputFile(), help="Write tokens, h, c, logits, cycles as .npz.")
@waves_option
@json_option
def run(
    model_path: Path,
    text: str | None,
    tokens: Path | None,
    backend: str,
    trace: Path | None,
    waves: Path | None,
    as_json: bool,
) -> None:
    """Run tokens through a model from the zero state, and show what it makes of them."""
    from trine.backends import open_backend
    from trine_sw.model import Model

    if (text is None) == (tokens is None):
        raise click.UsageError("give the tokens by --text or by --tokens, one of the two")
    model = Model.load(model_path)
    numbers = model.encode(text) if text is not None else _read_tokens(tokens or Path())
    if not len(numbers):
        raise TrineError("there are no tokens to run; give at least one")
    result = open_backend(backend, model, waves=waves).run(numbers)
    if trace is not None:
        _write_trace(trace, numbers, result)
    facts: dict[str, Any] = {"backend": backend, "tokens": len(numbers)}
    facts["active_h"] = round(float(np.count_nonzero(result.h) / result.h.size), 4)
    facts["cycles"] = int(result.cycles.sum())
    facts["cycles_per_token"] = round(float(result.cycles.mean()), 3)
    if result.logits is not None:
        best = result.logits[-1].argsort(kind="stable")[::-1][:5].tolist()
        facts["next"] = [model.decode([token]) for token in best] if model.vocabulary else best
    if as_json:
        print_json(facts)
    else:
        print_pairs(facts)


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


def _write_trace(path: Path, tokens: np.ndarray, result: "Result") -> None:
    """Write the trace, whole or not at all."""
    arrays = {"tokens": tokens, "h": result.h, "cycles": result.cycles}
    if result.c is not None:
        arrays["c"] = result.c
    if result.logits is not None:
        arrays["logits"] = result.logits
    with atomic_write(path) as file:
        np.savez_compressed(file, **arrays)  # pyright: ignore[reportArgumentType]


@click.command()
@model_argument
@click.option("--prompt", required=True, help="Symbols of the model's vocabulary, at least one.")
@click.option("--count", default=200, show_default=True, help="Symbols to generate.")
@click.option("--temperature", default=0.0, show_default=True, help="0 takes the likeliest symbol.")
@click.option("--seed", default=0, show_default=True, help="Same seed, same text on every backend.")
@backend_option
@waves_option
@json_option
def generate(
    model_path: Path,
    prompt: str,
    count: int,
    temperature: float,
    seed: int,
    backend: str,
    waves: Path | None,
    as_json: bool,
) -> None:
    """Write text that goes on from a prompt."""
    from trine.backends import open_backend
    from trine_sw.model import Model

    model = Model.load(model_path)
    tokens = model.encode(prompt)
    if not len(tokens):
        raise TrineError("the prompt is empty; give at least one symbol")
    chosen = open_backend(backend, model, waves=waves).generate(tokens, count, temperature, seed)
    if as_json:
        text = model.decode(chosen)
        print_json({"backend": backend, "prompt": prompt, "text": text, "tokens": [int(t) for t in chosen]})
    else:
        click.echo(model.decode(np.concatenate([tokens, chosen])))


COMMANDS = (info, run, generate)
