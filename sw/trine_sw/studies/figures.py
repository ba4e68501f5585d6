"""Figures of what is recorded, as SVG: the same records give the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trine_sw.studies.catalogue import SLOPES
from trine_sw.studies.memory import Memory
from trine_sw.support.plotting import panels, save_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_figures"]

Record = dict[str, Any]
_FLOAT, _TERNARY = "#4477aa", "#cc6677"
_PARTS = ("weights", "state", "embedding", "head")


def draw_figures(
    folder: Path,
    records: Sequence[Record],
    memory: dict[str, tuple[Memory, Memory]],
    curves: dict[str, dict[str, list[tuple[int, float]]]],
) -> dict[str, str]:
    """Draw what the records allow into the folder; name -> what the figure shows.

    Parameters
    ----------
    records : of studies.
    memory : of each model, what it takes in floating point and packed.
    curves : of each panel and each run in it, epochs and validation perplexities.

    A figure is left out where nothing is recorded for it.
    """
    drawers: dict[str, tuple[Callable[[], Figure | None], str]] = {
        "activations": (_activations, "σ(λz) and tanh(λz), and what a gate is quantised to at λ = 1"),
        "memory": (
            lambda: _memory(memory),
            "What a deployed model takes, by part (the scale is logarithmic)",
        ),
        "weights": (lambda: _weights(records), "Weights over the mean size of their row, float and ternary"),
        "gates": (lambda: _gates(records), "Gates over the test text, float and ternary"),
        "slope": (lambda: _slope(records), "Test perplexity against λ"),
        "activity": (lambda: _activity(records, "activity"), "Test perplexity against cycles a token"),
        "front": (lambda: _activity(records, "front"), "Test perplexity against cycles a token, all words"),
        "curves": (lambda: _curves(curves), "Validation perplexity by epoch"),
    }
    drawn = {}
    for name, (drawer, title) in drawers.items():
        figure = drawer()
        if figure is not None:
            save_svg(figure, folder / f"{name}.svg")
            drawn[name] = title
    return drawn


def _activations() -> Figure:
    figure, (sigma, tanh) = panels(2, 8.0)
    z = np.linspace(-4, 4, 401)
    for slope in SLOPES:
        sigma.plot(z, 1 / (1 + np.exp(-slope * z)), label=f"λ = {slope:g}")
        tanh.plot(z, np.tanh(slope * z), label=f"λ = {slope:g}")
    soft = 1 / (1 + np.exp(-z))
    sigma.plot(z, (soft >= 0.25) / 2 + (soft >= 0.75) / 2, "k--", label="f, three states")
    tanh.plot(z, (np.tanh(z) >= 0.5) * 1.0 - (np.tanh(z) <= -0.5), "k--", label="g")
    for axes, name in ((sigma, "σ(λz)"), (tanh, "tanh(λz)")):
        axes.set(xlabel="z", ylabel=name)
        axes.legend(frameon=False, fontsize=8)
    return figure


def _memory(memory: dict[str, tuple[Memory, Memory]]) -> Figure:
    figure, all_axes = panels(len(memory), 10.0)
    place = np.arange(len(_PARTS))
    for axes, (name, pair) in zip(all_axes, memory.items(), strict=True):
        for shift, color, label, kept in zip(
            (-0.2, 0.2), (_FLOAT, _TERNARY), ("float32", "packed"), pair, strict=True
        ):
            bytes_of = [getattr(kept, part) for part in _PARTS]
            axes.bar(
                place + shift, bytes_of, 0.4, color=color, label=f"{label}, {kept.total / 1e6:.1f} MB in all"
            )
        axes.set(yscale="log", ylim=(1e2, 1e10), title=name)
        axes.set_xticks(place, _PARTS, fontsize=8)
        axes.legend(frameon=False, fontsize=8, loc="upper left")
    all_axes[0].set_ylabel("bytes at batch 1")
    return figure


def _pair(records: Sequence[Record]) -> tuple[Any, Any] | None:
    """Distributions of the float LSTM and of a ternary one, of the ladder, trained alike as far as can be."""
    known = {row["row"]: row for row in records if row["study"] == "ladder" and row.get("distributions")}
    ternary = next((known[name] for name in ("norm", "levels", "keep", "integers") if name in known), None)
    if "float" not in known or ternary is None:
        return None
    return known["float"]["distributions"], ternary["distributions"]


def _outline(axes: Axes, histogram: Any, color: str, label: str) -> None:
    edges = histogram["edges"]
    density = np.array(histogram["shares"]) / (edges[1] - edges[0])
    axes.stairs(density, edges, color=color, label=label)


def _values(axes: Axes, histogram: Any) -> None:
    """What is quantised, as bars whose height is its share, on an axis of its own."""
    other = axes.twinx()
    values = {float(value): share for value, share in histogram["values"].items()}
    span = axes.get_xlim()[1] - axes.get_xlim()[0]
    other.bar(list(values), list(values.values()), span / 25, color=_TERNARY, alpha=0.4)
    other.set_ylim(0, 1)
    other.tick_params(axis="y", labelsize=7)


def _weights(records: Sequence[Record]) -> Figure | None:
    pair = _pair(records)
    if pair is None:
        return None
    figure, (axes,) = panels()
    _outline(axes, pair[0]["weight"], _FLOAT, "float")
    _outline(axes, pair[1]["weight"], _TERNARY, "behind the trits")
    axes.set(xlabel="weight over the mean size of its row", ylabel="density; bars: share of the trits")
    axes.legend(frameon=False, fontsize=8)
    _values(axes, pair[1]["weight"])
    return figure


def _gates(records: Sequence[Record]) -> Figure | None:
    pair = _pair(records)
    if pair is None:
        return None
    figure, all_axes = panels(4, 11.0)
    for axes, gate in zip(all_axes, ("i", "f", "g", "o"), strict=True):
        _outline(axes, pair[0]["gates"][gate], _FLOAT, "float")
        _outline(axes, pair[1]["gates"][gate], _TERNARY, "before quantisation")
        axes.set_xlabel(gate)
        _values(axes, pair[1]["gates"][gate])
    all_axes[0].set_ylabel("density; bars: share of the values")
    all_axes[0].legend(frameon=False, fontsize=7)
    return figure


def _of(records: Sequence[Record], study: str) -> list[list[Record]]:
    """A study's records, those of one data set and number of epochs together."""
    groups: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        if record["study"] == study:
            groups.setdefault((record["data_set"], record["epochs"]), []).append(record)
    return [groups[key] for key in sorted(groups)]


