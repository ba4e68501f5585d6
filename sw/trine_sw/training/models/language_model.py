"""Language models of characters or words: what the ternary one and the float one have in common."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from trine_sw.model.config import ModelConfig
from trine_sw.training.nn.head_loss import Mixture, Taught, head_loss
from trine_sw.training.nn.recurrence import Numerics
from trine_sw.training.nn.regularised import locked_dropout
from trine_sw.training.nn.sampled_softmax import Sampler

__all__ = ["LanguageModel", "State", "Teacher"]

State = tuple[Tensor, ...]


Teacher = Callable[[Tensor | None, Tensor | float], Taught | Mixture]
"""What teachers say of the tokens of a loss, of all words or of some, with what is added to their logits."""


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
        self.head_is_mapped = False  # see TernaryLanguageModel.map_head
        self.sampler: Sampler | None = None  # in training; evaluation is always over all words

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

    def settle(self) -> None:
        """Bring all that evaluation reads up to date with what training has changed."""

    def initial_state(self, streams: int) -> State:
        """The state of B streams before the first token."""
        raise NotImplementedError

    def loss(
        self,
        tokens: Tensor,
        targets: Tensor,
        state: State,
        teacher: Teacher | None = None,
        share: float | Tensor = 0.0,
    ) -> tuple[Tensor, Tensor, State, Tensor]:
        """Loss to be minimised and loss in nats a token (:func:`head_loss`), the state after, and h."""
        u, state, h = self.features(tokens, state)
        flat, words, offset = targets.flatten().long(), None, 0.0
        if self.sampler is not None and self.training:
            words, offset, flat = self.sampler.draw(flat)
        weight, bias = self.head_in_nats(words)
        taught = teacher and teacher(words, offset)
        loss = head_loss(u.flatten(0, 1), weight, bias + offset, flat, self.numerics, taught, share)
        return *loss, state, h

    def compute_by(self, numerics: Numerics) -> None:
        """Train with these numerics."""
        self.numerics = numerics

    def teach_by(self, numerics: Numerics) -> None:
        """Evaluate with these numerics, where it can: what is learned from a model does not ask for
        float32."""

    def dropped(self, x: Tensor, share: float) -> Tensor:
        """x (T, B, F), this share of it dropped in training."""
        if not (self.locked and self.training and share):
            return nn.functional.dropout(x, share, self.training)
        return locked_dropout(x, share)
