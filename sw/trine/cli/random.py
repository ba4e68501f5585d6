"""The command that makes random models: for engines whose speed depends on activity alone."""

from dataclasses import replace
from pathlib import Path

import click

from trine.cli.model import print_pairs
from trine.cli.outputs import OutputFile
from trine_sw.model.cells import CELLS
from trine_sw.support.errors import TrineError

__all__ = ["COMMANDS"]


@click.command()
@click.argument("output", metavar="MODEL", type=OutputFile())
@click.option(
    "--cell", type=click.Choice(list(CELLS)), default="lstm", show_default=True, help="Its kind of cell."
)
@click.option("--hidden", default=300, show_default=True, help="Units.")
@click.option("--embedding", default=300, show_default=True, help="Trits of an input vector.")
@click.option("--dataset", default="ptb", show_default=True, help="Text whose symbols the model knows.")
@click.option("--activity", default=0.25, show_default=True, help="Share of x and, roughly, of h not 0.")
@click.option("--seed", default=1, show_default=True, help="Same seed, same model.")
def random(
    output: Path, cell: str, hidden: int, embedding: int, dataset: str, activity: float, seed: int
) -> None:
    """Write a model of random weights, where no trained one of its size is there yet."""
    from trine_sw.data import symbols
    from trine_sw.model import ModelConfig
    from trine_sw.model.random_model import random_model

    if not 0 < activity <= 1:
        raise TrineError(f"--activity must be above 0 and at most 1, not {activity:g}")
    vocabulary = list(symbols(dataset))
    config = ModelConfig(
        cell=cell,
        hidden=hidden,
        embedding=embedding,
        vocab_size=len(vocabulary),
        cell_shift=2,
        output_shift=1 if CELLS[cell].output_gate else 2,  # without a gate nearly all states would be seen
        head_levels=(0, 1, 2, 3),
    )
    model = random_model(config, seed=seed, activity=activity)
    told = model.training | {"data_set": dataset, "activity": activity}
    model = replace(model, vocabulary=vocabulary, training=told)
    model.save(output)
    print_pairs({"wrote": output, "digest": model.digest().hex()})


COMMANDS = (random,)
"""What :mod:`trine.cli` adds."""
