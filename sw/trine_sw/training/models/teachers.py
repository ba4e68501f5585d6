"""Teachers of a language model: the mean of float models, with an n-gram model mixed into it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from trine_sw.training.models.kneser_ney import KneserNey, WordShares
from trine_sw.training.models.language_model import LanguageModel, State, Teacher
from trine_sw.training.nn.head_loss import Mixture, Taught
from trine_sw.training.nn.recurrence import Numerics

__all__ = ["Reading", "Teachers"]


class Reading(NamedTuple):
    """What teachers make of (T, B) tokens."""

    u: tuple[Tensor, ...]
    """Of each model what its head sees, (T, B, F)."""
    ngram: WordShares | Tensor | None = None
    """The n-gram model's probabilities after the T·B tokens, where there is one; as a tensor (T·B, V)."""


class Teachers:
    """Trained models whose probabilities are averaged, and an n-gram model of the training text.

    It is no module: nothing of it is trained, or is part of what is.

    Parameters
    ----------
    models : at least one, in evaluation mode.
    ngram, ngram_share : the n-gram model and its share of the mixture, or none.

    Examples
    --------
    >>> from trine_sw.training.models.float_model import FloatLanguageModel
    >>> config = trine.ModelConfig(hidden=8, embedding=8, vocab_size=5)
    >>> teachers = Teachers([FloatLanguageModel(config).eval(), FloatLanguageModel(config).eval()])
    >>> tokens = torch.zeros(4, 3, dtype=torch.int64)
    >>> reading, state = teachers.read(tokens, teachers.initial_state(3))
    >>> len(reading.u), reading.u[0].shape
    (2, torch.Size([4, 3, 8]))
    """

    def __init__(
        self, models: Sequence[LanguageModel], ngram: KneserNey | None = None, ngram_share: float = 0.0
    ) -> None:
        self.models, self.ngram, self.ngram_share = tuple(models), ngram, ngram_share

    def to(self, device: torch.device) -> Teachers:
        """Compute on that device."""
        models = [model.to(device) for model in self.models]
        return Teachers(models, self.ngram and self.ngram.to(device), self.ngram_share)

    def compute_by(self, numerics: Numerics) -> None:
        """Evaluate the models with these numerics, where they can."""
        for model in self.models:
            model.teach_by(numerics)

    def initial_state(self, streams: int) -> State:
        """The states of all models before the first token of B streams."""
        return tuple(part for model in self.models for part in model.initial_state(streams))

    @torch.no_grad()
    def read(
        self, tokens: Tensor, state: State, ngram: WordShares | Tensor | None = None
    ) -> tuple[Reading, State]:
        """What the models make of tokens (T, B), and their states after them."""
        seen, after = [], ()
        for model in self.models:
            size = len(model.initial_state(1))
            u, own, _ = model.features(tokens, state[:size])
            state, after = state[size:], (*after, *own)
            seen.append(u)
        return Reading(tuple(seen), ngram), after

    def no_history(self, streams: int) -> State:
        """The words before the first token, as they are read and as the text has them; () without n-grams."""
        return () if self.ngram is None else (self.ngram.no_history(streams),) * 2

    @torch.no_grad()
    def look_up(
        self, tokens: Tensor, text: Tensor, targets: Tensor, history: State
    ) -> tuple[WordShares | None, State]:
        """The n-gram model's probabilities after tokens (T, B), and the history after these.

        Parameters
        ----------
        tokens, text, targets : what is read, what the training text has there, and what it has next.
        history : of both, as :meth:`no_history` gives it at the beginning.
        """
        if self.ngram is None:
            return None, ()
        read, real = history
        contexts = self.ngram.contexts(tokens, read)
        same = tokens is text
        of_text = contexts if same else self.ngram.contexts(text, real)
        found = self.ngram.shares(contexts, targets.flatten(), of_text)
        return found, (self.ngram.history(tokens, read), self.ngram.history(text, real))

    def mean(self, reading: Reading, part: slice) -> Tensor:
        """The mean of the models' probabilities after n of T·B tokens, without n-grams, (n, V) float32."""
        outputs = []
        for model, u in zip(self.models, reading.u, strict=True):
            outputs.append(Taught(u.flatten(0, 1), *model.head_in_nats()))
        return Mixture(tuple(outputs)).probabilities(part, Numerics())

    def of(self, reading: Reading) -> Teacher:
        """What a loss takes, of what was read."""
        return partial(self._taught, reading)

    def _taught(self, reading: Reading, words: Tensor | None, offset: Tensor | float) -> Taught | Mixture:
        outputs = []
        for model, u in zip(self.models, reading.u, strict=True):
            weight, bias = model.head_in_nats(words)
            outputs.append(Taught(u.flatten(0, 1), weight, bias + offset))
        if len(outputs) == 1 and reading.ngram is None:
            return outputs[0]
        others = reading.ngram
        if isinstance(others, WordShares):
            others = others.of(words)
        elif others is not None and words is not None:
            others = others[:, words]
        if others is not None and words is not None:  # candidates stand for all words, as in a softmax
            weighed = others * torch.as_tensor(offset, device=others.device).exp()
            others = weighed / weighed.sum(dim=1, keepdim=True).clamp_min(1e-30)
        return Mixture(tuple(outputs), others, self.ngram_share)
