"""Options of heads and embeddings: where they are, and which head is meant."""

from collections.abc import Callable
from typing import Any

import click

__all__ = ["PLACES", "embedding_option", "head_kind_option", "head_option", "placement_options"]

PLACES = click.Choice(["board", "host"])
embedding_option = click.option(
    "--embedding", type=PLACES, help="Where the embedding is.  [default: on the board if it has room]"
)
head_option = click.option(
    "--head", type=PLACES, help="Where the ternary head is.  [default: on the board if it has room]"
)
head_kind_option = click.option(
    "--head-kind",
    type=click.Choice(["float", "ternary"]),
    help="Which head's outputs, of a model that has two.  [default: float, which the host computes]",
)


def placement_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options --embedding and --head."""
    return embedding_option(head_option(command))
