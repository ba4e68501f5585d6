"""The float cells that the ternary ones are measured against, used as PyTorch's layers are."""

import math
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["FLOAT_CELLS", "FloatMGU"]


class FloatMGU(nn.Module):
    """A minimal gated unit (Zhou et al., 2016), used as ``nn.GRU`` is, in the form of ``nn.GRU``.

    f = sigmoid(f_x + f_h); n = tanh(n_x + f * n_h); h = (1 - f) * h + f * n. Weights and biases are of f and
    of n, named as those of ``nn.GRU``.

    >>> FloatMGU(3, 4, 2)(torch.zeros(5, 1, 3))[0].shape
    torch.Size([5, 1, 4])
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, *, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.hidden_size, self.num_layers, self.dropout = hidden_size, num_layers, dropout
        bound, rows = 1 / math.sqrt(hidden_size), 2 * hidden_size
        for number in range(num_layers):
            columns = hidden_size if number else input_size
            shapes = {"weight_ih": (rows, columns), "weight_hh": (rows, hidden_size)}
            for name, shape in (shapes | {"bias_ih": (rows,), "bias_hh": (rows,)}).items():
                values = torch.empty(shape).uniform_(-bound, bound)
                self.register_parameter(f"{name}_l{number}", nn.Parameter(values))

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Run x (T, B, E) from h (layers, B, H), zeros by default.

        Returns h (T, B, H) of the last layer, and the last h (layers, B, H) of all.
        """
        if state is None:
            state = x.new_zeros(self.num_layers, x.shape[1], self.hidden_size)
        last = []
        for number in range(self.num_layers):
            if number:
                x = nn.functional.dropout(x, self.dropout, self.training)
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            weight_x, weight_h, bias_x, bias_h = (getattr(self, f"{name}_l{number}") for name in names)
            h, outputs = state[number], []
            for f_x, n_x in (part.chunk(2, dim=-1) for part in nn.functional.linear(x, weight_x, bias_x)):
                f_h, n_h = nn.functional.linear(h, weight_h, bias_h).chunk(2, dim=-1)
                f = torch.sigmoid(f_x + f_h)
                h = torch.lerp(h, torch.tanh(n_x + f * n_h), f)
                outputs.append(h)
            x = torch.stack(outputs)
            last.append(h)
        return x, torch.stack(last)


FLOAT_CELLS: dict[str, Any] = {"lstm": nn.LSTM, "gru": nn.GRU, "mgu": FloatMGU}
"""The float cell of each kind of cell. Called with sizes of x and h and the number of layers."""
