"""The engine that computes a model where no chip limits it."""

from trine_sw.engine.config import EngineConfig
from trine_sw.model import Model
from trine_sw.support.arithmetic import ceil_div

__all__ = ["default_engine"]

_BANKS, _WAYS = 3, 2
#: Symbols of a vocabulary whose embedding and head a board may be expected to hold.
_ON_BOARD = 4096


def default_engine(model: Model, lanes: int | None = None, banks: int | None = None) -> EngineConfig:
    """A lane for every row, three banks, and on the board what the model file holds of a small vocabulary.

    ``lanes`` and ``banks`` are taken instead where they are given.

    A model with a float head has its ternary one on the host as well.
    """
    small = model.config.vocab_size <= _ON_BOARD
    head = model.config.vocab_size if small and model.heads == ("ternary",) else 0
    every_row = len(model.config.spec.lanes) * model.config.hidden + ceil_div(head, _WAYS) * _WAYS
    return EngineConfig(
        every_row if lanes is None else lanes,
        _BANKS if banks is None else banks,
        embedding="board" if small and model.embedding_weight is not None else "host",
        head="board" if head else "host",
        sampler_ways=_WAYS,
    )
