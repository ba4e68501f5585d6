"""The models of sequences in training: the float baseline and teacher, and the ternary student."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trine_sw.model.task import Reduction
from trine_sw.training.nn.encoder import TernaryEncoder
from trine_sw.training.nn.float_cells import FLOAT_CELLS
from trine_sw.training.nn.layers import CellOptions
from trine_sw.training.nn.linear import TernaryLinear
from trine_sw.training.nn.recurrence import Numerics
from trine_sw.training.nn.recurrent import TernaryGRU, TernaryLSTM, TernaryMGU, TernaryRNN
from trine_sw.training.sequences.recipe import Network
from trine_sw.training.sequences.statistics import Statistics

__all__ = ["FloatSequenceNetwork", "SequenceNetwork", "TernarySequenceNetwork"]

_TERNARY_LAYERS: dict[str, type[TernaryRNN]] = {"lstm": TernaryLSTM, "gru": TernaryGRU, "mgu": TernaryMGU}


class SequenceNetwork(nn.Module):
    """A model of sequences: features to logits, or to the values of a regression.

    Parameters
    ----------
    every_step : outputs at every step; otherwise of a sequence, as ``reduction`` says.
    reduction : ``"last"``, outputs of the last step; ``"sum"``, of all steps of a sequence together.
    dropout, head_dropout : in training, of what the layers and the head see.
    """

    def __init__(
        self, *, every_step: bool, reduction: Reduction, dropout: float = 0.0, head_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.every_step = every_step
        self.reduction: Reduction = reduction
        self.dropout, self.head_dropout = dropout, head_dropout

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Outputs of sequences x (T, B, F) of these lengths (B,): (B, K), or (T, B, K) of every step."""
        raise NotImplementedError

    def harden(self, share: float) -> None:
        """Set how hard training computes when this share, 0 to 1, of the updates is done."""

    def compute_by(self, numerics: Numerics) -> None:
        """Train with these numerics."""


class FloatSequenceNetwork(SequenceNetwork):
    """The same model in floating point, on PyTorch's cell, with standardised features.

    Parameters
    ----------
    features : of the training set.
    outputs : classes, or values of a regression.
    targets : of a regression, those of the training set.
    """

    def __init__(
        self,
        features: Statistics,
        outputs: int,
        targets: Statistics | None = None,
        *,
        cell: str,
        hidden: int,
        layers: int = 1,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.register_buffer("mean", torch.from_numpy(features.mean).float())
        self.register_buffer("deviation", torch.from_numpy(features.deviation).float())
        offset, scale = (np.zeros(1), np.ones(1)) if targets is None else (targets.mean, targets.deviation)
        self.register_buffer("offset", torch.from_numpy(offset).float())
        self.register_buffer("scale", torch.from_numpy(scale).float())
        self.mean: Tensor
        self.deviation: Tensor
        self.offset: Tensor
        self.scale: Tensor
        between = self.dropout if layers > 1 else 0.0
        self.layers = FLOAT_CELLS[cell](len(features.mean), hidden, layers, dropout=between)
        self.head = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        x = nn.functional.dropout((x - self.mean) / self.deviation, self.dropout, self.training)
        u = nn.functional.dropout(self.layers(x)[0], self.head_dropout, self.training)
        if not self.every_step:
            u = self._seen(u, lengths)
        return self.offset + self.scale * self.head(u)

    def _seen(self, u: Tensor, lengths: Tensor) -> Tensor:
        """What the head sees of sequences u (T, B, H): (B, H)."""
        if self.reduction == "last":
            return u[lengths - 1, torch.arange(len(lengths), device=u.device)]
        inside = torch.arange(len(u), device=u.device).unsqueeze(1) < lengths
        return (u * inside.unsqueeze(-1)).sum(dim=0) / lengths.unsqueeze(1)


class TernarySequenceNetwork(SequenceNetwork):
    """Encoder, ternary layers and ternary head: every number that a board holds is a trit or an integer.

    Parameters
    ----------
    encoder : from features to trits.
    head : of the classes or values.
    network, cell : shape of the layers; how their cells are trained.
    """

    def __init__(
        self,
        encoder: TernaryEncoder,
        head: TernaryLinear,
        network: Network,
        cell: CellOptions,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.encoder, self.head = encoder, head
        self.layers = _TERNARY_LAYERS[network.cell](
            encoder.out_features,
            network.hidden,
            network.layers,
            cell_max=network.cell_max,
            cell_shift=network.cell_shift,
            output_shift=network.output_shift,
            head_levels=network.head_levels,
            options=cell,
        )

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        trits = nn.functional.dropout(self.encoder(x), self.dropout, self.training)
        u = nn.functional.dropout(self.layers(trits)[0], self.head_dropout, self.training)
        if self.every_step:
            return self.head(u)
        return self.head.reduced(u, self.reduction, lengths)

    def harden(self, share: float) -> None:
        self.layers.harden(share)

    def compute_by(self, numerics: Numerics) -> None:
        self.layers.compute_by(numerics)
