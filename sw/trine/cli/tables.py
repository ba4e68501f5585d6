"""Tables on the terminal, of which nothing is cut off."""

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

__all__ = ["print_table"]

#: Characters of a line that no table reaches.
_WIDE = 10_000


def print_table(table: Table) -> None:
    """Print a table as wide as it is where the output is no terminal, and else within the terminal's width:
    words that are wider than their column go on in the next line."""
    console = Console()
    for column in table.columns:
        column.overflow = "fold"
    if not console.is_terminal:
        whole = Measurement.get(console, console.options.update(max_width=_WIDE), table).maximum
        console = Console(width=max(console.width, whole))
    console.print(table)
