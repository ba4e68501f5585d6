"""Weights and activations of two to seven values, for comparisons: what the engine runs has three of each."""

from dataclasses import dataclass

from torch import Tensor

from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError
from trine_sw.training.nn.quantise import levels_above, ttq

__all__ = ["TRITS", "States", "embedding_values", "weight_values"]

_WEIGHTS, _ACTIVATIONS = (2, 3, 5), (2, 3, 5, 7)

# Of normal weights with a step of 0.843 deviations, the best of five levels (Max, 1960), whose bounds are
# half a step and one and a half: over the mean magnitude, which is 0.798 deviations.
_FIVE = (0.53, 1.58)
# Of an embedding: the threshold of the first level is that of a trit, so that as many columns are active;
# with two values, which have no negative one, it is where as many normal numbers are above it as are beyond
# the threshold on both sides.
_FURTHER = (1.0, 1.5, 2.0)
_ONE_SIDED = 0.62


@dataclass(frozen=True, kw_only=True)
class States:
    """How many values weights and activations have.

    Parameters
    ----------
    weights : 2 (-1 and 1), 3, or 5 (-2 to 2).
    activations : of x and h: 2 (0 and 1), 3, 5 or 7 (-3 to 3).
    """

    weights: int = 3
    activations: int = 3

    def __post_init__(self) -> None:
        for name, known in (("weights", _WEIGHTS), ("activations", _ACTIVATIONS)):
            value = getattr(self, name)
            if isinstance(value, bool) or value not in known:
                raise TrineError(f"states of {name} must be one of {known}, not {shown(value)}")

    @property
    def signed(self) -> bool:
        """Whether activations have values below 0."""
        return self.activations > 2

    @property
    def largest(self) -> int:
        """The largest activation."""
        return max(1, self.activations // 2)


TRITS = States()
"""Three values of each, which is all that the engine runs."""


def weight_values(weight: Tensor, states: int) -> Tensor:
    """Integers of a weight matrix (rows, columns), of which so many are there. Straight-through gradient.

    >>> weight = torch.tensor([[0.9, -0.2, 0.1, -1.0]])
    >>> [weight_values(weight, states).tolist() for states in (2, 5)]
    [[[1.0, -1.0, 1.0, -1.0]], [[2.0, -0.0, 0.0, -2.0]]]
    """
    if states == 3:
        return ttq(weight)
    if states == 5:
        return levels_above(weight, _FIVE)
    return levels_above(weight, (0.0,), zero=1.0)


def embedding_values(weight: Tensor, factor: float, states: States) -> Tensor:
    """Integers of an embedding's rows (V, E), which are a layer's x. Straight-through gradient.

    >>> row = torch.tensor([[0.9, -0.2, 0.1, -1.0]])
    >>> [embedding_values(row, 1.4, States(activations=n)).tolist() for n in (2, 3, 5)]
    [[[1.0, 0.0, 0.0, 0.0]], [[1.0, -0.0, 0.0, -1.0]], [[1.0, -0.0, 0.0, -1.0]]]
    """
    if states.activations == 3:
        return ttq(weight, factor)
    if not states.signed:
        return levels_above(weight, (factor * _ONE_SIDED,), signed=False)
    return levels_above(weight, tuple(factor * further for further in _FURTHER[: states.largest]))
