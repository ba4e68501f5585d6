"""The float cells that the ternary ones are measured against, used as PyTorch's layers are."""

from typing import Any

from torch import nn

__all__ = ["FLOAT_CELLS"]

FLOAT_CELLS: dict[str, Any] = {"lstm": nn.LSTM, "gru": nn.GRU}
"""The float cell of each kind of cell. Called with sizes of x and h and the number of layers."""
