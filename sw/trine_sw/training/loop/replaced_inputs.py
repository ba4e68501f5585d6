"""Inputs of a training step of which some are replaced by words drawn by their frequency."""

import torch
from torch import Tensor

__all__ = ["ReplacedInputs"]


class ReplacedInputs:
    """Replaces inputs, so that a model sees contexts that its teacher has not learnt by heart.

    Parameters
    ----------
    text : (T,), the training text, of which words are drawn.
    share : probability that an input is replaced.
    """

    def __init__(self, text: Tensor, share: float) -> None:
        self._text, self.share = text, share

    def __call__(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs (T, B) with some replaced, and which, (T, B) bool."""
        replaced = torch.rand(inputs.shape, device=inputs.device) < self.share
        drawn = self._text[torch.randint(len(self._text), inputs.shape, device=inputs.device)]
        return torch.where(replaced, drawn.to(inputs.dtype), inputs), replaced
