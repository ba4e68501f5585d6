"""Pictures of figures that need no build: the roofline of routed engines, and the activity of a text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trine_sw.engine import EngineConfig, Geometry
from trine_sw.engine.timing import vector_cycles
from trine_sw.fit.sample import Sample
from trine_sw.model import Model
from trine_sw.support.errors import TrineError
from trine_sw.support.plotting import pyplot, save_svg
from trine_sw.support.reading import read_text

__all__ = ["draw_activity", "draw_roofline", "read_reports", "reports_in"]

_TRIT_BITS = 2


def reports_in(folder: Path) -> dict[str, dict[str, Any]]:
    """The reports of ``trine build`` in a folder, by their names; there may be none, nor such a folder.

    Raises
    ------
    TrineError
        For a file of JSON with a page beside it that cannot be read or is not whole: it was a report.
    """
    reports = {}
    for path in sorted(folder.glob("*.json")):
        page = path.with_suffix(".md").is_file()  # tools write other files of JSON into a build's folder
        try:
            report = json.loads(read_text(path))
        except (TrineError, ValueError, RecursionError) as error:
            if not page:
                continue
            if isinstance(error, TrineError):
                raise
            raise TrineError(f"{path} is not whole JSON ({error}): restore it, or remove it") from None
        if isinstance(report, dict) and {"rom_ports_used", "dense_gops", "clock_mhz"} <= report.keys():
            reports[path.stem] = report
    return reports


def read_reports(folder: Path) -> dict[str, dict[str, Any]]:
    """The reports of ``trine build`` in a folder, by their names.

    Raises
    ------
    TrineError
        If there is none, and as :func:`reports_in` does.
    """
    reports = reports_in(folder)
    if not reports:
        raise TrineError(f"{folder} holds no report of trine build")
    return reports


def draw_roofline(reports: Mapping[str, Mapping[str, Any]], port_bits: Mapping[str, int], path: Path) -> None:
    """Write an SVG: operations a second over operations a ROM bit read.

    A bit read is half a weight, so that a weight that counts gives one operation a bit, and the roof is what
    the chip's block RAMs can read in a second. Skipping moves a point to the right: the columns that are not
    read count as done. Below an engine is what a host gets of it over the link that was built, and its limit.

    Parameters
    ----------
    reports : by name
    port_bits : bits that a block RAM of each board reads in a cycle
    """
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(12, 6.5), layout="constrained")
    roofs: dict[float, str] = {}
    colours = plt.get_cmap("tab20").colors
    for index, (name, report) in enumerate(reports.items()):
        bits = port_bits[report["board"]] * report["clock_mhz"] * 1e6 / 1e9  # of a port, 10^9 a second
        roofs.setdefault(report["rom_ports"] * bits, f"{report['board']} at {report['clock_mhz']:g} MHz")
        read, colour = report["rom_ports_used"] * bits, colours[index % len(colours)]
        effective, dense = report["effective_gops"], report["dense_gops"]
        axes.plot(dense / read, dense, "s", color=colour)
        axes.plot(effective / read, effective, "o", color=colour)
        host = _draw_host(axes, report, read, colour)
        axes.plot([], [], "o", color=colour, label=f"{name}: {_gops(effective)} ({_gops(dense)}){host}")
    intensity = np.array([0.1, 10.0])
    for index, (roof, name) in enumerate(sorted(roofs.items())):
        axes.plot(intensity, roof * intensity, "--", color="gray", lw=0.8)
        at = (0.11, 0.3, 2.5)[index % 3]
        axes.text(at, roof * at * 1.3, name, color="gray", fontsize=7)
    axes.axvline(2 / _TRIT_BITS, color="gray", lw=0.8)
    note = "right of here, more weights\ncount than are read"
    axes.text(1.05, 0.03, note, transform=axes.get_xaxis_transform(), fontsize=7, color="gray")
    axes.set(xscale="log", yscale="log", xlabel="operations a bit read from column ROM", ylabel="GOp/s")
    for mark, meaning in (("s", "with those skipped"), ("o", "performed"), ("v", "of these, for a host")):
        axes.plot([], [], mark, color="black", label=meaning)
    handles, labels = axes.get_legend_handles_labels()
    title = "GOp/s performed (with those skipped); what a host gets"
    figure.legend(handles, labels, loc="outside right upper", fontsize=7, title=title, title_fontsize=7)
    save_svg(figure, path)


def _gops(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


def _draw_host(axes: Any, report: Mapping[str, Any], read: float, colour: Any) -> str:
    """What a program gets of an engine through driver and link, where the report says it: as far right as
    what the engine performs, lower by the share of the tokens. Returns that in words."""
    rate = next(iter(report.get("host_rates", {}).values()), None)
    if rate is None:
        return ""
    effective = report["effective_gops"]
    reached, at = effective * rate["tokens_per_s"] / report["tokens_per_s"], effective / read
    axes.plot([at, at], [reached, effective], ":", color=colour, lw=1)
    axes.plot(at, reached, "v", color=colour)
    return f"; {rate['tokens_per_s']:,} of {report['tokens_per_s']:,} tokens/s, {rate['limit']}"


def draw_activity(model: Model, engine: EngineConfig, sample: Sample, path: Path, text: str) -> None:
    """Write an SVG: columns of x and h that each token's step reads, and the cycles it takes."""
    plt = pyplot()
    h, starts = sample.h, sample.starts
    before = np.concatenate([np.zeros_like(h[:1]), h[:-1]])
    before[starts] = 0
    x, active_h = np.count_nonzero(sample.x, 1), np.count_nonzero(before, 1)
    changed = np.count_nonzero(np.diff(before, axis=0, prepend=0), 1)
    cycles = vector_cycles(model, engine, sample.x, h, head=sample.heads, starts=starts).cycles
    figure, (over, spread) = plt.subplots(1, 2, figsize=(12, 3.8), layout="constrained", width_ratios=(2, 1))
    shown = slice(0, 120)
    at = np.arange(len(h))[shown]
    over.stackplot(at, x[shown], active_h[shown], step="mid", labels=("x", "h"), colors=("C0", "C1"))
    over.plot(at, changed[shown], "k.", ms=3, label="h changed")
    over.plot(at, cycles[shown], color="C3", lw=1.2, label=f"cycles, {engine.banks} banks")
    unit = "token" if model.task == "language" else "step"
    over.set(xlabel=unit, ylabel="columns; cycles", title=f"{text}, from its beginning")
    over.legend(fontsize=8, ncols=4)
    columns = model.config.embedding + model.config.hidden
    for values, label, colour in ((x + active_h, "active columns", "C0"), (cycles, "cycles", "C3")):
        spread.hist(values, bins=40, alpha=0.6, label=f"{label}, mean {values.mean():.1f}", color=colour)
    ports = Geometry(model.config, engine).engine.banks
    spread.axvline(columns / ports, color="gray", ls="--", lw=1, label=f"all columns / {ports} banks")
    spread.set(xlabel=f"a {unit}", ylabel=f"{unit}s", title=f"{len(h):,} {unit}s")
    spread.legend(fontsize=8)
    save_svg(figure, path)
