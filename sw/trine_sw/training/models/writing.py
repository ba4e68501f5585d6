"""Text that float models write: each word is drawn by their probabilities of what follows those before it."""

import torch
from torch import Tensor

from trine_sw.support.arithmetic import ceil_div
from trine_sw.training.models.teachers import Teachers

__all__ = ["write_text"]

_PIECE = 500
"""Words that are written at a stretch; pieces are written side by side, as many as there are."""

_AT_ONCE = 96
"""Pieces whose probabilities are made at once, so that they stay in a processor's cache."""


@torch.no_grad()
def write_text(teachers: Teachers, text: Tensor, words: int, seed: int) -> Tensor:
    """Words (words,) that the models of the teachers write, by the mean of their probabilities.

    The text is made of pieces of up to 500 words, each of which begins, from the state before any word, with
    a word drawn from ``text`` (T,). N-grams have no part in it. The same seed gives the same words, on the
    same machine.

    >>> from trine_sw.training.models.float_model import FloatLanguageModel
    >>> config = trine.ModelConfig(hidden=8, embedding=8, vocab_size=5)
    >>> teachers = Teachers([FloatLanguageModel(config).eval()])
    >>> written = write_text(teachers, torch.tensor([0, 1, 2]), 1200, seed=1)
    >>> written.shape, written.dtype, int(written.max()) < 5
    (torch.Size([1200]), torch.int64, True)
    """
    pieces = ceil_div(words, _PIECE)
    length = ceil_div(words, pieces)
    draw = torch.Generator(text.device).manual_seed(seed)
    first = torch.randint(len(text), (pieces,), generator=draw, device=text.device)
    made, state = [text[first].long()], teachers.initial_state(pieces)
    while len(made) < length:
        reading, state = teachers.read(made[-1].unsqueeze(0), state)
        drawn = torch.rand((pieces, 1), generator=draw, device=text.device)
        next_words = []
        for start in range(0, pieces, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            reach = teachers.mean(reading, part).cumsum(dim=-1)
            found = torch.searchsorted(reach, drawn[part] * reach[:, -1:], right=True)
            # A number drawn may be rounded up to the sum of all, beyond which there is no word.
            next_words.append(found.squeeze(1).clamp_max(reach.shape[1] - 1))
        made.append(torch.cat(next_words))
    return torch.stack(made, dim=1).flatten()[:words]
