"""The choice of an engine for a model on a chip, and what it costs."""

from trine_sw.engine.placement import Placement
from trine_sw.fit.placement import DoesNotFit
from trine_sw.fit.solver import (
    Fit,
    balance_banks,
    configure,
    estimate,
    fit,
    fits,
    sample_text,
    sample_tokens,
    shortage,
)

__all__ = [
    "DoesNotFit",
    "Fit",
    "Placement",
    "balance_banks",
    "configure",
    "estimate",
    "fit",
    "fits",
    "sample_text",
    "sample_tokens",
    "shortage",
]
