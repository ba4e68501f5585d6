"""Random models: for tests, and for engines whose speed depends on activity alone."""

from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trine_sw.model import Layer, Model, ModelConfig
from trine_sw.support.checks import integer, share, shown
from trine_sw.support.errors import TrineError

__all__ = ["random_model"]

#: Of sums beyond a threshold: a normal distribution has none that nothing exceeds.
_LEAST_SHARE = 1e-6
_MOST_SEED = 2**64 - 1
_PRINTABLE = "\n" + "".join(map(chr, range(32, 127)))


def random_model(
    config: ModelConfig,
    *,
    seed: int,
    density: float = 0.5,
    activity: float = 0.3,
    threshold: Literal["typical", "extreme"] = "typical",
    three_state_forget: bool = True,
) -> Model:
    """A random model, the same for the same arguments. Raises :exc:`TrineError` for one that is out of range.

    Parameters
    ----------
    seed : from 0 to 2^64 - 1.
    density : share of the weights that are not 0.
    activity : share of x that is not 0, and, roughly, of h in the ``"typical"`` mode.
    threshold : ``"typical"`` puts thresholds at quantiles of the sums. ``"extreme"`` mixes these with
        thresholds at and beyond the reach of the sums and at the ends of int32, and has rows and columns of
        zeros, tokens of all-zero vectors, and cells that saturate.
    three_state_forget : forget gates of {0, 1/2, 1}; otherwise of {0, 1}.
    """
    if not isinstance(config, ModelConfig):
        raise TrineError(f"the config must be a ModelConfig, not {shown(config)}")
    if not isinstance(threshold, str) or threshold not in ("typical", "extreme"):
        raise TrineError(f"threshold must be 'typical' or 'extreme', not {shown(threshold)}")
    seed = integer(seed, "the seed", 0, _MOST_SEED)
    density, activity = share(density, "the density"), share(activity, "the activity")
    rng = np.random.default_rng(seed)
    size = config.hidden
    extreme = threshold == "extreme"
    embedding, layers = None, []
    for number in range(config.layers):
        of_layer = config.of_layer(number)
        weight = _random_trits(rng, (of_layer.rows, of_layer.columns), density)
        if number == 0:
            embedding = _random_trits(rng, (config.vocab_size, config.embedding), activity)
        bounds = _THRESHOLDS[config.cell](rng, of_layer, density, activity)
        if extreme:
            _make_extreme(rng, of_layer, weight, embedding if number == 0 else None, bounds)
        layers.append(_layer(of_layer, weight, bounds, three_state_forget))
    bias_reach = size * config.head_levels[-1] if extreme else max(1, round(size**0.5))
    return Model(
        config=config,
        layers=layers,
        embedding_weight=embedding,
        head_weight=_random_trits(rng, (config.vocab_size, size), density),
        head_bias=rng.integers(-bias_reach, bias_reach + 1, config.vocab_size).astype(np.int32),
        head_scale=0.125,
        vocabulary=list(_PRINTABLE[: config.vocab_size]) if config.vocab_size <= len(_PRINTABLE) else None,
        training={"weights": "random", "seed": seed},
    )


def _layer(
    config: ModelConfig, weight: NDArray[np.int8], bounds: NDArray[np.int64], three_state_forget: bool
) -> Layer:
    """A layer with these thresholds (gates, H, 2), where the model file has them, and zeros where it must."""
    spec, split = config.spec, config.embedding
    single = spec.of_kind("switch")
    for gate in single if three_state_forget else (*single, spec.blend):
        bounds[gate, :, 0] = bounds[gate, :, 1]
    reset = None
    if spec.has_reset:
        by_gate = weight.reshape(spec.rows, config.hidden, -1)
        for number, gate in enumerate(spec.gates):
            if gate.columns == "x":
                by_gate[number, :, split:] = 0
            elif gate.columns == "h":
                by_gate[number, :, :split] = 0
        (free,) = spec.of_kind(None)  # where those without h have been drawn
        reset = bounds[free].astype(np.int32)
        bounds[free] = 0
    return Layer(weight, bounds.reshape(config.rows, 2).astype(np.int32), reset)


