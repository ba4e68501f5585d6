"""The engine that computes a model where no chip limits it."""

from trine_sw.engine.config import EngineConfig
from trine_sw.engine.placement import ANYWHERE, Placement
from trine_sw.model import Model
from trine_sw.support.arithmetic import ceil_div

__all__ = ["default_engine"]

_BANKS, _WAYS = 3, 2
#: Symbols of a vocabulary whose embedding and head a board may be expected to hold.
_ON_BOARD = 4096


def default_engine(
    model: Model, lanes: int | None = None, banks: int | None = None, placement: Placement = ANYWHERE
) -> EngineConfig:
    """A lane for every row, three banks, and on the board what the model file holds of a small vocabulary.

    ``lanes``, ``banks`` and the places of ``placement`` are taken instead where they are given.

    A model with a float head has its ternary one on the host as well.

    Raises
    ------
    TrineError
        If the board must hold what the model file lacks, or an engine has not so few lanes or banks.
    """
    placement.of(model)  # refuses what the file lacks
    small = model.config.vocab_size <= _ON_BOARD
    embedding, head = placement.embedding, placement.head
    if embedding is None:
        embedding = "board" if small and model.embedding_weight is not None else "host"
    if head is None:
        head = "board" if small and model.heads == ("ternary",) else "host"
    of_head = ceil_div(model.config.vocab_size, _WAYS) * _WAYS if head == "board" else 0
    every_row = len(model.config.spec.lanes) * model.config.hidden + of_head
    return EngineConfig(
        every_row if lanes is None else lanes,
        _BANKS if banks is None else banks,
        embedding=embedding,
        head=head,
        sampler_ways=_WAYS,
    )
