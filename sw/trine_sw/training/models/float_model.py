"""The float language model, which the ternary one is measured against."""

from torch import Tensor, nn

from trine_sw.model.config import ModelConfig
from trine_sw.support.errors import TrineError
from trine_sw.training.models.language_model import LanguageModel, State
from trine_sw.training.nn.float_cells import FLOAT_CELLS
from trine_sw.training.nn.recurrence import Numerics
from trine_sw.training.nn.regularised import RegularisedLayers, without_words
from trine_sw.training.nn.soft_cell import Quantisers, SoftLSTM, quantise_weight

__all__ = ["FloatLanguageModel"]

_MANY = 1000  # symbols, most of them too rare to be moved far from where they started


class FloatLanguageModel(LanguageModel):
    """The same model in floating point, on the cell of PyTorch: the baseline. It is evaluated in float32.

    Parameters
    ----------
    config, dropout, head_dropout, locked : see :class:`LanguageModel`.
    between, embedding_dropout, recurrent : of what goes from one layer to the next (None: as ``dropout``), of
        words, and of the weights of h; see :class:`RegularisedLayers`. Without any of these, entries between
        layers are dropped one by one, even if ``locked``.
    tied : the head's weights are the embedding's; E must be H.

    With ``quantisers`` its layer is :class:`trine_sw.training.nn.soft_cell.SoftLSTM`, and the embedding is
    quantised as the weights are: the paper's cell, for comparisons.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        dropout: float = 0.0,
        head_dropout: float | None = None,
        locked: bool = False,
        tied: bool = False,
        quantisers: Quantisers | None = None,
        between: float | None = None,
        embedding_dropout: float = 0.0,
        recurrent: float = 0.0,
    ) -> None:
        super().__init__(config, dropout, head_dropout, locked)
        self.quantisers, self.embedding_dropout = quantisers, embedding_dropout
        if tied and config.embedding != config.hidden:
            raise TrineError(
                f"a tied head needs an embedding of {config.hidden} units, not {config.embedding}"
            )
        self.embedding = nn.Embedding(config.vocab_size, config.embedding)
        if between is not None or recurrent:
            if quantisers is not None:
                raise TrineError(
                    "the paper's cell with quantisers has no dropout between layers or of weights"
                )
            layer = RegularisedLayers(
                config.cell,
                config.embedding,
                config.hidden,
                config.layers,
                between=dropout if between is None else between,
                locked=locked,
                recurrent=recurrent,
            )
        elif quantisers is None:
            between = dropout if config.layers > 1 else 0.0
            layer = FLOAT_CELLS[config.cell](config.embedding, config.hidden, config.layers, dropout=between)
        elif config.layers > 1:
            raise TrineError(f"the paper's cell with quantisers is one layer, not {config.layers}")
        else:
            layer = SoftLSTM(config, quantisers)
        self.add_module(config.cell, layer)
        self.head = nn.Linear(config.hidden, config.vocab_size)
        if tied or config.vocab_size >= _MANY:
            nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        if tied:
            self.head.weight = self.embedding.weight

    def anneal(self, share: float) -> None:
        if isinstance(layer := getattr(self, self.config.cell), SoftLSTM):
            layer.slope.fill_(layer.quantisers.slope_of(share))

    def compute_by(self, numerics: Numerics) -> None:
        super().compute_by(numerics)
        layer = getattr(self, self.config.cell)
        if isinstance(layer, SoftLSTM):
            layer.compiled = numerics.compiled
        elif isinstance(layer, RegularisedLayers):
            layer.numerics = numerics

    def teach_by(self, numerics: Numerics) -> None:
        self.compute_by(numerics)
        if isinstance(layer := getattr(self, self.config.cell), RegularisedLayers):
            layer.teaching = True

    def initial_state(self, streams: int) -> State:
        zero = self.head.weight.new_zeros(self.config.layers, streams, self.config.hidden)
        return (zero,) * len(self.config.spec.float_state)

    def head_parameters(self) -> list[nn.Parameter]:
        return list(self.head.parameters())

    def head_in_nats(self, words: Tensor | None = None) -> tuple[Tensor, Tensor]:
        weight, bias = self.head.weight, self.head.bias
        return (weight, bias) if words is None else (weight[words], bias[words])

    def features(self, tokens: Tensor, state: State) -> tuple[Tensor, State, Tensor]:
        table = self.embedding.weight
        if self.quantisers is not None:
            table = quantise_weight(table, self.quantisers.weights, self.training)
        x = nn.functional.embedding(tokens, table)
        if self.embedding_dropout and self.training:
            x = without_words(x, tokens, len(table), self.embedding_dropout)
        x = self.dropped(x, self.dropout)
        layer: nn.Module = getattr(self, self.config.cell)
        if len(state) == 1:
            h, *last = layer(x, *state)
        else:
            h, last = layer(x, state)
        return self.dropped(h, self.head_dropout), tuple(part.detach() for part in last), h

    def forward(self, tokens: Tensor, state: State) -> tuple[Tensor, State, Tensor]:
        """Run tokens (T, B). Returns logits (T, B, V) in nats, the state after them, and h (T, B, H)."""
        u, state, h = self.features(tokens, state)
        return self.head(u), state, h
