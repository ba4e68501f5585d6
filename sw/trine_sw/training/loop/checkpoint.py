"""Checkpoints: whole or not at all, and only for the recipe that made them."""

import io
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.errors import TrineError
from trine_sw.support.interruption import Interrupted, Interruption
from trine_sw.support.reading import read_whole

__all__ = [
    "check_figures",
    "check_finite",
    "check_like",
    "check_optimizer",
    "holds_a_run",
    "keeping",
    "load_checkpoint",
    "random_states",
    "save_checkpoint",
    "set_random_states",
    "taking_up",
]


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint, atomically: an interruption or a full disk leaves the old one."""
    made = io.BytesIO()  # a full disk under torch.save itself would be a RuntimeError that does not say so
    torch.save(content, made)
    with atomic_write(path) as file:
        file.write(made.getbuffer())


def load_checkpoint(path: Path, recipe: str, names: Iterable[str] = ()) -> dict[str, Any]:
    """Read a checkpoint of this recipe (its full text) that has ``names``; :class:`TrineError` otherwise.

    Only tensors and plain values are ever read: nothing in a file is executed, whatever it holds.
    """
    if not path.exists():
        raise TrineError(f"there is no checkpoint {path} to resume from; train without --resume")
    data = read_whole(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about files that are not its own
            content = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    except Exception:  # what is damaged may end in any of Python's errors, and torch advises to trust it
        raise TrineError(
            f"{path} is no whole checkpoint: it is truncated or altered, or another program's. "
            "Remove it and train anew"
        ) from None
    if not isinstance(content, dict) or not isinstance(content.get("recipe"), str):
        raise TrineError(f"{path} is no checkpoint of a training run; remove it and train anew")
    if content["recipe"] != recipe:
        raise TrineError(f"{path} was made with another recipe or other data; remove it to train anew")
    if missing := sorted(set(names) - set(content)):
        raise TrineError(f"{path} lacks {missing[0]}, so another Trine made it; remove it to train anew")
    return content


@contextmanager
def keeping(path: Path) -> Iterator[None]:
    """Context of a run: an interruption becomes one that says whether there is a checkpoint."""
    try:
        yield
    except Interruption:
        kept = f"{path} is saved, go on with --resume" if path.exists() else "nothing is saved yet"
        raise Interrupted(f"interrupted; {kept}") from None


def check_finite(loss: float, norm: float, epoch: int, update: int, path: Path) -> None:
    """Raise :class:`TrineError` where the loss of an update, or its gradients' norm, is no finite number."""
    if not (math.isfinite(loss) and math.isfinite(norm)):
        kept = f"the last checkpoint, {path}, is whole" if path.exists() else "nothing is saved yet"
        raise TrineError(
            f"the loss is no number after epoch {epoch}, update {update}; {kept}. Lower the recipe's "
            "learning rate."
        )


def holds_a_run(path: Path, folder: Path) -> str:
    """What is said where a training that should begin finds a checkpoint in its folder."""
    return (
        f"{path} holds a run of a recipe of this name; go on from it with --resume, or remove the folder "
        f"{folder} to train anew"
    )


@contextmanager
def taking_up(path: Path) -> Iterator[None]:
    """Context in which a checkpoint's contents are taken up; what does not fit becomes a TrineError."""
    try:
        yield
    # What torch says of states and of generators that are none is of these kinds.
    except (ValueError, RuntimeError, TypeError, KeyError, AttributeError, IndexError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TrineError(f"{path} is altered: {reason[:200]}; remove it to train anew") from None


def random_states(device: torch.device) -> dict[str, Any]:
    """States of the generators that training on that device draws from, as a checkpoint keeps them."""
    cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return {"random": torch.get_rng_state(), "random_cuda": cuda}


def set_random_states(kept: Mapping[str, Any], device: torch.device) -> None:
    """Go on from the states that :func:`random_states` gave."""
    torch.set_rng_state(kept["random"])
    if device.type == "cuda" and kept.get("random_cuda") is not None:
        torch.cuda.set_rng_state(kept["random_cuda"], device)


def check_like(name: str, value: Any, like: Any) -> None:
    """Raise ``ValueError`` that names the first part that is not of the same structure as another value.

    Mappings must have the same names and sequences the same length; tensors the same shape and type.
    """
    if isinstance(like, torch.Tensor):
        same = isinstance(value, torch.Tensor) and (value.shape, value.dtype) == (like.shape, like.dtype)
        if not same:
            raise ValueError(f"{name} must be {like.dtype} of shape {tuple(like.shape)}")
    elif isinstance(like, Mapping):
        if not isinstance(value, Mapping) or value.keys() != like.keys():
            raise ValueError(f"{name} has other parts")
        for key, part in like.items():
            check_like(f"{name}.{key}", value[key], part)
    elif isinstance(like, tuple | list):
        if not isinstance(value, type(like)) or len(value) != len(like):
            raise ValueError(f"{name} must have {len(like)} parts")
        for number, part in enumerate(like):
            check_like(f"{name}[{number}]", value[number], part)
    elif type(value) is not type(like):
        raise ValueError(f"{name} must be of type {type(like).__name__}")


def check_figures(content: Mapping[str, Any], epochs: int, updates: int, figure: str = "valid_nats") -> None:
    """Raise ``ValueError`` where what a checkpoint counts cannot be of a run of so many epochs.

    ``figure`` is in the row of each epoch.
    """
    for name, most in (("epoch", epochs), ("update", updates)):
        if type(content[name]) is not int or not 0 <= content[name] <= most:
            raise ValueError(f"{name} must be from 0 to {most}")
    for name in ("loss_sum", "seconds"):
        if type(content[name]) not in (int, float) or not math.isfinite(content[name]):
            raise ValueError(f"{name} must be a number")
    log, best = content["log"], content["best"]
    right = isinstance(log, list) and all(_is_row(row, figure) for row in log)
    if not right or len(log) != content["epoch"]:
        raise ValueError("log must have a row for each epoch")
    figures = {key: value for key, value in best.items() if key != "model"} if isinstance(best, dict) else {}
    if not _is_row(figures, figure) or (content["epoch"] > 0) != ("model" in best):
        raise ValueError("best must have the figures and the model of an epoch")


def check_optimizer(optimizer: torch.optim.Optimizer) -> None:
    """Raise ``ValueError`` where what an optimizer has taken up is of other weights' shapes."""
    for group in optimizer.param_groups:
        for weight in group["params"]:
            for name, value in optimizer.state[weight].items():
                if isinstance(value, torch.Tensor) and value.shape not in (weight.shape, torch.Size()):
                    raise ValueError(f"optimizer.{name} must be of shape {tuple(weight.shape)}")


def _is_row(row: Any, figure: str) -> bool:
    """Whether these are figures of an epoch: numbers by name, of which one is ``figure``."""
    numbers = isinstance(row, dict) and all(type(value) in (int, float) for value in row.values())
    return numbers and figure in row and all(isinstance(name, str) for name in row)
