"""Figure of a confusion matrix."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from trine_sw.support.errors import MissingPackage
from trine_sw.support.plotting import panels, save_svg

__all__ = ["draw_confusions"]

_MOST = 30  # classes whose names and counts are still legible


def draw_confusions(
    counts: NDArray[Any], labels: Sequence[str], title: str, path: Path, console: Console
) -> None:
    """Write a confusion matrix (K, K) as SVG: rows are what a sequence is, columns what it was taken for.

    Where matplotlib is missing it is left out, and the console says so.
    """
    size = max(4.0, min(12.0, 1.5 + 0.35 * len(labels)))
    try:
        figure, (axes,) = panels(width=size)
    except MissingPackage as error:
        console.print(f"no figure of the confusions: {error}", highlight=False, soft_wrap=True)
        return
    figure.set_figheight(size)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(title=title, xlabel="taken for", ylabel="is")
    if len(labels) <= _MOST:
        axes.set_xticks(range(len(labels)), labels, rotation=90)
        axes.set_yticks(range(len(labels)), labels)
        for row, column in np.argwhere(counts > 0):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour)
    save_svg(figure, path)
