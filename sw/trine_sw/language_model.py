"""Character language models: the ternary one, and the float LSTM that it is measured against."""

import torch
from torch import Tensor, nn

from trine_sw.cell_torch import CellOptions, TernaryLayer, ternary_layer
from trine_sw.model import ModelConfig
from trine_sw.quantise import round_straight_through, ttq

__all__ = ["FloatLanguageModel", "TernaryLanguageModel"]

State = tuple[Tensor, Tensor]


class TernaryLanguageModel(nn.Module):
    """Embedding, ternary LSTM or GRU, and head: every number that the hardware holds is a trit or an integer.

    Parameters
    ----------
    config, options : shape and arithmetic; how the cell is trained.
    embedding_factor : TTQ threshold of the embedding over its mean magnitude: the larger, the fewer active
        columns. For normal weights 1.4 leaves about a quarter.
    dropout : probability, in training, that an entry of x, or of u, is dropped.
    """

    def __init__(
        self,
        config: ModelConfig,
        options: CellOptions,
        *,
        embedding_factor: float = 1.4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.config, self.embedding_factor = config, embedding_factor
        self.embedding = nn.Parameter(torch.randn(config.vocab_size, config.embedding) * 0.1)
        self.add_module(config.cell, ternary_layer(config, options))
        self.head = nn.Parameter(torch.randn(config.vocab_size, config.hidden) * 0.05)
        self.head_bias = nn.Parameter(torch.zeros(config.vocab_size))  # nats
        self.log_head_scale = nn.Parameter(torch.tensor(0.1).log())
        self.dropout = nn.Dropout(dropout)

    @property
    def layer(self) -> TernaryLayer:
        """The recurrent layer, which is called ``lstm`` or ``gru`` in checkpoints."""
        return getattr(self, self.config.cell)

    def initial_state(self, streams: int) -> State:
        zero = self.head.new_zeros(streams, self.config.hidden)
        return zero, zero

    def embedding_trits(self) -> Tensor:
        """(V, E)"""
        return ttq(self.embedding, self.embedding_factor)

    def head_integers(self) -> tuple[Tensor, Tensor, Tensor]:
        """Trits (V, H), bias (V,) in integers, and the scale that turns integer logits into nats."""
        scale = self.log_head_scale.exp()
        return ttq(self.head), round_straight_through(self.head_bias / scale), scale

    def forward(self, tokens: Tensor, state: State) -> tuple[Tensor, State, Tensor]:
        """Run tokens (T, B). Returns logits (T, B, V) in nats, the state after them, and h (T, B, H)."""
        x = self.dropout(nn.functional.embedding(tokens, self.embedding_trits()))
        h, u, state = self.layer(x, state)
        weight, bias, scale = self.head_integers()
        return (self.dropout(u) @ weight.T + bias) * scale, state, h


class FloatLanguageModel(nn.Module):
    """The same model in floating point, on ``nn.LSTM``: the baseline."""

    def __init__(self, config: ModelConfig, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.embedding)
        self.lstm = nn.LSTM(config.embedding, config.hidden)
        self.head = nn.Linear(config.hidden, config.vocab_size)
        self.dropout = nn.Dropout(dropout)

    def initial_state(self, streams: int) -> State:
        zero = self.head.weight.new_zeros(1, streams, self.config.hidden)
        return zero, zero

    def forward(self, tokens: Tensor, state: State) -> tuple[Tensor, State, Tensor]:
        """Run tokens (T, B). Returns logits (T, B, V) in nats, the state after them, and h (T, B, H)."""
        h, (last_h, last_c) = self.lstm(self.dropout(self.embedding(tokens)), state)
        return self.head(self.dropout(h)), (last_h.detach(), last_c.detach()), h
