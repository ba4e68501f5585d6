"""Random models: for tests, and for engines whose speed depends on activity alone."""

from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trine_sw.model import Layer, Model, ModelConfig

__all__ = ["random_model"]

_PRINTABLE = "\n" + "".join(map(chr, range(32, 127)))
_NORMAL = NormalDist()


def random_model(
    config: ModelConfig,
    *,
    seed: int,
    density: float = 0.5,
    activity: float = 0.3,
    threshold: Literal["typical", "extreme"] = "typical",
    three_state_forget: bool = True,
) -> Model:
    """A random model, the same for the same arguments.

    Parameters
    ----------
    density : share of the weights that are not 0.
    activity : share of x that is not 0, and, roughly, of h in the ``"typical"`` mode.
    threshold : ``"typical"`` puts thresholds at quantiles of the sums. ``"extreme"`` mixes these with
        thresholds at and beyond the reach of the sums and at the ends of int32, and has rows and columns of
        zeros, tokens of all-zero vectors, and cells that saturate.
    three_state_forget : forget gates of {0, 1/2, 1}; otherwise of {0, 1}.
    """
    rng = np.random.default_rng(seed)
    size, reach = config.hidden, config.columns
    extreme = threshold == "extreme"
    weight = _random_trits(rng, (config.rows, reach), density)
    embedding = _random_trits(rng, (config.vocab_size, config.embedding), activity)
    bounds = _typical_thresholds(rng, config, density, activity)
    if extreme:
        for axis in (0, 1):
            empty = rng.random(weight.shape[axis]) < 0.1
            empty[0] |= len(empty) > 4
            weight[empty if axis == 0 else (slice(None), empty)] = 0
        embedding[rng.random(config.vocab_size) < 0.1] = 0
        ends, near = (1 << 31) - 1, (reach - 1, reach, reach + 1)
        edges = np.array([-ends - 1, *(-edge for edge in near), 0, *near, ends])
        bounds = np.where(rng.random(bounds.shape) < 0.3, rng.choice(edges, bounds.shape), bounds)
        bounds[1].sort(axis=-1)
        saturating = rng.random(size) < 0.1  # steps in one direction for ever
        bounds[0, saturating], bounds[1, saturating] = -reach, -reach
        bounds[2, saturating] = rng.choice([[-reach - 1, -reach], [reach, reach + 1]], int(saturating.sum()))
    bounds[[0, 3], :, 0] = bounds[[0, 3], :, 1]
    if not three_state_forget:
        bounds[1, :, 0] = bounds[1, :, 1]
    bias_reach = size * config.head_levels[-1] if extreme else max(1, round(size**0.5))
    return Model(
        config=config,
        layers=[Layer(weight, bounds.reshape(config.rows, 2).astype(np.int32))],
        embedding_weight=embedding,
        head_weight=_random_trits(rng, (config.vocab_size, size), density),
        head_bias=rng.integers(-bias_reach, bias_reach + 1, config.vocab_size).astype(np.int32),
        head_scale=0.125,
        vocabulary=list(_PRINTABLE[: config.vocab_size]) if config.vocab_size <= len(_PRINTABLE) else None,
        training={"data set": "none: random weights", "seed": seed},
    )


def _random_trits(rng: np.random.Generator, shape: tuple[int, ...], density: float) -> NDArray[np.int8]:
    signs = rng.integers(0, 2, shape, dtype=np.int8) * 2 - 1
    return np.where(rng.random(shape) < density, signs, 0).astype(np.int8)


def _typical_thresholds(
    rng: np.random.Generator, config: ModelConfig, density: float, activity: float
) -> NDArray[np.int64]:
    """Thresholds (4, H, 2) at normal quantiles of the sums, scattered a little from row to row."""
    deviation = max(density * activity * config.columns, 0.25) ** 0.5

    def above(share: float) -> float:
        return deviation * _NORMAL.inv_cdf(1 - share)

    open_share = min(activity / 0.65, 0.98)  # about a third of the cells are at 0
    i, o, g = above(0.6), above(open_share), above(0.35)
    centres = [(i, i), (above(0.85), above(0.6)), (-g, g), (o, o)]
    scatter = rng.normal(0, 0.3 * deviation, (4, config.hidden, 1))
    bounds = np.ceil(np.array(centres)[:, None, :] + scatter).astype(np.int64)
    bounds[..., 1] = np.maximum(bounds[..., 0], bounds[..., 1])
    return bounds
