"""Trine: ternary recurrent inference for open FPGAs, from training in PyTorch to a bit-exact bitstream.

Everything in ``trine.__all__`` is the public interface; other packages are internal. Names are imported when
they are first used, so that ``import trine`` needs neither PyTorch nor Amaranth.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from trine_sw import __version__

if TYPE_CHECKING:
    from trine_sw.driver import AsyncBoard, Board
    from trine_sw.engine import EngineConfig
    from trine_sw.model import Model, ModelConfig
    from trine_sw.support.errors import TrineError

__all__ = ["AsyncBoard", "Board", "EngineConfig", "Model", "ModelConfig", "TrineError", "__version__"]

#: Where each name is defined.
_DEFINED_IN = {
    "AsyncBoard": "trine.connect",
    "Board": "trine.connect",
    "EngineConfig": "trine_sw.engine",
    "Model": "trine_sw.model",
    "ModelConfig": "trine_sw.model",
    "TrineError": "trine_sw.support.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _DEFINED_IN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_DEFINED_IN[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
