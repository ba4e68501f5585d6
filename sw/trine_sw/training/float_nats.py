"""How well a float model predicts, computed on the CPU wherever it was trained."""

import copy

import numpy as np
import torch
from numpy.typing import NDArray

from trine_sw.evaluate import negative_log_likelihood
from trine_sw.training.float_model import FloatLanguageModel

__all__ = ["float_nats"]

_LOGITS = 1 << 24  # that are made at once


@torch.no_grad()
def float_nats(model: FloatLanguageModel, tokens: NDArray[np.integer]) -> float:
    """Nats a token of tokens (T, N), state carried on."""
    if model.head.weight.device.type != "cpu":
        model = copy.deepcopy(model).cpu()
    model.eval()
    state, losses = model.initial_state(tokens.shape[1]), []
    steps = max(1, _LOGITS // (model.config.vocab_size * tokens.shape[1]))
    for start in range(0, len(tokens) - 1, steps):
        part = tokens[start : start + steps + 1]
        logits, state, _ = model(torch.from_numpy(part[:-1].copy()), state)
        losses.append(negative_log_likelihood(logits.numpy(), part[1:].astype(np.int64)))
    return float(np.concatenate(losses).mean())
