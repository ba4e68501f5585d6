"""The ternary model: its configuration, its layers, and the file that holds it."""

from trine_sw.model.cells import CELLS, CellSpec
from trine_sw.model.config import ModelConfig
from trine_sw.model.layer import Layer
from trine_sw.model.model import FORMAT, HeadKind, Model

__all__ = ["CELLS", "FORMAT", "CellSpec", "HeadKind", "Layer", "Model", "ModelConfig"]
