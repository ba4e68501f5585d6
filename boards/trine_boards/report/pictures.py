"""Pictures of a built design: its floorplan and the resources of its components."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trine_boards.report.components import COMPONENTS, placed_cells, resources_of
from trine_sw.support.plotting import pyplot, save_svg

__all__ = ["draw_floorplan", "draw_resources"]

_RESOURCES = ("LUT4", "flip-flops", "block RAM")


def _colours() -> dict[str, tuple[float, float, float]]:
    palette = pyplot().get_cmap("tab10").colors
    return {name: palette[index % 10][:3] for index, name in enumerate(COMPONENTS)}


def draw_floorplan(placement: Path, path: Path, title: str) -> None:
    """Write an SVG of the chip, a square a tile, in the colour of the component with most cells there."""
    plt, names = pyplot(), list(COMPONENTS)
    cells = list(placed_cells(placement))
    columns, rows = (max(cell[axis] for cell in cells) + 1 for axis in (1, 2))
    counts = np.zeros((rows, columns, len(names)), int)
    for component, x, y in cells:
        counts[y, x, names.index(component)] += 1
    colours = _colours()
    image = np.ones((rows, columns, 3))
    used = counts.sum(2) > 0
    image[used] = np.array([colours[name] for name in names])[counts.argmax(2)[used]]
    figure, axes = plt.subplots(figsize=(9, 6.5), layout="constrained")
    axes.imshow(image, interpolation="nearest", origin="upper")
    axes.set(title=title, xticks=[], yticks=[])
    here = [name for index, name in enumerate(names) if counts[..., index].any()]
    handles = [plt.Rectangle((0, 0), 1, 1, color=colours[name]) for name in here]
    figure.legend(handles, here, loc="outside lower center", ncols=5, fontsize=8, frameon=False)
    save_svg(figure, path)


def draw_resources(netlist: Path, path: Path, title: str) -> None:
    """Write an SVG of each component's share of the design's LUT4, flip-flops and block RAMs."""
    plt, counts, colours = pyplot(), resources_of(netlist), _colours()
    figure, axes = plt.subplots(figsize=(9, 2.8), layout="constrained")
    for index, resource in enumerate(_RESOURCES):
        total = sum(each[resource] for each in counts.values()) or 1
        left = 0.0
        for name, each in counts.items():
            share = each[resource] / total
            if not share:
                continue
            label = name if name not in axes.get_legend_handles_labels()[1] else None
            axes.barh(index, share, left=left, color=colours[name], label=label)
            if share > 0.05:
                axes.text(
                    left + share / 2, index, f"{each[resource]:,}", ha="center", va="center", fontsize=7
                )
            left += share
    totals = [f"{resource}: {sum(c[resource] for c in counts.values()):,}" for resource in _RESOURCES]
    axes.set_yticks(range(len(totals)), totals)
    axes.set(title=title, xticks=[], xlim=(0, 1))
    axes.invert_yaxis()
    figure.legend(loc="outside lower center", ncols=5, fontsize=8, frameon=False)
    save_svg(figure, path)
