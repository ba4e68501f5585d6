"""The ternary language model: every number that the hardware holds is a trit or an integer."""

import torch
from torch import Tensor, nn

from trine_sw.model import HeadKind
from trine_sw.model.config import ModelConfig
from trine_sw.support.errors import TrineError
from trine_sw.training.models.language_model import LanguageModel, State
from trine_sw.training.nn.layers import CellOptions, TernaryLayer, ternary_layer
from trine_sw.training.nn.quantise import HEAD_FACTOR, round_straight_through, ttq
from trine_sw.training.nn.recurrence import Numerics
from trine_sw.training.nn.states import TRITS, States, embedding_values

__all__ = ["TernaryLanguageModel"]

_BESIDE = 0.3  # of the threshold, from it to a weight that is put on the other side of it
_TRIES = 50


def _layer_name(config: ModelConfig, number: int) -> str:
    """The name of a recurrent layer in checkpoints: ``lstm``, ``lstm1``, ``lstm2`` and so on."""
    return f"{config.cell}{number or ''}"


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
    one_threshold : for all rows of a ternary head: rows as short as those of rare words then have few trits.
        With one scale for all, a row's own threshold would make them as long as the others.
    states : how many values weights and activations have; other than three of each for comparisons alone.

    The float weights behind the trits are trained through straight-through gradients, as in HitNet (Wang et
    al., NeurIPS 2018). :meth:`loss` gives what is to be minimised.

    Examples
    --------
    >>> import torch
    >>> config = trine.ModelConfig(hidden=64, embedding=32, vocab_size=65, cell_shift=2, output_shift=1)
    >>> network = TernaryLanguageModel(config, CellOptions())
    >>> tokens = torch.zeros(10, 3, dtype=torch.int64)
    >>> logits, state, h = network(tokens, network.initial_state(3))
    >>> logits.shape, h.shape
    (torch.Size([10, 3, 65]), torch.Size([10, 3, 64]))
    """

    head_table: Tensor
    head_mapped: Tensor

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
        one_threshold: bool = False,
        states: States = TRITS,
    ) -> None:
        super().__init__(config, dropout, head_dropout, locked)
        self.embedding_factor, self.head_kind, self.frozen = embedding_factor, head, False
        self.one_threshold, self.states = one_threshold, states
        # u is as large as its last level at once: a float head of larger weights is mostly noise at first,
        # against which cells learn to be silent. Of a ternary head only the weights' order counts.
        deviation = 0.05 if head == "ternary" else 0.005
        of_embedding = deviation if tied else 0.1
        self.embedding = nn.Parameter(torch.randn(config.vocab_size, config.embedding) * of_embedding)
        for number in range(config.layers):
            self.add_module(
                _layer_name(config, number), ternary_layer(config.of_layer(number), options, self.states)
            )
        weights = torch.randn(config.vocab_size, config.hidden) * deviation
        self.head = None if tied else nn.Parameter(weights)
        self.head_bias = nn.Parameter(torch.zeros(config.vocab_size))  # nats
        self.log_head_scale = nn.Parameter(torch.tensor(0.1).log()) if head == "ternary" else None
        self.mapped_until = 0.0

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
        return embedding_values(self.embedding, self.embedding_factor, self.states)

    def head_integers(self, words: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Of a ternary head: trits (V, H), bias (V,) in integers, and the scale that makes nats of logits."""
        assert self.log_head_scale is not None
        scale = self.log_head_scale.exp()
        weight, bias = self._head_of(words)
        if self.one_threshold:
            trits = ttq(weight, threshold=self._head_threshold())
        else:
            trits = ttq(weight)
        return trits, round_straight_through(bias / scale), scale

    @torch.no_grad()
    def set_head_rows(self, words: Tensor, trits: Tensor, bias: Tensor) -> None:
        """Give these words' rows of a head of one threshold these trits (R, H) and bias (R,) in nats.

        Weights that are on the right side of the threshold stay, and so can learn; the others come to lie a
        little beyond it. It is a mean of them all, and so moves with them. Raises :class:`TrineError` where
        it comes to no rest.
        """
        assert self.one_threshold and self.head is not None
        self.head_bias[words] = bias
        weight = self.head[words]
        for _ in range(_TRIES):
            made = self.head_integers(words)[0]
            if torch.equal(made, trits):
                return
            threshold = self._head_threshold()
            below, above = threshold * (1 - _BESIDE), trits * threshold * (1 + _BESIDE)
            beside = torch.where(trits == 0, weight.clamp(-below, below), above)
            self.head[words] = weight = torch.where(made == trits, weight, beside)
        raise TrineError("the rows of the head do not come to rest at their trits; train it without rounding")

    def _head_threshold(self) -> Tensor:
        """The threshold () of all rows of a head of one."""
        weight = self._head_of(None)[0].detach()
        return HEAD_FACTOR * weight.abs().mean(dtype=torch.float64).to(weight.dtype)

    def head_in_nats(self, words: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if self.head_kind == "float":
            return self._head_of(words)
        weight, bias, scale = self.head_integers(words)
        return weight * scale, bias * scale

    @torch.no_grad()
    def map_head(self, table: Tensor, until: float) -> None:
        """Train a map (H, H) of a table (V, H), whose product is the float head, instead of its weights.

        From the share ``until`` of the updates on (:meth:`harden`) the weights are trained, beginning with
        the product. Evaluation reads the weights, which :meth:`settle` keeps up with it before that.
        """
        assert self.head is not None and self.head_kind == "float"
        self.head_is_mapped, self.mapped_until = True, until
        self.register_buffer("head_table", table.detach().clone())
        self.head_map = nn.Parameter(torch.eye(self.config.hidden) / self.config.head_levels[-1])
        self.register_buffer("head_mapped", torch.tensor(True))  # a resumed run may be beyond it
        self.settle()

    @torch.no_grad()
    def settle(self) -> None:
        if self.head_is_mapped and self.head_mapped:
            assert self.head is not None
            self.head.copy_(self.head_table @ self.head_map)

    def _head_of(self, words: Tensor | None) -> tuple[Tensor, Tensor]:
        """Real weight and bias of the head, or of these words."""
        if self.head_is_mapped and self.training:
            table, bias = self.head_table, self.head_bias
            table, bias = (table, bias) if words is None else (table[words], bias[words])
            return table @ self.head_map, bias
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
        if self.head_is_mapped and share >= self.mapped_until:
            self.settle()
            self.head_mapped.fill_(False)
            self.head_is_mapped = False

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
        trits = embedding_values(rows, self.embedding_factor, self.states)
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
            after = (*after, *(part.detach() for part in last))  # training cuts streams into windows
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
