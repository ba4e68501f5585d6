"""The ternary model: its configuration, its layers, and the file that holds it."""

from trine_sw.model.cells import CELLS, CellSpec
from trine_sw.model.config import ModelConfig
from trine_sw.model.encoder import Encoder
from trine_sw.model.layer import Layer
from trine_sw.model.model import HeadKind, Model
from trine_sw.model.model_file import FORMATS
from trine_sw.model.sample import ModelSample
from trine_sw.model.task import InputSpec, Reduction, Task

__all__ = [
    "CELLS",
    "FORMATS",
    "CellSpec",
    "Encoder",
    "HeadKind",
    "InputSpec",
    "Layer",
    "Model",
    "ModelConfig",
    "ModelSample",
    "Reduction",
    "Task",
]
