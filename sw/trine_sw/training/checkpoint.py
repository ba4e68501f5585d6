"""Checkpoints: whole or not at all, and only for the recipe that made them."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from trine_sw.errors import TrineError
from trine_sw.whole_file import make_folder, replacing

__all__ = ["load_checkpoint", "save_checkpoint"]


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint, atomically: an interruption or a full disk leaves the old one."""
    made = io.BytesIO()  # a full disk under torch.save itself would be a RuntimeError that does not say so
    torch.save(content, made)
    make_folder(path.parent)
    with replacing(path) as file:
        file.write(made.getbuffer())


def load_checkpoint(path: Path, recipe: str, names: Iterable[str] = ()) -> dict[str, Any]:
    """Read a checkpoint of this recipe (its full text) that has ``names``; :class:`TrineError` otherwise."""
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
    except FileNotFoundError:
        raise TrineError(f"there is no checkpoint {path} to resume from; train without --resume") from None
    except Exception as error:  # what is damaged may end in any of Python's errors
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise TrineError(f"{path} is no whole checkpoint ({reason}); remove it and train anew") from None
    if not isinstance(content, dict) or "recipe" not in content:
        raise TrineError(f"{path} is no checkpoint of a training run; remove it and train anew")
    if content["recipe"] != recipe:
        raise TrineError(f"{path} was made with another recipe; remove it to train anew")
    if missing := sorted(set(names) - set(content)):
        raise TrineError(f"{path} lacks {missing[0]}, so another Trine made it; remove it to train anew")
    return content
