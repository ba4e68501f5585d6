"""Figures: matplotlib, where it is installed, and SVG files that are the same for the same data.

Every figure of the project is made here, so that all have one style and none needs a screen.
"""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path
from typing import Any

from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.installing import needed

__all__ = ["panels", "pyplot", "save_svg"]


def pyplot() -> Any:
    """``matplotlib.pyplot``, without a screen, text kept as text.

    Raises
    ------
    MissingPackage
        Where matplotlib is missing; says what to install.
    """
    os.environ["MPLBACKEND"] = "svg"  # a notebook's, which is inherited, may not be there
    with needed("matplotlib", "figures", "drawing"):
        import matplotlib
        import matplotlib.pyplot
    matplotlib.use("svg")
    # Names inside the file come from a hash with this salt, and not from a clock.
    matplotlib.rcParams.update({"svg.hashsalt": "trine", "svg.fonttype": "none", "font.size": 9})
    return matplotlib.pyplot


def panels(columns: int = 1, width: float = 6.0) -> tuple[Any, list[Any]]:
    """A figure, and its axes side by side, without a frame above and to the right. Width in inches."""
    figure, axes = pyplot().subplots(1, columns, figsize=(width, 3.2), layout="constrained", squeeze=False)
    for each in axes[0]:
        each.spines[["top", "right"]].set_visible(False)
    return figure, list(axes[0])


def save_svg(figure: Any, path: Path) -> None:
    """Write a figure at once or not at all, and close it."""
    contents = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that its font lacks, or that leave no room
        figure.savefig(contents, format="svg", metadata={"Date": None})
    pyplot().close(figure)
    lines = (line.rstrip() for line in contents.getvalue().splitlines())
    with atomic_write(path) as file:
        file.write(("\n".join(lines) + "\n").encode())
