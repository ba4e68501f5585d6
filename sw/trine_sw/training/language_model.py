"""Language models of characters or words: the ternary one, and the float one that it is measured against."""

import torch
from torch import Tensor, nn

from trine_sw.errors import TrineError
from trine_sw.model import HeadKind
from trine_sw.model_config import ModelConfig
from trine_sw.training.cell import CellOptions, TernaryLayer, ternary_layer
from trine_sw.training.head_loss import head_loss
from trine_sw.training.quantise import round_straight_through, ttq
from trine_sw.training.recurrence import Numerics
from trine_sw.training.sampled_softmax import CandidateSampler
from trine_sw.training.soft_cell import Quantisers, SoftLSTM, quantise_weight

__all__ = ["FloatLanguageModel", "LanguageModel", "TernaryLanguageModel"]

State = tuple[Tensor, ...]


def _layer_name(config: ModelConfig, number: int) -> str:
    """The name of a recurrent layer in checkpoints: ``lstm``, ``lstm1``, ``lstm2`` and so on."""
    return f"{config.cell}{number or ''}"


class LanguageModel(nn.Module):
    """Embedding, recurrent layers and head; in training, some of what goes into each of them is dropped.

    Parameters
    ----------
    config : shape.
    dropout : probability, in training, that an entry of what goes into a layer is dropped.
    head_dropout : likewise of what the head sees; None: the same.
    locked : drop the same entries at all steps of a call (variational dropout, Gal and Ghahramani, 2016).
    """

    def __init__(self, config: ModelConfig, dropout: float, head_dropout: float | None, locked: bool) -> None:
        super().__init__()
        self.config, self.dropout, self.locked = config, dropout, locked
        self.head_dropout = dropout if head_dropout is None else head_dropout
        self.numerics = Numerics()
        self.sampler: CandidateSampler | None = None  # in training; evaluation is always over all words

    def features(self, tokens: Tensor, state: State) -> tuple[Tensor, State, Tensor]:
        """Run tokens (T, B). Returns what the head sees (T, B, H), the state after them, and h (T, B, L·H) of
        all L layers."""
        raise NotImplementedError

    def head_in_nats(self, words: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Weight (V, H) and bias (V,) of the head, or these words' rows; nats are weight · u + bias."""
        raise NotImplementedError

    def head_parameters(self) -> list[nn.Parameter]:
        """All that the head is made of: its weights, which are the embedding's where they are tied, its bias,
        and its scale where it has one."""
        raise NotImplementedError

    @torch.no_grad()
    def fix_bias(self, counts: Tensor) -> None:
        """Make the head's bias the logarithm of each word's share of a text, from its counts (V,), for good.

        The weights then need not learn how frequent a word is, and can be small.
        """
        bias = next(parameter for parameter in self.head_parameters() if parameter.dim() == 1)
        smoothed = counts.to(bias) + 0.5  # a word that is not in the text is no impossible one
        bias.copy_((smoothed / smoothed.sum()).log()).requires_grad_(False)

    def anneal(self, share: float) -> None:
        """Set lambda to what it is when this share, 0 to 1, of the epochs is done."""

    def harden(self, share: float) -> None:
        """Set how hard training computes when this share, 0 to 1, of the updates is done."""

    def initial_state(self, streams: int) -> State:
        """The state of B streams before the first token."""
        raise NotImplementedError

    def loss(
        self, tokens: Tensor, targets: Tensor, state: State, wanted: Tensor | None = None, share: float = 0.0
    ) -> tuple[Tensor, Tensor, State, Tensor]:
        """Loss to be minimised and loss in nats a token (:func:`head_loss`), the state after, and h."""
        u, state, h = self.features(tokens, state)
        flat = targets.flatten().long()
        wanted = wanted if wanted is None else wanted.flatten(0, 1)
        if self.sampler is not None and self.training:
            words, offset, flat = self.sampler.draw(flat)
            weight, bias = self.head_in_nats(words)
            bias = bias + offset
            wanted = wanted if wanted is None else wanted[:, words] + offset
        else:
            weight, bias = self.head_in_nats()
        loss = head_loss(u.flatten(0, 1), weight, bias, flat, self.numerics, wanted, share)
        return *loss, state, h

    def compute_by(self, numerics: Numerics) -> None:
        """Train with these numerics."""
        self.numerics = numerics

    def dropped(self, x: Tensor, share: float) -> Tensor:
        """x (T, B, F), this share of it dropped in training."""
        if not (self.locked and self.training and share):
            return nn.functional.dropout(x, share, self.training)
        kept = torch.bernoulli(torch.full_like(x[:1], 1 - share))
        return x * (kept / (1 - share))


class TernaryLanguageModel(LanguageModel):
    """Every number that the hardware holds is a trit or an integer.

    Parameters
    ----------
    config, options : shape and arithmetic; how the cell is trained.
    embedding_factor : TTQ threshold of the embedding over its mean magnitude: the larger, the fewer active
        columns. For normal weights 1.4 leaves about a quarter.
    dropout, head_dropout, locked : see :class:`LanguageModel`.
    head : ``"ternary"``, with an integer bias and one scale; or ``"float"``, for the host alone.
    tied : the head's weights are the embedding's before they become trits; E must be H.
    """

    def __init__(
        self,
        config: ModelConfig,
        options: CellOptions,
        *,
        embedding_factor: float = 1.4,
        dropout: float = 0.0,
        head_dropout: float | None = None,
        locked: bool = False,
        head: HeadKind = "ternary",
        tied: bool = False,
    ) -> None:
        super().__init__(config, dropout, head_dropout, locked)
        self.embedding_factor, self.head_kind, self.frozen = embedding_factor, head, False
        # u is as large as its last level at once: a float head of larger weights is mostly noise at first,
        # against which cells learn to be silent. Of a ternary head only the weights' order counts.
        deviation = 0.05 if head == "ternary" else 0.005
        of_embedding = deviation if tied else 0.1
        self.embedding = nn.Parameter(torch.randn(config.vocab_size, config.embedding) * of_embedding)
        for number in range(config.layers):
            self.add_module(_layer_name(config, number), ternary_layer(config.of_layer(number), options))
        weights = torch.randn(config.vocab_size, config.hidden) * deviation
        self.head = None if tied else nn.Parameter(weights)
        self.head_bias = nn.Parameter(torch.zeros(config.vocab_size))  # nats
        self.log_head_scale = nn.Parameter(torch.tensor(0.1).log()) if head == "ternary" else None

    @property
    def layer(self) -> TernaryLayer:
        """The first recurrent layer, which is called ``lstm`` or ``gru`` in checkpoints."""
        return self.stack[0]

    @property
    def stack(self) -> list[TernaryLayer]:
        """All recurrent layers, from the lowest up."""
        return [getattr(self, _layer_name(self.config, number)) for number in range(self.config.layers)]

    def compute_by(self, numerics: Numerics) -> None:
        super().compute_by(numerics)
        for layer in self.stack:
            layer.numerics = numerics

    def initial_state(self, streams: int) -> State:
        """h and c, each (B, H), of one layer after the other."""
        zero = self.head_bias.new_zeros(streams, self.config.hidden)
        return (zero, zero) * self.config.layers

    def embedding_trits(self) -> Tensor:
        """(V, E)"""
        return ttq(self.embedding, self.embedding_factor)

    def head_integers(self, words: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Of a ternary head: trits (V, H), bias (V,) in integers, and the scale that makes nats of logits."""
        assert self.log_head_scale is not None
        scale = self.log_head_scale.exp()
        weight, bias = self._head_of(words)
        return ttq(weight), round_straight_through(bias / scale), scale

    def head_in_nats(self, words: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if self.head_kind == "float":
            return self._head_of(words)
        weight, bias, scale = self.head_integers(words)
        return weight * scale, bias * scale

    def _head_of(self, words: Tensor | None) -> tuple[Tensor, Tensor]:
        """Real weight and bias of the head, or of these words."""
        weight = self.embedding if self.head is None else self.head
        return (weight, self.head_bias) if words is None else (weight[words], self.head_bias[words])

    def head_parameters(self) -> list[nn.Parameter]:
        weight = self.embedding if self.head is None else self.head
        return [weight, self.head_bias, *([] if self.log_head_scale is None else [self.log_head_scale])]

    def anneal(self, share: float) -> None:
        for layer in self.stack:
            layer.anneal(share)

    def harden(self, share: float) -> None:
        for layer in self.stack:
            layer.harden(share)

    def freeze_cell(self) -> None:
        """From now on train the head alone; the cell and the embedding stay, and compute as in evaluation."""
        self.frozen = True
        self.embedding.requires_grad_(False)
        for layer in self.stack:
            layer.requires_grad_(False)

    def embedded(self, tokens: Tensor) -> Tensor:
        """Trits x (T, B, E), in training as hard as the first layer is."""
        # A row's trits depend on no other row, so only those that are used are made.
        rows = nn.functional.embedding(tokens, self.embedding)
        trits: Tensor = ttq(rows, self.embedding_factor)
        if not self.training or self.frozen or self.layer.options.harden is None:
            return trits
        length = trits.detach().norm(dim=-1, keepdim=True) / rows.detach().norm(dim=-1, keepdim=True)
        return torch.lerp(rows * length, trits, self.layer.hard)

    def features(self, tokens: Tensor, state: State) -> tuple[Tensor, State, Tensor]:
        below = self.embedded(tokens)
        u, after, all_h = below, (), []
        for number, layer in enumerate(self.stack):
            h, c = state[2 * number : 2 * number + 2]
            if self.frozen:
                layer.eval()
                with torch.no_grad():
                    below, u, last = layer(below, (h, c))
            else:
                below, u, last = layer(self.dropped(below, self.dropout), (h, c))
            after = (*after, *last)
            all_h.append(below)
        return (
            self.dropped(u, self.head_dropout),
            after,
            torch.cat(all_h, dim=-1) if len(all_h) > 1 else below,
        )

    def forward(self, tokens: Tensor, state: State) -> tuple[Tensor, State, Tensor]:
        """Run tokens (T, B). Returns logits (T, B, V) in nats, the state after them, and h (T, B, L·H)."""
        u, state, h = self.features(tokens, state)
        if self.head_kind == "float":
            weight, bias = self.head_in_nats()
            return u @ weight.T + bias, state, h
        weight, bias, scale = self.head_integers()  # integers first: exact, whatever the order of the sums
        return (u @ weight.T + bias) * scale, state, h


class FloatLanguageModel(LanguageModel):
    """The same model in floating point, on ``nn.LSTM`` or ``nn.GRU``: the baseline. Its layers are float32.

    Between its layers entries are dropped one by one, even if ``locked``.

    With ``quantisers`` its layer is :class:`trine_sw.training.soft_cell.SoftLSTM`, and the embedding is
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
    ) -> None:
        super().__init__(config, dropout, head_dropout, locked)
        self.quantisers = quantisers
        self.embedding = nn.Embedding(config.vocab_size, config.embedding)
        if quantisers is None:
            kind = nn.LSTM if config.cell == "lstm" else nn.GRU
            between = dropout if config.layers > 1 else 0.0
            layer = kind(config.embedding, config.hidden, config.layers, dropout=between)
        elif config.layers > 1:
            raise TrineError(f"the paper's cell with quantisers is one layer, not {config.layers}")
        else:
            layer = SoftLSTM(config, quantisers)
        self.add_module(config.cell, layer)
        self.head = nn.Linear(config.hidden, config.vocab_size)
        if tied:
            nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
            self.head.weight = self.embedding.weight

    def anneal(self, share: float) -> None:
        if isinstance(layer := getattr(self, self.config.cell), SoftLSTM):
            layer.slope.fill_(layer.quantisers.slope_of(share))

    def initial_state(self, streams: int) -> State:
        zero = self.head.weight.new_zeros(self.config.layers, streams, self.config.hidden)
        return (zero, zero) if self.config.cell == "lstm" else (zero,)

    def head_parameters(self) -> list[nn.Parameter]:
        return list(self.head.parameters())

    def head_in_nats(self, words: Tensor | None = None) -> tuple[Tensor, Tensor]:
        weight, bias = self.head.weight, self.head.bias
        return (weight, bias) if words is None else (weight[words], bias[words])

    def features(self, tokens: Tensor, state: State) -> tuple[Tensor, State, Tensor]:
        table = self.embedding.weight
        if self.quantisers is not None:
            table = quantise_weight(table, self.quantisers.weights, self.training)
        x = self.dropped(nn.functional.embedding(tokens, table), self.dropout)
        layer: nn.Module = getattr(self, self.config.cell)
        if self.config.cell == "lstm":
            h, last = layer(x, state)
        else:
            h, *last = layer(x, *state)
        return self.dropped(h, self.head_dropout), tuple(part.detach() for part in last), h

    def forward(self, tokens: Tensor, state: State) -> tuple[Tensor, State, Tensor]:
        """Run tokens (T, B). Returns logits (T, B, V) in nats, the state after them, and h (T, B, H)."""
        u, state, h = self.features(tokens, state)
        return self.head(u), state, h
