"""How well a model in training predicts the validation text, computed on the CPU wherever it was trained."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from trine_sw.evaluate import measure_streams, negative_log_likelihood
from trine_sw.training.export import export
from trine_sw.training.float_model import FloatLanguageModel
from trine_sw.training.kinds import AnyModel

__all__ = ["float_nats", "validate"]

_LOGITS = 1 << 24  # that are made at once
_STREAMS = 32  # for the choice of an epoch; the figure that is recorded has one stream


def validate(
    model: AnyModel, vocabulary: Sequence[str], tokens: NDArray[np.integer]
) -> tuple[float, dict[str, float]]:
    """Nats a token of a text, cut into streams; and a ternary model's activities, by the golden model."""
    length = len(tokens) // _STREAMS
    streams = tokens[: length * _STREAMS].reshape(_STREAMS, length).T.astype(np.int64)
    model.eval()
    if isinstance(model, FloatLanguageModel):
        return float_nats(model, streams), {}
    return measure_streams(export(model, list(vocabulary), {}), streams)


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
