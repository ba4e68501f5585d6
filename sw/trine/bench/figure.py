"""The bench as one picture."""

from __future__ import annotations

from pathlib import Path

from trine.bench.bench import Bench
from trine_sw.support.plotting import pyplot, save_svg

__all__ = ["draw_bench"]


def draw_bench(bench: Bench, path: Path) -> None:
    """Write an SVG: steps a second; cycles over units; cycles over banks, a line for each count of lanes."""
    plt = pyplot()
    figure, (speed, sizes, engines) = plt.subplots(1, 3, figsize=(15, 4.4), layout="constrained")
    shown = [(row.name, row.tokens_per_s) for row in bench.rows if row.tokens_per_s]
    shown += [(f"{each.name}, {each.what}", 1 / each.seconds) for each in bench.anchors if each.seconds]
    names, values = zip(*reversed(shown), strict=True)
    ours = ["tab:orange" if name.startswith("Trine") else "tab:blue" for name in names]
    speed.barh(range(len(names)), values, color=ours)
    speed.set_yticks(range(len(names)), names, fontsize=8)
    speed.set(xscale="log", xlabel="steps a second, batch 1")
    for at, value in enumerate(values):
        speed.text(value, at, f" {value:,.0f}", va="center", fontsize=7)
    speed.margins(x=0.25)

    units = [point.hidden for point in bench.hidden_sweep]
    first = bench.hidden_sweep[0]
    sizes.plot(units, [point.dense for point in bench.hidden_sweep], "s--", label="all columns")
    sizes.plot(units, [point.cycles for point in bench.hidden_sweep], "o-", label="active columns")
    sizes.set(xscale="log", yscale="log", xlabel="units, H = E", ylabel="cycles a token")
    sizes.set_title(f"{first.banks} banks, at most 1,200 lanes, a quarter active", fontsize=9)
    sizes.set_xticks(units, [str(each) for each in units], rotation=60, fontsize=8)
    sizes.minorticks_off()
    sizes.legend(fontsize=8)

    for lanes in sorted({point.lanes for point in bench.engine_sweep}):
        points = [point for point in bench.engine_sweep if point.lanes == lanes]
        label = f"{lanes} lanes"
        engines.plot([p.banks for p in points], [p.cycles for p in points], "o-", label=label)
    engines.set(yscale="log", xlabel="banks", ylabel="cycles a token")
    engines.set_title(f"{bench.model}, {bench.hidden} units", fontsize=9)
    engines.legend(fontsize=8)
    save_svg(figure, path)
