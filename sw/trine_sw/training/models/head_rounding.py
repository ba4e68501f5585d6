"""Rounding of a float head's rows to trits by the effect of their errors on the loss.

Where a word's row is off by e, its loss grows by half of e·H·e, with H = mean of p(1-p)·u·u' over a text, p
what the float head gives the word (after Hassibi and Stork's Optimal Brain Surgeon, 1993). u's entries go
together, so that one weight's error can be made good by another's: weights become trits one after the other,
and those that are left move to meet it (GPTQ, Frantar et al., 2022). Then some sweeps give each trit its best
value beside the others. The bias, which is no trit, moves too.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch import Tensor

from trine_sw.training.models.language_model import LanguageModel
from trine_sw.training.models.ternary_model import TernaryLanguageModel
from trine_sw.training.nn.quantise import mean_size

__all__ = ["best_scale", "round_head", "round_rows"]

_STREAMS = 256  # that the text is cut into
_STEPS = 235  # of each stream, from which H is: 60,000 words
_ROWS = 50  # at once
_LOGITS = 1 << 24  # that are made at once
_SWEEPS = 6
_RIDGE = 1e-3  # of H's mean diagonal: what the text does not show is not free to change


@torch.no_grad()
def round_head(
    model: TernaryLanguageModel,
    trained: LanguageModel,
    text: NDArray[np.integer],
    rows: int,
    console: Console,
) -> None:
    """Choose a ternary head's scale, and its most frequent words' trits, by a float head and a text.

    The other rows keep what the threshold gives them: the loss of a word that is hardly seen is steep beyond
    H. Shows its progress; 1,000 rows take some minutes.

    Parameters
    ----------
    model : has a ternary head of one threshold, made of the float head.
    trained : the same model with the float head.
    text : (T,), at whose words, some of all parts, the loss is looked at.
    rows : how many.
    console : where progress is shown.

    Raises :class:`TrineError` where :meth:`TernaryLanguageModel.set_head_rows` does.
    """
    weight, bias = trained.head_in_nats()
    count = min(_STREAMS, len(text))
    length = len(text) // count
    streams = text[: length * count].reshape(count, length).T[:_STEPS]
    tokens = torch.from_numpy(np.ascontiguousarray(streams, dtype=np.int64)).to(weight.device)
    u = model.eval().features(tokens, model.initial_state(count))[0].flatten(0, 1)
    scale = best_scale(weight, bias, u, model.head_integers()[0])
    assert model.log_head_scale is not None
    model.log_head_scale.copy_(scale.log())
    counts = np.bincount(text, minlength=len(weight))
    words = torch.from_numpy(np.argsort(-counts, kind="stable")[:rows].copy()).to(weight.device)
    total = _log_sums(weight, bias, u)
    made = [
        round_rows(weight[part], bias[part], u, total, scale)
        for part in track(words.split(_ROWS), f"rounding {len(words)} rows of the head", console=console)
    ]
    model.set_head_rows(words, *(torch.cat(side) for side in zip(*made, strict=True)))


def best_scale(weight: Tensor, bias: Tensor, u: Tensor, trits: Tensor) -> Tensor:
    """The scale () with which trits (V, H) predict most like the float head, of some about the nearest to it.

    ``weight`` (V, H) and ``bias`` (V,) are the float head's, ``u`` (N, H) what it sees of a text.
    """
    nearest = mean_size(weight, trits)
    sample = u[:: max(1, len(u) // 4096)]
    scales = [nearest * share / 10 for share in range(6, 17)]
    costs = torch.zeros(len(scales), device=u.device)
    for part in sample.split(max(1, _LOGITS // len(weight))):
        wanted = (part @ weight.T + bias).softmax(dim=-1)
        sums = part @ trits.T
        costs += torch.stack(
            [-(wanted * (sums * scale + bias).log_softmax(dim=-1)).sum() for scale in scales]
        )
    return scales[int(costs.argmin())]


def round_rows(
    weight: Tensor, bias: Tensor, u: Tensor, total: Tensor, scale: Tensor
) -> tuple[Tensor, Tensor]:
    """Trits (R, H) and bias (R,) that stand, times the scale, for rows (R, H) and bias (R,) of a float head.

    ``u`` (N, H) is what the head sees of a text, and ``total`` (N,) the logsumexp of all its logits there.
    """
    seen = torch.cat([u, torch.ones_like(u[:, :1])], dim=1)  # the bias is the last weight of a row
    curvature = _curvature(seen, (u @ weight.T + bias - total.unsqueeze(1)).exp())
    wanted = torch.cat([weight, torch.zeros_like(bias).unsqueeze(1)], dim=1)
    order = curvature.diagonal(dim1=1, dim2=2)[:, :-1].mean(dim=0).argsort(descending=True)
    order = torch.cat([order, order.new_tensor([len(order)])])
    curvature, wanted = curvature[:, order][:, :, order], wanted[:, order]
    rounded = _descended(curvature, wanted, _one_by_one(curvature, wanted, scale), scale)
    back = rounded[:, order.argsort()]
    return (back[:, :-1] / scale).round(), bias + back[:, -1]


def _log_sums(weight: Tensor, bias: Tensor, u: Tensor) -> Tensor:
    """(N,) logarithms of the sums of the powers of all logits."""
    parts = u.split(max(1, _LOGITS // len(weight)))
    return torch.cat([(part @ weight.T + bias).logsumexp(dim=-1) for part in parts])


def _curvature(seen: Tensor, chances: Tensor) -> Tensor:
    """H (R, D, D) of rows that see (N, D) and have chances (N, R)."""
    made = seen.new_empty(chances.shape[1], seen.shape[1], seen.shape[1])
    for matrix, chance in zip(made, chances.T, strict=True):
        spread = chance * (1 - chance)
        matters = spread > 1e-4 * spread.max()  # of most words in most places, none
        some = seen[matters] * spread[matters].sqrt().unsqueeze(1)
        torch.mm(some.T, some, out=matrix)
    diagonal = made.diagonal(dim1=1, dim2=2)
    diagonal += _RIDGE * diagonal.mean(dim=1, keepdim=True) + torch.finfo(made.dtype).tiny
    return made


def _one_by_one(curvature: Tensor, wanted: Tensor, scale: Tensor) -> Tensor:
    """Rows (R, D) whose weights are rounded from the left, each error met by those to the right of it."""
    inverse = torch.linalg.inv(curvature.double())
    factor = torch.linalg.cholesky(inverse, upper=True).to(wanted)
    left, rounded = wanted.clone(), torch.zeros_like(wanted)
    for column in range(wanted.shape[1] - 1):
        rounded[:, column] = (left[:, column] / scale).round().clamp(-1, 1) * scale
        error = (left[:, column] - rounded[:, column]) / factor[:, column, column]
        left[:, column:] -= error.unsqueeze(1) * factor[:, column, column:]
    rounded[:, -1] = left[:, -1]
    return rounded


def _descended(curvature: Tensor, wanted: Tensor, rows: Tensor, scale: Tensor) -> Tensor:
    """The rows (R, D) after some sweeps in which each weight, and the bias, takes its best value."""
    rows = rows.clone()
    slope = torch.einsum("rij,rj->ri", curvature, rows - wanted)
    last = rows.shape[1] - 1
    for _ in range(_SWEEPS):
        for column in range(rows.shape[1]):
            best = rows[:, column] - slope[:, column] / curvature[:, column, column]
            if column != last:
                best = (best / scale).round().clamp(-1, 1) * scale
            change = best - rows[:, column]
            rows[:, column] = best
            slope += change.unsqueeze(1) * curvature[:, column]
    return rows