def _setting(record: Record) -> str:
    return f"{record['data_set']}, {record['epochs']} epoch{'s' if record['epochs'] != 1 else ''}"


def _slope(records: Sequence[Record]) -> Figure | None:
    groups = _of(records, "slope")
    if not groups:
        return None
    figure, (axes,) = panels()
    for group in groups:
        for kind, color in (("float", _FLOAT), ("ternary", _TERNARY)):
            points = sorted(
                (float(row["row"].split("-")[1]), row["test"]["perplexity"])
                for row in group
                if row["row"].startswith(kind)
            )
            if points:
                label = f"{kind} ({_setting(group[0])})"
                axes.plot(*zip(*points, strict=True), "o-", color=color, label=label)
    axes.set(xscale="log", xlabel="λ", ylabel="test perplexity")
    axes.legend(frameon=False, fontsize=8)
    return figure


def _activity(records: Sequence[Record], study: str) -> Figure | None:
    groups = _of(records, study)
    if not groups:
        return None
    figure, (axes,) = panels()
    for group in groups:
        points = sorted((row["cycles_per_token"], row["test"]["perplexity"], row["row"]) for row in group)
        axes.plot([p[0] for p in points], [p[1] for p in points], "o-", label=_setting(group[0]))
        for x, y, name in points:
            axes.annotate(name, (x, y), textcoords="offset points", xytext=(4, 4), fontsize=7)
    axes.set(xlabel="cycles a token", ylabel="test perplexity")
    axes.legend(frameon=False, fontsize=8)
    return figure


def _curves(curves: dict[str, dict[str, list[tuple[int, float]]]]) -> Figure | None:
    if not curves:
        return None
    figure, all_axes = panels(len(curves), 5.0 * len(curves))
    for axes, (title, runs) in zip(all_axes, curves.items(), strict=True):
        for label, points in runs.items():
            axes.plot([epoch for epoch, _ in points], [value for _, value in points], "o-", label=label)
        axes.set(xlabel="epoch", ylabel="validation perplexity", title=title)
        axes.legend(frameon=False, fontsize=8)
    return figure
