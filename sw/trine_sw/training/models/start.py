"""A ternary language model that starts from a finished one: real numbers behind the trits of a model file."""

import math

import torch
from torch import Tensor

from trine_sw.model import Layer, Model
from trine_sw.model.config import ModelConfig
from trine_sw.support.errors import TrineError
from trine_sw.training.models.ternary_model import TernaryLanguageModel
from trine_sw.training.nn.layers import TernaryLayer
from trine_sw.training.nn.quantise import TTQ_FACTOR, mean_size, ttq

__all__ = ["check_fits", "largest_factor", "start_from"]

_SIZE = 0.1  # mean magnitude of the weights of a row
_SMALL = (
    0.45  # mean magnitude of the weights behind zeros, of the threshold: below half, so that all are below it
)
_CLEAR = 1.2  # least mean magnitude of the weights behind +1 and -1, of the threshold
_SPREAD = 0.6  # of what the latter are above the threshold


@torch.no_grad()
def start_from(model: TernaryLanguageModel, start: Model, vocabulary: list[str]) -> None:
    """Give ``model`` the trits, thresholds and head of a finished model.

    In evaluation it then computes what ``start`` does, where the arithmetic and ``options`` are those that it
    was trained with. What they leave open, how far a weight is from its threshold, is drawn. Rows of symbols
    that ``start`` does not have stay as they are.

    Parameters
    ----------
    model : before its first update.
    start : a language model of the same cell, layers and units.
    vocabulary : the symbols of ``model``.

    Raises
    ------
    TrineError
        If it is of another shape, or lacks what the model is to begin with.
    """
    check_fits(model.config, start, vocabulary)
    assert start.embedding_weight is not None and start.vocabulary is not None
    places = {symbol: number for number, symbol in enumerate(start.vocabulary)}
    shared = [(number, places[symbol]) for number, symbol in enumerate(vocabulary) if symbol in places]
    own, theirs = (torch.tensor(numbers) for numbers in zip(*shared, strict=True))
    trits = torch.from_numpy(start.embedding_weight).float()[theirs]
    model.embedding[own] = _behind(trits, model.embedding_factor)
    for layer, given in zip(model.stack, start.layers, strict=True):
        _start_layer(layer, given)
    if model.head is not None:
        _start_head(model, start, own, theirs)


def check_fits(config: ModelConfig, start: Model, vocabulary: list[str]) -> None:
    """Raise :class:`TrineError` where no model of this shape and these symbols can start from ``start``."""
    if start.task != "language" or start.embedding_weight is None or start.vocabulary is None:
        raise TrineError("a start must be a language model with its embedding and its vocabulary")
    if start.head_weight is None and start.host_head_weight is None:
        raise TrineError("a start must have a head, and this one has none")
    given = start.config
    wanted = (config.cell, config.layers, config.hidden, config.embedding)
    if (given.cell, given.layers, given.hidden, given.embedding) != wanted:
        raise TrineError(
            f"the start has {_shape(given)}, and the recipe {_shape(config)}: choose one of the same shape"
        )
    if not set(vocabulary) & set(start.vocabulary):
        raise TrineError("the start knows none of the text's symbols")


def _shape(config: ModelConfig) -> str:
    return (
        f"{config.layers} {config.cell.upper()} layer{'s' * (config.layers > 1)} of {config.hidden} units "
        f"and {config.embedding} trits of embedding"
    )


def largest_factor(share: float) -> float:
    """The largest embedding_factor with which a row may have this share of its trits not 0."""
    return math.floor(100 / (_CLEAR * max(share, 1e-2))) / 100


