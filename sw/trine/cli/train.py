"""Commands that train: from a recipe, or from data of one's own; and that write a recipe to start from."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trine.cli.model import device_option, threads_option
from trine.cli.outputs import OutputFile, OutputFolder
from trine_sw.data.paths import data_path
from trine_sw.model import Model
from trine_sw.support.atomic_file import atomic_write, check_apart
from trine_sw.support.errors import TrineError
from trine_sw.support.installing import needed

if TYPE_CHECKING:
    from trine_sw.training.recipes import AnyRecipe

__all__ = ["COMMANDS"]

_DATA = ("text", "data", "audio")


@click.command()
@click.argument("recipe", required=False)
@click.option("--text", type=click.Path(), help="Train a language model on this text file, without a recipe.")
@click.option("--data", type=click.Path(), help="Train on sequences in this .npz, .csv or .ts file.")
@click.option("--audio", type=click.Path(), help="Train on the WAV or FLAC files in this folder.")
@click.option(
    "--symbols", type=click.Choice(["characters", "words", "bytes"]), help="Of --text.  [default: characters]"
)
@click.option("--names", help="Of --audio: what names say, such as '{label}_{speaker}_{index}'.")
@click.option(
    "--task",
    type=click.Choice(["classify", "label", "regress"]),
    help="Of --data: what the targets are.  [default: as they look]",
)
@click.option("--hidden", type=int, help="Units.  [default: 128, or the most that --board holds]")
@click.option("--cell", type=click.Choice(["lstm", "gru", "mgu"]), help="[default: lstm for text, else gru]")
@click.option(
    *("--board", "--for", "board_name"),
    metavar="BOARD",
    help="Board that is to hold the model: see trine boards.",
)
@click.option("--epochs", type=int, help="Passes over the data.  [default: 40 for text, else 30]")
@click.option("--resume", is_flag=True, help="Go on from the checkpoints of an interrupted run.")
@click.option("--out", type=OutputFile(), help="Model file.  [default: NAME.trine]")
@click.option("--runs", type=OutputFolder(), default="runs", show_default=True, help="Folder of checkpoints.")
@click.option("--results", type=OutputFolder(), help="Folder of the record.  [default: the model's]")
@threads_option("CPU threads; results depend on their number.")
@device_option
@click.option("--no-baseline", is_flag=True, help="Do not train the float model of the same size.")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(["float", "teacher", "teacher-2", "teacher-3", "ternary", "head"]),
    help="Train this model of RECIPE now, and no others; may be given several times.",
)
@click.option(
    "--teacher",
    "teachers",
    multiple=True,
    type=click.Path(),
    help="A trained teacher, teacher.safetensors of another run; several are averaged.",
)
@click.option(
    "--start",
    type=click.Path(),
    help="Start from this model file, of the same cell and units, and not from random weights.",
)
@click.option("--any-teacher", is_flag=True, help="Learn from a teacher of worse validation than required.")
def train(
    recipe: str | None,
    text: str | None,
    data: str | None,
    audio: str | None,
    resume: bool,
    out: Path | None,
    runs: Path,
    results: Path | None,
    threads: int,
    device: str | None,
    no_baseline: bool,
    only: tuple[str, ...],
    teachers: tuple[str, ...],
    any_teacher: bool,
    start: str | None,
    **short: Any,
) -> None:
    """Train RECIPE and its float baseline, and write the model file and the record of both.

    RECIPE is a TOML file, which trine init writes, or the name of a recipe that Trine has. Without one,
    --text, --data or --audio say what to train on.

    With several processes or GPUs: torchrun --nproc-per-node N --no-python trine train RECIPE.
    """
    given = {"RECIPE": recipe, "--text": text, "--data": data, "--audio": audio}
    there = [name for name, value in given.items() if value is not None]
    if len(there) != 1:
        found = f", not {' and '.join(there)}" if there else ""
        raise TrineError(f"give one of {', '.join(given)}{found}; trine init writes a recipe to start from")
    with needed("torch", "train", "training"):
        from trine_sw.training.recipes import recipe as recipe_of
        from trine_sw.training.recipes import recipe_text
        from trine_sw.training.train import train as train_recipe
    if recipe is not None:
        _refuse(
            short,
            ("board_name", "cell", "epochs", "hidden", "names", "symbols", "task"),
            "a recipe",
            "the file says it",
        )
        check_apart([out], [recipe])
        chosen = recipe_of(recipe)
    else:
        chosen = _own(text, data, audio, start, short)
        read = [data_path(text or data or audio or "")]
        check_apart([out], read if start is None else [*read, Path(start)])
        kept = runs / chosen.name / "recipe.toml"
        if not any(kept.parent.rglob("*.pt")):  # of a run with a recipe of its own
            with atomic_write(kept) as file:
                file.write(recipe_text(chosen).encode())
        click.echo(f"the recipe is {kept}, of {_units(chosen)} units")
    roles = [role for role in chosen.roles if role != "float"] if no_baseline else None
    if only:
        if no_baseline:
            raise TrineError("--only says which models are trained: leave out --no-baseline")
        roles = [role for role in chosen.roles if role in only]
        if missing := [role for role in only if role not in chosen.roles]:
            raise TrineError(f"{chosen.name} has no {missing[0]}; there are {', '.join(chosen.roles)}")
    train_recipe(
        chosen,
        resume=resume,
        out=out,
        threads=threads,
        device=device,
        roles=roles,  # type: ignore[arg-type]
        results=results,
        runs=runs,
        teachers=teachers,
        any_teacher=any_teacher,
        start=start,
    )


def _refuse(short: dict[str, Any], names: tuple[str, ...], what: str, reason: str = "") -> None:
    """Options of the short form where they say nothing."""
    for name in names:
        if short[name] is not None:
            option = "--board" if name == "board_name" else f"--{name}"
            raise TrineError(f"{option} is not for {what}{reason and f'; {reason}'}")


def _own(
    text: str | None, data: str | None, audio: str | None, start: str | None, short: dict[str, Any]
) -> AnyRecipe:
    from trine.own_recipe import sequence_recipe, text_recipe

    options = {name: short[name] for name in ("hidden", "cell", "epochs")} | {"board": short["board_name"]}
    if start is not None and text is None:
        raise TrineError("--start is for a text or a recipe of one")
    if text is not None:
        _refuse(short, ("names", "task"), "--text")
        if start is not None:
            _refuse(short, ("board_name", "cell", "hidden"), "--start", "the model says it")
            options["start"] = Model.load(start)
        return text_recipe(text, symbols_are=short["symbols"] or "characters", **options)
    if audio is not None:
        _refuse(short, ("symbols",), "--audio")
        if not data_path(audio).is_dir():
            raise TrineError(f"{audio} is no folder of audio files")
        return sequence_recipe(audio, names=short["names"], task=short["task"], **options)
    assert data is not None
    _refuse(short, ("symbols", "names"), "--data")
    if data_path(data).is_dir():
        raise TrineError(f"{data} is a folder: --audio is for folders of audio files")
    return sequence_recipe(data, task=short["task"], **options)


def _units(recipe: Any) -> int:
    return (recipe.network if hasattr(recipe, "network") else recipe.config).hidden


@click.command()
@click.argument("kind", type=click.Choice(["text", "sequences", "audio"]))
@click.option("-o", "--output", type=OutputFile(), required=True, help="The file, *.toml.")
def init(kind: str, output: Path) -> None:
    """Write a commented recipe to start from, for a text, for sequences in a file, or for audio files."""
    if output.suffix != ".toml":
        raise TrineError(f"a recipe's file must be called *.toml, not {output.name}")
    if output.exists() or output.is_symlink():
        raise TrineError(f"{output} is there already; remove it, or choose another name")
    template = files("trine_sw") / f"training/recipes/templates/{kind}.toml"
    with atomic_write(output) as file:
        file.write(template.read_bytes())
    click.echo(f"wrote {output}: set the path of your data in it, then trine train {output}")


COMMANDS = (train, init)
"""What :mod:`trine.cli` adds."""
