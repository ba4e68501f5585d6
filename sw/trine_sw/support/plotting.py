"""matplotlib, where it is installed, and SVG files that are the same for the same data."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.errors import TrineError

__all__ = ["pyplot", "save_svg"]


def pyplot() -> Any:
    """``matplotlib.pyplot``, without a screen, text kept as text.

    Raises
    ------
    TrineError
        Where matplotlib is missing; says what to install.
    """
    os.environ["MPLBACKEND"] = "svg"  # a notebook's, which is inherited, may not be there
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise TrineError("drawing needs matplotlib, which is missing: pip install 'trine[figures]'") from None
    matplotlib.use("svg")
    # Names inside the file come from a hash with this salt, and not from a clock.
    matplotlib.rcParams.update({"svg.hashsalt": "trine", "svg.fonttype": "none", "font.size": 9})
    import matplotlib.pyplot

    return matplotlib.pyplot


def save_svg(figure: Any, path: Path) -> None:
    """Write a figure at once or not at all, and close it."""
    import matplotlib.pyplot

    contents = io.StringIO()
    figure.savefig(contents, format="svg", metadata={"Date": None})
    matplotlib.pyplot.close(figure)
    lines = (line.rstrip() for line in contents.getvalue().splitlines())
    with atomic_write(path) as file:
        file.write(("\n".join(lines) + "\n").encode())
