"""Validation of a model in training, on its own device."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trine_sw.training.models.roles import AnyModel
from trine_sw.training.models.ternary_model import TernaryLanguageModel

__all__ = ["predicted", "validate"]

_LOGITS = 1 << 24  # that are made at once
_STREAMS = 32  # for the choice of an epoch; the figure that is recorded has one stream
_LOGITS_OF_CHOICE = 1 << 30  # that decide it: all of Penn Treebank's


def validate(model: AnyModel, tokens: NDArray[np.integer]) -> tuple[float, dict[str, float]]:
    """Nats a token of a text (T,), cut into streams; and a ternary model's activities.

    With a very large vocabulary, of the text's beginning: this chooses an epoch, and is no figure.
    """
    length = min(len(tokens), _LOGITS_OF_CHOICE // model.config.vocab_size) // _STREAMS
    if length < 2:  # too short to be cut
        return predicted(model, tokens[:, None])
    return predicted(model, tokens[: length * _STREAMS].reshape(_STREAMS, length).T)


@torch.no_grad()
def predicted(model: AnyModel, tokens: NDArray[np.integer]) -> tuple[float, dict[str, float]]:
    """Nats a token of tokens (T, N) of N streams, state carried on; and a ternary model's activities.

    The model is in evaluation mode, in which a ternary one's h and c are those of the golden model, on a CPU;
    on a GPU see docs/training.md. Its activities are the shares of columns of x and of h that are active
    (``active_x``, ``active_h``), and of h's that differ from the step before (``changed_h``).
    """
    model.eval()
    weight, bias = model.head_in_nats()
    given = torch.from_numpy(np.ascontiguousarray(tokens, dtype=np.int64)).to(weight.device)
    state, before = model.initial_state(given.shape[1]), None
    nats = active = changed = torch.zeros((), dtype=torch.float64, device=weight.device)
    steps = max(1, _LOGITS // (model.config.vocab_size * given.shape[1]))
    with torch.backends.cudnn.flags(allow_tf32=False):
        for start in range(0, len(given) - 1, steps):
            part = given[start : start + steps + 1]
            u, state, h = model.features(part[:-1], state)
            logits = (u.flatten(0, 1) @ weight.T + bias).double()
            nats = nats + nn.functional.cross_entropy(logits, part[1:].flatten(), reduction="sum")
            earlier = torch.cat([torch.zeros_like(h[:1]) if before is None else before, h[:-1]])
            active = active + h.count_nonzero()
            changed = changed + (h != earlier).sum()
            before = h[-1:]
    predictions = given[1:].numel()
    if not isinstance(model, TernaryLanguageModel):
        return nats.item() / predictions, {}
    cells = predictions * model.config.cells
    return nats.item() / predictions, {
        "active_x": _activity(model.embedding_trits(), given),
        "active_h": active.item() / cells,
        "changed_h": changed.item() / cells,
    }


def _activity(trits: Tensor, tokens: Tensor) -> float:
    """Share of the columns of x that the tokens (T, N) make active."""
    return trits.ne(0).double().mean(dim=1)[tokens].mean().item()
