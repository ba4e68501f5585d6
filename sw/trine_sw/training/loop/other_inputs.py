"""Inputs of a training step that are not the training text: words drawn by their frequency, or written text.

A model then sees contexts which its teacher has not learnt by heart.
"""

import torch
from torch import Tensor

__all__ = ["OtherInputs"]


class OtherInputs:
    """Replaces inputs, and says which of them are not the training text.

    Parameters
    ----------
    text : (T,), the training text, of which words are drawn.
    share : probability that an input is replaced by one of these.
    written : (B,) bool, the streams whose text is written by a teacher.
    """

    def __init__(self, text: Tensor, share: float, written: Tensor) -> None:
        self._text, self.share, self._written = text, share, written

    def __call__(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs (T, B) with some replaced; what the training text has there, -1 where it has nothing; and
        which are not the text's, (T, B) bool."""
        replaced = torch.rand(inputs.shape, device=inputs.device) < self.share
        drawn = self._text[torch.randint(len(self._text), inputs.shape, device=inputs.device)]
        text = torch.where(self._written, -1, inputs.long())
        return torch.where(replaced, drawn.to(inputs.dtype), inputs), text, replaced | self._written