def _make_extreme(
    rng: np.random.Generator,
    config: ModelConfig,
    weight: NDArray[np.int8],
    embedding: NDArray[np.int8] | None,
    bounds: NDArray[np.int64],
) -> None:
    """Empty rows, columns and vectors; thresholds (gates, H, 2) at every edge; cells that step one way."""
    spec, reach = config.spec, config.columns
    for axis in (0, 1):
        empty = rng.random(weight.shape[axis]) < 0.1
        empty[0] |= len(empty) > 4
        weight[empty if axis == 0 else (slice(None), empty)] = 0
    if embedding is not None:
        embedding[rng.random(config.vocab_size) < 0.1] = 0
    ends, near = (1 << 31) - 1, (reach - 1, reach, reach + 1)
    edges = np.array([-ends - 1, *(-edge for edge in near), 0, *near, ends])
    bounds[...] = np.where(rng.random(bounds.shape) < 0.3, rng.choice(edges, bounds.shape), bounds)
    bounds[spec.blend].sort(axis=-1)
    steady = rng.random(config.hidden) < 0.1
    one_way = rng.choice([[-reach - 1, -reach], [reach, reach + 1]], int(steady.sum()))
    if spec.saturates:  # the switches are on, all of the state is kept
        bounds[[*spec.of_kind("switch")[:1], spec.blend], steady.nonzero()[0][:, None]] = -reach
    else:  # half of the state is kept
        bounds[spec.blend, steady] = [-reach, reach + 1]
    for gate in (spec.candidate, *spec.of_kind(None)):
        bounds[gate, steady] = one_way


def _random_trits(rng: np.random.Generator, shape: tuple[int, ...], density: float) -> NDArray[np.int8]:
    signs = rng.integers(0, 2, shape, dtype=np.int8) * 2 - 1
    return np.where(rng.random(shape) < density, signs, 0).astype(np.int8)


def _lstm_thresholds(
    rng: np.random.Generator, config: ModelConfig, density: float, activity: float
) -> NDArray[np.int64]:
    """Thresholds (gates, H, 2) at normal quantiles of the sums, scattered a little from row to row.

    A sum is above ``-sums.inv_cdf(share)`` in that share of the cases.
    """
    sums = _normal(density * activity * config.columns)
    open_share = min(max(activity / 0.65, _LEAST_SHARE), 0.98)  # about a third of the cells are at 0
    i, o, g = -sums.inv_cdf(0.6), -sums.inv_cdf(open_share), -sums.inv_cdf(0.35)
    centres = [(i, i), (-sums.inv_cdf(0.85), -sums.inv_cdf(0.6)), (-g, g), (o, o)]
    return _scattered(rng, config, centres, sums.stdev)


def _gru_thresholds(
    rng: np.random.Generator, config: ModelConfig, density: float, activity: float
) -> NDArray[np.int64]:
    """The same of z, r, n where r = 1, and n where r = 0, whose sums have x's columns alone."""
    sums, of_n = _candidate(config, density, activity)
    r = -sums.inv_cdf(0.6)
    centres = [(-sums.inv_cdf(0.75), -sums.inv_cdf(0.4)), (r, r), *of_n]
    return _scattered(rng, config, centres, sums.stdev)


def _mgu_thresholds(
    rng: np.random.Generator, config: ModelConfig, density: float, activity: float
) -> NDArray[np.int64]:
    """The same of f, which takes as often as a GRU's z does not keep, and of n with h and without."""
    sums, of_n = _candidate(config, density, activity)
    return _scattered(rng, config, [(-sums.inv_cdf(0.6), -sums.inv_cdf(0.25)), *of_n], sums.stdev)


def _candidate(
    config: ModelConfig, density: float, activity: float
) -> tuple[NormalDist, list[tuple[float, float]]]:
    """The sums of all columns, and thresholds of n with h and without, whose sums have x's columns alone."""
    sums, sums_x = (_normal(density * activity * columns) for columns in (config.columns, config.embedding))
    # Share of n that is not 0; measured, with these z.
    busy = min(max(1.65 * activity, _LEAST_SHARE), 0.98)
    n, n_x = -sums.inv_cdf(busy / 2), -sums_x.inv_cdf(busy / 2)
    return sums, [(-n, n), (-n_x, n_x)]


def _normal(variance: float) -> NormalDist:
    return NormalDist(0, max(variance, 0.25) ** 0.5)


def _scattered(
    rng: np.random.Generator, config: ModelConfig, centres: list[tuple[float, float]], deviation: float
) -> NDArray[np.int64]:
    scatter = rng.normal(0, 0.3 * deviation, (len(centres), config.hidden, 1))
    bounds = np.ceil(np.array(centres)[:, None, :] + scatter).astype(np.int64)
    bounds[..., 1] = np.maximum(bounds[..., 0], bounds[..., 1])
    return bounds


#: What draws the thresholds of each kind of cell; of cells with ``threshold_reset``, they stand
#: at the gate that has no thresholds.
_THRESHOLDS = {"lstm": _lstm_thresholds, "gru": _gru_thresholds, "mgu": _mgu_thresholds}
