"""How far ``trine fit`` is off random designs that were packed: ``python -m sim.measure.fit_figure``.

It says again what is expected of the designs in ``docs/results/fit-sweep-whole.json``, writes that into the
record, and draws ``docs/results/fit-sweep-whole.svg``. What they take is not measured again.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from sim.measure.fit_sweep import RESULTS, whole_shapes
from trine_boards import BOARDS
from trine_sw.engine import EngineConfig
from trine_sw.engine.memory_layout import place
from trine_sw.fit.cost import Cost, cost
from trine_sw.link.records import link_for
from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.plotting import panels, save_svg

__all__ = ["draw", "expected"]

RECORD = RESULTS / "fit-sweep-whole.json"
#: Shapes among which those of the record are found again.
_SEARCHED = 400


def expected() -> Iterator[tuple[dict[str, Any], Cost]]:
    """Each design of the record, and what is expected of it now."""
    left = {_key(row["number"], row["board"], row["model"]): row for row in _rows()}
    for shape in itertools.islice(whole_shapes(), _SEARCHED):
        row = left.pop(_key(shape.number, shape.board, asdict(shape.config)), None)
        if row is not None:
            model, board, engine = shape.model(), BOARDS[shape.board], EngineConfig(**row["engine"])
            layout = place(model, engine)
            yield row, cost(model, engine, board, link_for(model, engine, board.link, layout), layout)
    assert not left, f"not among the first {_SEARCHED} shapes: {sorted(left)}"


def _rows() -> list[dict[str, Any]]:
    return json.loads(RECORD.read_text(encoding="utf-8"))


def _key(number: int, board: str, model: dict[str, Any]) -> str:
    return json.dumps([number, board, model])


def draw(found: list[tuple[dict[str, Any], Cost]]) -> None:
    """Draw expected over packed LUT4, less 1, for each board, and print how far off they are."""
    figure, axes = panels(2, width=9.0)
    for axis, name in zip(axes, ("icebreaker", "ulx3s"), strict=True):
        packed = np.array([row["lut4_packed"] for row, _ in found if row["board"] == name])
        lut4 = np.array([cost.lut4 for row, cost in found if row["board"] == name])
        off = lut4 / packed - 1
        within = int((np.abs(off) <= 0.1).sum())
        print(
            f"{name}: {len(off)} designs, {within} within 10 %, from {off.min():+.1%} to {off.max():+.1%}, "
            f"mean {np.abs(off).mean():.1%}"
        )
        axis.axhspan(-10, 10, color="tab:green", alpha=0.15, linewidth=0)
        axis.axhline(0, color="grey", linewidth=0.8)
        axis.plot(packed, 100 * off, "o", markersize=4)
        what = "logic cells" if name == "icebreaker" else "LUT4"
        axis.set(xscale="log", ylim=(-25, 25), xlabel=f"{what}, packed", ylabel="expected, % more")
        ticks = [3000, 4000, 5000] if name == "icebreaker" else [3000, 5000, 10000, 20000, 40000]
        axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axis.minorticks_off()
        axis.set_title(f"{BOARDS[name].title}: {within} of {len(off)} within 10 %", fontsize=9)
    save_svg(figure, RECORD.with_suffix(".svg"))
    exact = sum(row["synthesised"] == cost.block_ram for row, cost in found)
    print(f"block RAMs: {exact} of {len(found)} as synthesised")


def main() -> None:
    """Write what is expected now into the record, and draw it."""
    found = list(expected())
    now = {
        _key(row["number"], row["board"], row["model"]): {
            "block_ram": cost.block_ram,
            "lut4": cost.lut4,
            "ff": cost.ff,
        }
        for row, cost in found
    }
    rows = [row | now[_key(row["number"], row["board"], row["model"])] for row in _rows()]
    text = ",\n".join(map(json.dumps, rows))
    with atomic_write(RECORD) as file:
        file.write(f"[\n{text}\n]\n".encode())
    draw(found)


if __name__ == "__main__":
    main()
