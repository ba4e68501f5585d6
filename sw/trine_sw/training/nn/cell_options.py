"""Options of how a ternary layer is trained."""

from dataclasses import dataclass, field
from typing import Any, get_args

from trine_sw.support.checks import finite_real, share, shown
from trine_sw.support.errors import TrineError
from trine_sw.training.nn.quantise import Scale

__all__ = ["CellOptions"]


@dataclass(frozen=True, kw_only=True)
class CellOptions:
    """How a ternary layer is trained.

    Parameters
    ----------
    scale : real number of a row of trits: TTQ's ``"alpha"``, or ``"norm"``, weight normalisation with a
        gain that is not trained.
    slope : lambda; the gates are sigmoid(lambda z) and tanh(lambda z).
    harden : shares of the updates between which training passes from the soft cell and real weights, x and h
        to what the hardware computes, of which ever more is mixed in (alpha-blending, Liu and Mattina, 2019);
        None: training computes that from the start.
    slope_first : lambda of the first epoch, from which it goes to ``slope`` in equal ratios; None for no such
        annealing.
    three_state_forget : forget gate, or a GRU's update gate, of {0, 1/2, 1}; otherwise of {0, 1}.
    bernoulli : training draws each gate at random, with the activation as its mean.
    window : width, in steps 2**r of the output, of the stretch of c about 0 through which h passes gradients.

    Examples
    --------
    >>> options = trine.nn.CellOptions(scale="norm", harden=(0.1, 0.5))
    >>> layer = trine.nn.TernaryLSTM(16, 64, options=options)
    """

    scale: Scale = "alpha"
    slope: float = 1.0
    three_state_forget: bool = True
    bernoulli: bool = False
    window: float = 2.0
    slope_first: float | None = field(default=None, metadata={"later": True})
    harden: tuple[float, float] | None = field(default=None, metadata={"later": True})

    def __post_init__(self) -> None:
        if not isinstance(self.scale, str) or self.scale not in get_args(Scale):
            raise TrineError(f"scale must be 'alpha' or 'norm', not {shown(self.scale)}")
        for name in ("slope", "window", "slope_first"):
            value = getattr(self, name)
            if not (name == "slope_first" and value is None) and not finite_real(value, name) > 0:
                raise TrineError(f"{name} must be above 0, not {shown(value)}")
        if self.harden is not None:
            begin, end = _shares(self.harden)
            if not begin < end:
                raise TrineError(f"harden must be two shares, the first below the second, not {begin}, {end}")


def _shares(harden: Any) -> tuple[float, float]:
    if not isinstance(harden, tuple | list) or len(harden) != 2:
        raise TrineError(
            f"harden must be two shares of the updates, such as (0.05, 0.3), not {shown(harden)}"
        )
    return share(harden[0], "harden"), share(harden[1], "harden")
