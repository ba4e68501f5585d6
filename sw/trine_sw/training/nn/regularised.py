"""Float recurrent layers that are regularised as AWD-LSTM is (Merity et al., 2018)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from trine_sw.support.errors import TrineError
from trine_sw.training.nn.float_recurrence import float_lstm
from trine_sw.training.nn.recurrence import Numerics

__all__ = ["RegularisedLayers", "locked_dropout", "without_words"]

_GATES = {"lstm": 4, "gru": 3}


def locked_dropout(x: Tensor, share: float) -> Tensor:
    """x (T, B, F) without this share of its entries, the same at all steps (Gal and Ghahramani, 2016)."""
    kept = torch.bernoulli(torch.full_like(x[:1], 1 - share))
    return x * (kept / (1 - share))


def without_words(x: Tensor, tokens: Tensor, words: int, share: float) -> Tensor:
    """Embeddings x (T, B, E) of tokens (T, B), of which this share of all words has none in this call."""
    kept = torch.bernoulli(torch.full((words, 1), 1 - share, dtype=x.dtype, device=x.device))
    return x * nn.functional.embedding(tokens, kept / (1 - share))


class RegularisedLayers(nn.Module):
    """Layers of PyTorch's LSTM or GRU, with dropout between them and of their recurrent weights.

    Parameters and their names are those of ``nn.LSTM`` and ``nn.GRU``, and so is what is computed without
    dropout. An LSTM trains with its ``numerics``, which are PyTorch's until they are set, and where it is
    ``teaching``, on a CPU, it is evaluated with them.

    Parameters
    ----------
    cell : ``"lstm"`` or ``"gru"``.
    input_size, hidden_size, num_layers : sizes of x and h; layers.
    between, locked : probability that an entry that goes from one layer to the next is dropped, and whether
        the same are at all steps.
    recurrent : probability that a weight of h is dropped, at all steps of a call (DropConnect).

    Raises
    ------
    TrineError
        For a cell that PyTorch does not have.

    Examples
    --------
    >>> layers = RegularisedLayers("lstm", 3, 4, 2, recurrent=0.2)
    >>> h, (last, c) = layers(torch.zeros(5, 1, 3), (torch.zeros(2, 1, 4), torch.zeros(2, 1, 4)))
    >>> h.shape, c.shape
    (torch.Size([5, 1, 4]), torch.Size([2, 1, 4]))
    """

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        between: float = 0.0,
        locked: bool = False,
        recurrent: float = 0.0,
    ) -> None:
        super().__init__()
        if cell not in _GATES:
            raise TrineError(f"recurrent_dropout and between_dropout are of LSTMs and GRUs, not of {cell}")
        self.cell = cell
        self.hidden_size, self.num_layers = hidden_size, num_layers
        self.between, self.locked, self.recurrent = between, locked, recurrent
        self.numerics, self.teaching = Numerics(), False
        bound, rows = 1 / math.sqrt(hidden_size), _GATES[cell] * hidden_size
        for number in range(num_layers):
            columns = hidden_size if number else input_size
            shapes = {"weight_ih": (rows, columns), "weight_hh": (rows, hidden_size)}
            for name, shape in (shapes | {"bias_ih": (rows,), "bias_hh": (rows,)}).items():
                values = torch.empty(shape).uniform_(-bound, bound)
                self.register_parameter(f"{name}_l{number}", nn.Parameter(values))

    def forward(
        self, x: Tensor, state: Tensor | tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor | tuple[Tensor, Tensor]]:
        """Run x (T, B, E) from h, or h and c, each (layers, B, H).

        Returns h (T, B, H) of the last layer, and the state after the last step.
        """
        parts = (state,) if isinstance(state, Tensor) else state
        ends = []
        for number in range(self.num_layers):
            if number and self.training and self.between:
                drop = locked_dropout if self.locked else nn.functional.dropout
                x = drop(x, self.between)
            x, *end = self._layer(x, number, tuple(part[number : number + 1] for part in parts))
            ends.append(end)
        last = tuple(torch.cat(each) for each in zip(*ends, strict=True))
        return x, last[0] if len(last) == 1 else (last[0], last[1])

    def _layer(self, x: Tensor, number: int, start: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        weights: list[Tensor] = [getattr(self, f"{name}_l{number}") for name in names]
        if self.training and self.recurrent:  # three times as fast as PyTorch's dropout on a CPU
            kept = (torch.rand_like(weights[1]) >= self.recurrent).float()
            weights[1] = weights[1] * (kept / (1 - self.recurrent))
        by_numerics = self.training or (self.teaching and x.device.type == "cpu")
        short = by_numerics and self.numerics.product != torch.float32
        if self.cell == "lstm" and short:
            h, c = (part[0] for part in start)
            x, h, c = float_lstm(x, weights[0], weights[1], weights[2] + weights[3], h, c, self.numerics)
            return x, h[None], c[None]
        # One layer of PyTorch's, of both biases, in one direction.
        how = (weights, True, 1, 0.0, self.training, False, False)
        return torch.lstm(x, start, *how) if self.cell == "lstm" else torch.gru(x, start[0], *how)