def _behind(trits: Tensor, factor: float) -> Tensor:
    """Weights (R, C) whose trits are these, by ``ttq`` with that factor.

    Of a row with the share p of its trits not 0, zeros have a mean magnitude of z thresholds and the others
    of a, with p a + (1 - p) z = 1 / factor, as the threshold is ``factor`` mean magnitudes.
    """
    share = trits.abs().mean(dim=1, keepdim=True)
    room = 1 / factor - _CLEAR * share
    if (room < 0).any():
        raise TrineError(
            f"a row of the start's embedding has more trits that are not 0 than embedding_factor {factor:g} "
            f"leaves: lower it to {largest_factor(float(share.max())):.2f}"
        )
    of_zeros = (room / (1 - share).clamp_min(1e-9)).clamp_max(_SMALL)
    of_others = (1 / factor - (1 - share) * of_zeros) / share.clamp_min(1e-9)
    drawn = 2 * torch.rand_like(trits) - 1
    spread = _SPREAD * (of_others - 1).clamp_max(1)
    sizes = torch.where(trits == 0, 2 * of_zeros * drawn.abs(), of_others + spread * drawn)
    even = torch.where(trits == 0, of_zeros, of_others)
    signs = torch.where(trits == 0, drawn.sign(), trits) * (share > 0)
    made, exact = (signs * each * (factor * _SIZE) for each in (sizes, even))
    same = (ttq(made, factor) == trits).all(dim=1, keepdim=True)
    return torch.where(same, made, exact)


def _start_layer(layer: TernaryLayer, given: Layer) -> None:
    spec, size = layer.config.spec, layer.config.hidden
    trits = torch.from_numpy(given.weight).float()
    bounds = torch.from_numpy(given.threshold).double()
    if spec.has_reset:  # nx and nh are one row here
        n_x, n_h = trits.chunk(spec.rows)[-2:]
        trits = torch.cat([trits[: -2 * size], n_x + n_h])
    layer.weight.copy_(_behind(trits, TTQ_FACTOR))
    scale = layer.quantised()[1].squeeze(1).double()
    biases = _biases(layer, scale, bounds)
    if given.threshold_reset is not None:  # of nx alone, and of nx and nh
        of_n = slice(spec.candidate * size, (spec.candidate + 1) * size)
        bounds[of_n] = torch.from_numpy(given.threshold_reset).double()
        *gates, both, _ = biases.chunk(spec.rows)
        alone = _biases(layer, scale, bounds)[of_n]
        biases = torch.cat([*gates, alone, both - alone])
    layer.bias.copy_(biases.float())


def _biases(layer: TernaryLayer, scale: Tensor, bounds: Tensor) -> Tensor:
    """Biases (rows,) in the middle of those that fold to thresholds (rows, 2)."""
    spec, size = layer.config.spec, layer.config.hidden
    low, high = bounds.unbind(1)
    upper = layer.high.double()
    least, most = upper - scale * high, upper - scale * (high - 1)
    for number, (gate, downward) in enumerate(((spec.blend, False), (spec.candidate, True))):
        rows = slice(gate * size, (gate + 1) * size)
        edge = layer.low.double().chunk(2)[number]
        first = low[rows] + 1 if downward else low[rows]
        floor, top = edge - scale[rows] * first, edge - scale[rows] * (first - 1)
        both = torch.maximum(least[rows], floor), torch.minimum(most[rows], top)
        apart = both[0] > both[1]  # of another scale: between the two
        between = (least[rows] + most[rows] + floor + top) / 4
        least[rows] = torch.where(apart, between, both[0])
        most[rows] = torch.where(apart, between, both[1])
    return (least + most) / 2


def _start_head(model: TernaryLanguageModel, start: Model, own: Tensor, theirs: Tensor) -> None:
    """The rows ``own`` of a head, from the rows ``theirs`` of the one of its kind, or of the other kind."""
    assert model.head is not None
    scale, size = model.log_head_scale, start.head_scale
    own_kind = start.host_head_weight is None or scale is not None
    if own_kind and start.head_weight is not None and start.head_bias is not None and size is not None:
        weight, bias = torch.from_numpy(start.head_weight).float(), torch.from_numpy(start.head_bias) * size
        if scale is None:
            weight = weight * size
        else:
            weight = _behind(weight, TTQ_FACTOR)
            scale.fill_(size).log_()
    else:
        assert start.host_head_weight is not None and start.host_head_bias is not None
        weight = torch.from_numpy(start.host_head_weight).float()
        bias = torch.from_numpy(start.host_head_bias)
        if scale is not None:
            scale.copy_(mean_size(weight, ttq(weight)).log())
    model.head[own] = weight[theirs]
    model.head_bias[own] = bias.float()[theirs]
