"""A trained teacher as one compact file: weights in float16, its shape, its text and how well it reads it."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trine_sw.model.config import ModelConfig
from trine_sw.model.container import container_bytes, read_container
from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.errors import TrineError
from trine_sw.support.json_text import json_text, json_value
from trine_sw.support.plain_values import from_plain
from trine_sw.support.reading import read_whole
from trine_sw.training.models.float_model import FloatLanguageModel

__all__ = ["TeacherFile", "rounded", "text_digest", "write_teacher"]

_FORMAT = "trine-teacher/1"
_KEY = "teacher"


def text_digest(vocabulary: Sequence[str], tokens: np.ndarray, valid: np.ndarray) -> str:
    """SHA-256 of a vocabulary, a training text and a validation text, in hexadecimal."""
    whole = hashlib.sha256(json_text(list(vocabulary)).encode())
    for part in (tokens, valid):
        whole.update(np.ascontiguousarray(part, dtype="<i8").tobytes())
    return whole.hexdigest()


def rounded(model: FloatLanguageModel) -> FloatLanguageModel:
    """A copy on the CPU whose weights are float16 numbers, as a file has them, in evaluation mode."""
    made = copy.deepcopy(model).cpu().eval()
    with torch.no_grad():
        for weight in made.parameters():
            weight.copy_(weight.half().float())
    return made


def write_teacher(
    path: Path, model: FloatLanguageModel, valid_nats: float, text: str, training: dict[str, Any]
) -> None:
    """Write a trained float model of a plain cell.

    Parameters
    ----------
    model : as :func:`rounded` gives it.
    valid_nats : its loss on the validation text, in nats a token.
    text : :func:`text_digest` of what it has learned.
    training : how it was trained, for people to read.

    Raises
    ------
    TrineError
        Where the file cannot be written, or a weight is no float16 number.
    """
    if model.quantisers is not None:
        raise TrineError("a teacher's file has a plain float cell, and no quantisers")
    kept = model.state_dict()
    if model.head.weight is model.embedding.weight:
        del kept["head.weight"]
    tensors = {name: tensor.half().numpy() for name, tensor in kept.items()}
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        raise TrineError(f"a weight of the teacher is beyond float16, so {path} is not written")
    described = {
        "format": _FORMAT,
        "config": asdict(model.config),
        "tied": "head.weight" not in kept,
        "valid_nats": valid_nats,
        "text": text,
        "training": training,
    }
    with atomic_write(path) as file:
        file.write(container_bytes(tensors, {_KEY: json_text(described, sort_keys=True)}))


@dataclass(frozen=True)
class TeacherFile:
    """A teacher that :func:`write_teacher` wrote.

    Members
    -------
    path, digest : the file, and its SHA-256.
    model : in evaluation mode, on the CPU.
    valid_nats, text : as they were written.
    """

    path: Path
    digest: str
    model: FloatLanguageModel
    valid_nats: float
    text: str

    @classmethod
    def read(cls, path: Path) -> TeacherFile:
        """Read a file; :class:`TrineError` where it is none, or not whole."""
        data = read_whole(path)
        try:
            tensors, metadata = read_container(data)
            described = json_value(metadata[_KEY].encode()) if _KEY in metadata else {}
            if not isinstance(described, dict) or described.get("format") != _FORMAT:
                raise TrineError(f"it has no {_FORMAT} in it, as trine train writes it")
            config = from_plain(ModelConfig, described.get("config"), "config")
            nats, text = described.get("valid_nats"), described.get("text")
            if not isinstance(nats, float) or not math.isfinite(nats) or not isinstance(text, str):
                raise TrineError("it lacks the loss on its validation text")
            model = _model(config, bool(described.get("tied")), tensors)
        except TrineError as error:
            raise TrineError(f"{path} is no teacher: {error}") from None
        return cls(Path(path), hashlib.sha256(data).hexdigest(), model, nats, text)


def _model(config: ModelConfig, tied: bool, tensors: dict[str, Any]) -> FloatLanguageModel:
    with torch.device("meta"):  # whatever sizes are said, nothing is made before the file has them
        shapes = {
            name: tuple(tensor.shape)
            for name, tensor in FloatLanguageModel(config, tied=tied).state_dict().items()
        }
    if tied:
        del shapes["head.weight"]
    if {name: tensor.shape for name, tensor in tensors.items()} != shapes:
        raise TrineError("its weights are not of the shape that it says")
    if not all(tensor.dtype == np.float16 and np.isfinite(tensor).all() for tensor in tensors.values()):
        raise TrineError("its weights are not finite float16 numbers")
    model = FloatLanguageModel(config, tied=tied)
    content = {name: torch.from_numpy(tensor.astype(np.float32)) for name, tensor in tensors.items()}
    if tied:
        content["head.weight"] = content["embedding.weight"]
    model.load_state_dict(content)
    return model.eval()
