"""The command demo."""

from pathlib import Path

import click

__all__ = ["COMMANDS"]


@click.command()
@click.option("--count", default=400, show_default=True, help="Characters to write.")
@click.option("--temperature", default=0.6, show_default=True, help="0 takes the likeliest character.")
@click.option("--seed", default=1, show_default=True, help="Of what is drawn at a temperature above 0.")
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    help="Folder with models/shakespeare.trine and docs/results.  [default: what Trine brings]",
)
def demo(count: int, temperature: float, seed: int, root: Path | None) -> None:
    """Write text on a simulated board, check every token and cycle, and compare speeds."""
    from trine.demo import run_demo

    run_demo(root, count, temperature, seed)


COMMANDS = (demo,)
