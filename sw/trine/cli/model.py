"""Commands about a model: info, generate."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from trine.cli.outputs import OutputFile
from trine.cli.placement import placement_options
from trine_hw.simulation.simulators import SIMULATORS
from trine_sw.support.checks import integer
from trine_sw.support.errors import TrineError
from trine_sw.support.json_text import json_text

if TYPE_CHECKING:
    from trine_sw.engine.placement import Place
    from trine_sw.model import Model

__all__ = [
    "COMMANDS",
    "backend_option",
    "device_option",
    "json_option",
    "model_argument",
    "print_json",
    "print_pairs",
    "threads_option",
    "waves_option",
]

_MOST_THREADS = 1024
_MOST_SHOWN = 2000  # characters of a record

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
        "task": model.task,
    }
    if as_json:
        records = {"vocabulary": model.vocabulary, "data": model.data, "training": model.training}
        print_json(facts | _of_sequences(model) | records)
        return
    if model.task == "language":
        facts["vocabulary"] = _some(model.vocabulary)
    for name, value in _of_sequences(model).items():
        facts[name] = value if isinstance(value, int | float | str) else _cut(json_text(value))
    print_pairs(facts, str(model_path))
    for title, record in (("data", model.data), ("training", model.training)):
        if record:
            print_pairs({key: _cut(json_text(value)) for key, value in record.items()}, title)


def _cut(text: str) -> str:
    """A text for people to read, cut where it is very long."""
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}... (--json shows all)"


def _of_sequences(model: "Model") -> dict[str, Any]:
    """What a file says of sequences: outputs, inputs, and the sample."""
    facts: dict[str, Any] = {}
    if model.task != "language":
        facts |= {"reduction": model.reduction, "labels": model.labels}
        encoder = model.encoder
        if encoder is not None:
            facts |= {"features": encoder.features, "trits_of_a_row": encoder.thresholds.shape[1]}
            facts["differences"] = encoder.differences
        if model.inputs is not None:
            facts["inputs"] = [
                f"{each.name} [{each.unit}]" if each.unit else each.name for each in model.inputs
            ]
        facts |= {"sample_rate": model.sample_rate, "front_end": model.front_end}
    if model.sample is not None:
        facts["sample"] = f"{len(model.sample.lengths)} sequences, {len(model.sample.trits)} steps"
    return {name: value for name, value in facts.items() if value is not None}


def _some(vocabulary: list[str] | None, most: int = 100) -> str:
    """A vocabulary, or its first symbols, for people to read."""
    if vocabulary is None:
        return "none: tokens are numbers"
    joint = "" if all(len(symbol) == 1 for symbol in vocabulary) else " "
    return repr(joint.join(vocabulary[:most])) + (", ..." if len(vocabulary) > most else "")


@click.command()
@model_argument
@click.option("--prompt", required=True, help="Symbols of the model's vocabulary, at least one.")
@click.option("--count", default=200, show_default=True, help="Symbols to generate.")
@click.option("--temperature", default=0.0, show_default=True, help="0 takes the likeliest symbol.")
@click.option("--seed", default=0, show_default=True, help="Same seed, same text on every backend.")
@backend_option
@placement_options
@waves_option
@json_option
def generate(
    model_path: Path,
    prompt: str,
    count: int,
    temperature: float,
    seed: int,
    backend: str,
    embedding: "Place | None",
    head: "Place | None",
    waves: Path | None,
    as_json: bool,
) -> None:
    """Write text that goes on from a prompt."""
    from trine.backends import open_backend
    from trine_sw.engine.placement import Placement
    from trine_sw.model import Model

    model = Model.load(model_path)
    if model.task != "language":
        raise TrineError(
            f"the model's task is {model.task!r}: it writes no text; trine run --data says its outputs"
        )
    tokens = model.encode(prompt)
    if not len(tokens):
        raise TrineError("the prompt is empty; give at least one symbol")
    opened = open_backend(backend, model, placement=Placement(embedding, head), waves=waves)
    chosen = opened.generate(tokens, count, temperature, seed)
    if as_json:
        text = model.decode(chosen)
        print_json({"backend": backend, "prompt": prompt, "text": text, "tokens": [int(t) for t in chosen]})
    else:
        click.echo(model.decode(np.concatenate([tokens, chosen])))


COMMANDS = (info, generate)
