"""The page itself: one HTML file with Plotly.js, the rows and the pictures in it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from trine.exploring.rows import Row
from trine_boards.board_spec import BoardSpec
from trine_sw.engine import EngineConfig
from trine_sw.engine.timing import vector_cycles
from trine_sw.fit.sample import Sample
from trine_sw.model import Model
from trine_sw.support.installing import needed
from trine_sw.support.json_text import json_text

__all__ = ["activity_of", "board_facts", "built_facts", "page", "plotly_source"]

_HERE = Path(__file__).parent
#: Steps of the sample that are drawn one by one.
_STEPS = 160
#: Fields of a report that the page shows.
_BUILT = (
    "board lanes banks embedding head lut4 block_ram fmax_mhz clock_mhz cycles_per_token tokens_per_s "
    "host_rates command"
).split()


def plotly_source() -> str:
    """Plotly.js, as the package ``plotly`` has it.

    Raises
    ------
    MissingPackage
        Where plotly is missing; says what to install.
    """
    with needed("plotly", "explore", "a page to explore"):
        from plotly.offline import get_plotlyjs
    return get_plotlyjs()


def board_facts(boards: Sequence[BoardSpec], short: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the page says of boards; ``short`` says of some of them why they hold no engine."""
    return [
        {
            "name": board.name,
            "title": board.title,
            "chip": board.chip,
            "lut4": board.lut4,
            "block_ram": board.block_ram,
            "links": [transport.name for transport in board.transports],
            "short": short.get(board.name, ""),
        }
        for board in boards
    ]


def built_facts(reports: Mapping[str, Mapping[str, Any]], name: str) -> list[dict[str, Any]]:
    """Of the reports of a folder, those of the model of this name, as the page shows them."""
    return [
        {"report": title} | {field: report.get(field) for field in _BUILT}
        for title, report in reports.items()
        if report.get("model") == name
    ]


def activity_of(model: Model, engine: EngineConfig, sample: Sample) -> dict[str, Any]:
    """Active columns and cycles of each step, and how often each column is active."""
    before = np.concatenate([np.zeros_like(sample.h[:1]), sample.h[:-1]])
    before[sample.starts] = 0
    head = sample.heads if engine.head == "board" else False
    cycles = vector_cycles(model, engine, sample.x, sample.h, head=head, starts=sample.starts).cycles
    shares = np.concatenate([np.mean(sample.x != 0, 0), np.mean(before != 0, 0)])
    return {
        "source": sample.source,
        "banks": engine.banks,
        "unit": "token" if model.task == "language" else "step",
        "steps": len(sample.x),
        "x": np.count_nonzero(sample.x, 1)[:_STEPS].tolist(),
        "h": np.count_nonzero(before, 1)[:_STEPS].tolist(),
        "cycles": cycles[:_STEPS].tolist(),
        "columns_x": sample.x.shape[1],
        "share": np.round(shares, 4).tolist(),
    }


def page(
    name: str,
    path: str,
    model: Model,
    rows: Sequence[Row],
    boards: Sequence[Mapping[str, Any]],
    built: Sequence[Mapping[str, Any]],
    pictures: Mapping[str, str],
    activity: Mapping[str, Any],
    sample: str,
) -> str:
    """The page as HTML.

    Parameters
    ----------
    name, path, model : of the model file
    rows : of :func:`trine.exploring.rows.explore`
    boards, built, activity : of the functions above
    pictures : SVG of floorplans, by their titles
    sample : what cycles were counted on
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined
    )
    config = model.config
    facts = {
        "cell": config.spec.title,
        "units": f"{config.hidden:,}" + (f" in {config.layers} layers" if config.layers > 1 else ""),
        "inputs": f"{config.embedding:,}",
        "outputs": f"{config.vocab_size:,}",
        "cycles counted on": sample,
    }
    data = {
        "rows": _columns(rows),
        "boards": list(boards),
        "activity": dict(activity),
        "built": list(built),
    }
    images = {
        title: "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
        for title, svg in pictures.items()
    }
    return environment.get_template("page.html.j2").render(
        name=name,
        path=path,
        facts=facts,
        boards=boards,
        built=built,
        images=images,
        activity=activity,
        data=_in_script(json_text(data)),
        plotly=plotly_source(),
        script=(_HERE / "page.js").read_text(encoding="utf-8"),
        style=(_HERE / "page.css").read_text(encoding="utf-8"),
    )


def _columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Rows by column, in which names are not repeated for each."""
    dicts = [asdict(row) for row in rows]
    return {name: [each[name] for each in dicts] for name in (dicts[0] if dicts else ())}


def _in_script(text: str) -> str:
    """JSON that ends no script element."""
    return text.replace("<", "\\u003c")
