"""Recipes for data of one's own, of a few options, as ``trine train --text`` makes them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from trine.fitting import as_board
from trine_boards.board_spec import BoardSpec
from trine_sw.data import OwnText, load_tokens, symbols
from trine_sw.data.loading import load_splits
from trine_sw.data.paths import data_path
from trine_sw.data.source import FrontEnd, HeldOut, SequenceSource
from trine_sw.data.text import check_text
from trine_sw.engine.placement import ANYWHERE, Placement
from trine_sw.fit import fits
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.model.task import Task
from trine_sw.support.checks import integer
from trine_sw.support.errors import TrineError

if TYPE_CHECKING:
    from trine_sw.training.recipes import Recipe, Schedule
    from trine_sw.training.sequences.recipe import SequenceRecipe

__all__ = ["recipe_name", "sequence_recipe", "text_recipe"]

Cell = Literal["lstm", "gru", "mgu"]

_HIDDEN = 128  # where neither units nor a board are given
_MOST_HIDDEN = 2048
_STEP = 8
_EPOCHS = 40
_EPOCHS_FROM_START, _RATE_FROM_START = 10, 1e-3
#: A trit of a cell's candidate is so many shifts; from half of that on h is active.
_SHIFT = {"lstm": 2, "gru": 3, "mgu": 3}
_UPDATES = 20  # in an epoch, at least
#: Part of the logic that is planned with which a model of the most units may take. Synthesis has found up to
#: 5 % more than :mod:`trine_sw.fit.cost` expects, and what is trained for a board should be built for it.
_SHARE = 0.95


def recipe_name(path: str | os.PathLike[str]) -> str:
    """A name for a recipe, and for what is written, of the name of its data."""
    stem = re.sub(r"[^\w+-]+", "-", Path(os.path.abspath(path)).stem.removesuffix("_TRAIN")).strip("-+")
    return stem or "model"


def text_recipe(
    path: str | os.PathLike[str],
    *,
    symbols_are: Literal["characters", "words", "bytes"] = "characters",
    hidden: int | None = None,
    cell: Cell | None = None,
    board: BoardSpec | str | None = None,
    epochs: int | None = None,
    start: Model | None = None,
) -> Recipe:
    """A recipe for a text file: the last tenth of it is held out, half for validation and half for the test.

    Parameters
    ----------
    path : the text, UTF-8 unless its symbols are bytes.
    symbols_are : what the model reads and writes at a time. Of words, the 2,000 most frequent ones.
    hidden : units; None: the most that ``board`` is expected to hold, with embedding and head where it can,
        and 128 without a board.
    cell : kind of cell; None: LSTM.
    board : that holds the model.
    epochs : passes over the text; None: 40, or 10 with ``start``.
    start : the model that it starts from, which says units, cell and arithmetic.

    Raises
    ------
    TrineError
        Where the text cannot be read or is too short, or the board does not hold such a model.
    """
    from trine_sw.training.models.start import check_fits, largest_factor
    from trine_sw.training.recipes import Recipe

    words = symbols_are == "words"
    held = HeldOut(share=0.05)
    text = OwnText(
        path=os.fspath(path),
        symbols=symbols_are,
        most_frequent=2000 if words else None,
        valid=held,
        test=held,
    ).pinned()
    tokens = len(load_tokens(text, "train"))
    batch, steps = _streams(tokens, str(path))
    check_text(text)
    vocabulary = len(symbols(text))
    cell = cell or "lstm"

    if start is not None:
        config = replace(start.config, vocab_size=vocabulary)
        check_fits(config, start, list(symbols(text)))
        assert start.embedding_weight is not None
        densest = float(abs(start.embedding_weight).mean(axis=1).max())
        schedule = _schedule(tokens, batch, steps, _EPOCHS_FROM_START if epochs is None else epochs)
        schedule = replace(schedule, learning_rate=_RATE_FROM_START)
        return Recipe(
            name=recipe_name(path),
            dataset=text,
            config=config,
            schedule=schedule,
            baseline=schedule,
            embedding_factor=min(Recipe.embedding_factor, largest_factor(densest)),
            needs_start=True,
        )

    def config_of(units: int) -> ModelConfig:
        return ModelConfig(
            cell=cell,
            hidden=units,
            embedding=max(1, units // 2),
            vocab_size=vocabulary,
            cell_shift=_SHIFT[cell],
            output_shift=_SHIFT[cell] - 1,
            head_levels=(0, 1, 2, 3),
        )

    units = _units(hidden, board, lambda units: random_model(config_of(units), seed=1))
    schedule = _schedule(tokens, batch, steps, _EPOCHS if epochs is None else epochs)
    return Recipe(
        name=recipe_name(path), dataset=text, config=config_of(units), schedule=schedule, baseline=schedule
    )


def _schedule(tokens: int, batch: int, steps: int, epochs: int) -> Schedule:
    from trine_sw.training.recipes import Schedule

    integer(epochs, "--epochs", 1, 1 << 20)
    updates = tokens // (batch * steps) * epochs
    return Schedule(epochs=epochs, batch=batch, steps=steps, warmup=min(200, updates // 10))


def _streams(tokens: int, path: str) -> tuple[int, int]:
    """Streams and steps of an update, so that an epoch has some updates."""
    steps = 64
    while steps > 8 and tokens < 2 * _UPDATES * steps:
        steps //= 2
    batch = 64
    while batch > 1 and tokens < _UPDATES * batch * steps:
        batch //= 2
    if tokens < 4 * steps:
        raise TrineError(f"{path} is too short to train on: {tokens} symbols are left for it")
    return batch, steps


def sequence_recipe(
    path: str | os.PathLike[str],
    *,
    names: str | None = None,
    task: Task | None = None,
    hidden: int | None = None,
    cell: Cell | None = None,
    board: BoardSpec | str | None = None,
    epochs: int | None = None,
) -> SequenceRecipe:
    """A recipe for a file of sequences, or for a folder of audio files.

    A tenth of the sequences is held out for validation, and another for the test; where the file is called
    ``*_TRAIN.ts``, the test is in ``*_TEST.ts``.

    Parameters
    ----------
    path : ``.npz``, ``.csv`` or ``.ts`` file, or a folder of WAV or FLAC files.
    names : what the audio files' names say, such as ``"{label}_{speaker}_{index}"``.
    task : what the targets are; None: as they look.
    hidden, cell, board, epochs : as of :func:`text_recipe`; without a cell a GRU, and 30 epochs.

    Raises
    ------
    TrineError
        Where the sequences cannot be read, or the board does not hold such a model.
    """
    from trine_sw.training.sequences.recipe import (
        Augmentation,
        Network,
        SequenceRecipe,
        SequenceSchedule,
    )

    front_end = FrontEnd() if data_path(path).is_dir() else None
    source = SequenceSource(path=os.fspath(path), names=names, front_end=front_end)
    held = HeldOut(share=0.1)
    other = re.sub(r"_TRAIN(\.ts)$", r"_TEST\1", source.path)
    own_test = other != source.path and data_path(source.path).with_name(Path(other).name).exists()
    source = replace(source, valid=held, test=HeldOut(path=other) if own_test else held)
    train = load_splits(source, task)["train"]
    found = train.task
    assert found != "language"
    shape = (
        Network()
        if cell is None
        else Network(cell=cell, cell_shift=_SHIFT[cell], output_shift=_SHIFT[cell] - 1)
    )
    schedule = SequenceSchedule(batch=_batch(len(train)))
    if epochs is not None:
        schedule = replace(schedule, epochs=integer(epochs, "--epochs", 1, 1 << 20))
    recipe = SequenceRecipe(
        name=recipe_name(path),
        task=found,
        data=source,
        network=shape,
        schedule=schedule,
        augmentation=Augmentation(noise=0.1),
    )
    trits = train.features * recipe.encoder.trits * (2 if recipe.encoder.differences else 1)

    def model(units: int) -> Model:
        config = ModelConfig(
            cell=shape.cell,
            hidden=units,
            embedding=trits,
            vocab_size=train.outputs,
            cell_max=shape.cell_max,
            cell_shift=shape.cell_shift,
            output_shift=shape.output_shift,
            head_levels=shape.head_levels,
        )
        return replace(random_model(config, seed=1), embedding_weight=None)

    return replace(recipe, network=replace(shape, hidden=_units(hidden, board, model)))


def _batch(sequences: int) -> int:
    """Sequences of an update: a power of two up to 64, so that an epoch has some updates."""
    batch = 64
    while batch > 4 and sequences < 8 * batch:
        batch //= 2
    return batch


def _units(hidden: int | None, board: BoardSpec | str | None, model: Callable[[int], Model]) -> int:
    """The units that are asked for, where the board is expected to hold them, or else the most that it is.

    The most is with all parts of the model on the board, unless it holds none such, and leaves some of its
    logic for what the expectation is wrong by.
    """
    if hidden is not None:
        hidden = integer(hidden, "--hidden", 1, 1 << 16)
    if board is None:
        return hidden or _HIDDEN
    board = as_board(board)
    if hidden is not None and fits(model(hidden), board):
        return hidden
    whole = Placement(embedding="board" if model(1).embedding_weight is not None else None, head="board")
    places = (ANYWHERE,) if hidden is not None else (whole, ANYWHERE)
    wary = replace(board, lut_share=_SHARE * board.lut_share)
    most = next((found for each in places if (found := _most_units(wary, model, each))), 0)
    if hidden is not None:
        size = f"{most} units" if most else f"not even {_STEP} units"
        raise TrineError(f"{board.name} is not expected to hold such a model of {hidden} units, but {size}")
    if not most:
        raise TrineError(f"{board.name} is not expected to hold such a model of even {_STEP} units")
    return most


def _most_units(board: BoardSpec, model: Callable[[int], Model], placement: Placement) -> int:
    """The most units, in steps, of a model that the board is expected to hold; 0 if not one step."""

    def held(steps: int) -> bool:
        return fits(model(_STEP * steps), board, placement)

    most = 1
    while _STEP * most <= _MOST_HIDDEN and held(most):
        most *= 2
    least = most // 2  # is held, and most is not
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (middle, most) if held(middle) else (least, middle)
    return _STEP * least
