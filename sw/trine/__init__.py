"""Trine: ternary recurrent inference for open FPGAs, from training in PyTorch to a bit-exact bitstream.

Everything in ``trine.__all__`` is the public interface; other packages are internal. Names are imported when
they are first used, so that ``import trine`` needs neither PyTorch nor Amaranth.

==================================== ==================================================================
Model, ModelConfig                   A ternary model as numbers and as a file; its shape and arithmetic
Encoder, InputSpec, ModelSample      Real features as trits; what they are; a sample of them
nn, export                           Layers and quantisers for PyTorch; from a trained network to a file
train, Recipe, evaluate              Train and measure a model from a recipe; how well it predicts a text
boards, fit, EngineConfig, build     Boards, the engine for one of them, and its bitstream
Board, AsyncBoard                    A board, real or simulated, as a Python object
TrineError                           The error of everything that the user can mend
==================================== ==================================================================
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from trine_sw import __version__

if TYPE_CHECKING:
    from trine import nn
    from trine.building import build
    from trine.connect import AsyncBoard, Board
    from trine.evaluation import evaluate
    from trine.exporting import export
    from trine.fitting import boards, fit
    from trine_sw.engine import EngineConfig
    from trine_sw.model import Encoder, InputSpec, Model, ModelConfig, ModelSample
    from trine_sw.support.errors import TrineError
    from trine_sw.training.recipes import Recipe
    from trine_sw.training.train import train

__all__ = [
    "AsyncBoard",
    "Board",
    "Encoder",
    "EngineConfig",
    "InputSpec",
    "Model",
    "ModelConfig",
    "ModelSample",
    "Recipe",
    "TrineError",
    "__version__",
    "boards",
    "build",
    "evaluate",
    "export",
    "fit",
    "nn",
    "train",
]

#: Where each name is defined. No module of this package has the name of one of them, but nn, which is one.
_DEFINED_IN = {
    "AsyncBoard": "trine.connect",
    "Board": "trine.connect",
    "Encoder": "trine_sw.model",
    "EngineConfig": "trine_sw.engine",
    "InputSpec": "trine_sw.model",
    "Model": "trine_sw.model",
    "ModelConfig": "trine_sw.model",
    "ModelSample": "trine_sw.model",
    "Recipe": "trine_sw.training.recipes",
    "TrineError": "trine_sw.support.errors",
    "boards": "trine.fitting",
    "build": "trine.building",
    "evaluate": "trine.evaluation",
    "export": "trine.exporting",
    "fit": "trine.fitting",
    "train": "trine_sw.training.train",
}


def __getattr__(name: str) -> Any:
    if name == "nn":
        return importlib.import_module("trine.nn")
    if name not in _DEFINED_IN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from trine_sw.support.installing import needed

    with needed("torch", "train", f"trine.{name}"):
        value = getattr(importlib.import_module(_DEFINED_IN[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
