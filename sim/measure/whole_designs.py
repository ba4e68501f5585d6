"""What ``trine fit`` expects of random models on boards, and what synthesis and packing make of them.

    python -m sim.measure.whole_designs 72     # some 30 s of processor time a design
    python -m sim.measure.whole_designs 0      # what is recorded, against what is expected now

Each design is all that a board is built with: engine, link, transport, clock and pins, synthesised as
``trine build`` does and packed by nextpnr. Each is written to ``docs/results/fit-boards.json`` as it comes;
what is there already is not done again. The figure ``fit-boards.svg`` has how far off each is.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sim.measure.fit_shapes import Shape
from sim.netlist.synthesis import run_tool
from trine_boards import BOARDS
from trine_boards.board_spec import BoardSpec
from trine_boards.build.elaboration import elaborate
from trine_boards.build.families import FAMILIES
from trine_boards.netlist_file import read_netlist
from trine_boards.top import BoardTop
from trine_sw.engine import EngineConfig
from trine_sw.fit import Fit, estimate
from trine_sw.fit.cost import Cost
from trine_sw.fit.solver import configure
from trine_sw.model import ModelConfig
from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.errors import TrineError
from trine_sw.support.plotting import panels, save_svg
from trine_sw.support.toolchain import require

__all__ = ["RESULT", "Design", "designs", "expected", "measured", "packed_lut4", "part_of", "report"]

RESULT = Path(__file__).resolve().parents[2] / "docs/results/fit-boards.json"

#: Boards and links in turn: all transports, more of those that are built by default.
_TURNS = (
    ("ulx3s-25f", "uart"),
    ("icebreaker", "uart"),
    ("colorlight-5a75b", "ethernet"),
    ("ulx3s-12f", "uart"),
    ("tang-nano-20k", "uart"),
    ("ice40hx8k-evn", "uart"),
    ("orangecrab-25f", "usb"),
    ("icebreaker", "spi"),
    ("ecpix5-45f", "ulpi"),
    ("colorlight-i5", "spi"),
    ("icesugar", "uart"),
    ("tang-nano-9k", "uart"),
)
#: Logic cells that a chip's most useful engines leave no room for are not drawn: the share of the chip that
#: an estimate may take.
_MOST = 1.1
#: Cells of a netlist that take the place of LUT4, and of how many.
LUT4 = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4, "SB_LUT4": 1, "ALU": 1}
LUT4 |= {f"LUT{inputs}": 1 for inputs in (1, 2, 3)}
_BLOCK_RAMS = ("DP16KD", "PDPW16KD", "SB_RAM40_4K", "SDPB", "SDPX9B", "SP", "SPX9", "pROM", "pROMX9", "DPB")


@dataclass(frozen=True)
class Design:
    """A random model on a board with one of its links."""

    shape: Shape
    link: str

    @property
    def board(self) -> BoardSpec:
        """With the link as the one that is built."""
        return BOARDS[self.shape.board].over(self.link)

    def fitted(self) -> Fit:
        """The engine and its estimate, whether it fits or not. Raises :exc:`TrineError` where it has not the
        memories."""
        shape, board, model = self.shape, self.board, self.shape.model()
        assert shape.lanes is not None and shape.banks is not None
        engine = configure(model, shape.lanes, shape.banks, chip=board)
        return estimate(model, engine, board)


def _around(rng: random.Random, low: int, high: int) -> int:
    """A number whose logarithm is evenly random."""
    return round(low * (high / low) ** rng.random())


def _drawn(rng: random.Random, number: int) -> Design:
    board, link = _TURNS[number % len(_TURNS)]
    chip = BOARDS[board]
    large = rng.random() < 0.15
    hidden = _around(rng, 4, 160 if large else 96)
    vocab = _around(rng, 3, 700 if large else 128)
    config = ModelConfig(
        hidden=hidden,
        embedding=_around(rng, 4, 160 if large else 96),
        vocab_size=vocab,
        cell=rng.choice(["lstm", "gru", "mgu"]),
        layers=rng.choice([1, 1, 1, 2, 3]),
        cell_max=rng.choice([2, 7, 15, 15, 31, 127]),
        cell_shift=rng.choice([0, 0, 1]),
        output_shift=rng.choice([0, 0, 1]),
        head_levels=rng.choice([(0, 1), (0, 1), (0, 1, 2, 3), (0, 1, 2, 3), (0, 2, 5, 9)]),
    )
    head = rng.random() < 0.7
    rows = len(config.spec.lanes) * hidden + (vocab if head else 0)
    small = chip.family != "ecp5"
    most = min(rows, 40 if small else 400 if large else 160)
    return Design(
        Shape(
            number=number,
            config=config,
            embedding=rng.random() < 0.7,
            head=head,
            extreme=rng.random() < 0.1,
            board=board,
            lanes=rows if rows <= most and rng.random() < 0.4 else _around(rng, min(most, 6), most),
            banks=rng.choice([1, 1, 1, 2, 3] if small else [1, 1, 2, 2, 3, 3, 4, 5, 7]),
            balance=False,
        ),
        link,
    )


def designs(count: int, *, seed: int = 4) -> Iterator[Design]:
    """The first `count` designs whose memories a chip has and whose logic is about within it."""
    rng = random.Random(seed)
    for number in range(count):
        while True:
            try:
                design = _drawn(rng, number)
                found = design.fitted()
            except TrineError:
                continue
            chip = design.board
            if found.cost.block_ram <= chip.block_ram and found.lut4 <= _MOST * chip.lut4:
                yield design
                break


def part_of(name: str, transport: str) -> str:
    """The part of a design that a cell of its netlist is in, by the name of what it drives.

    >>> part_of("uart.link.core.scan_h0.one_left_LUT4_Z", "uart"), part_of("uart.link.slots.at[1]", "uart")
    ('core.scan_h', 'link.slots')
    """
    kinds = r"_(LUT4|LUT\d|CCU2C|TRELLIS|PFUMX|L6MUX|SB|DFF|ALU).*"
    path = re.sub(rf"\$\d+|\[.*?\]|{kinds}", "", name).split(".")
    path = [re.sub(r"\d+(_\d+)*$", "", step) for step in path]
    if path[:3] == [transport, "link", "core"]:
        return ".".join(path[2:4])
    if path[:2] == [transport, "link"]:
        return ".".join(path[1:3])
    return "transport" if path[0] == transport else "clock, pins"


def measured(design: Design, folder: Path) -> dict[str, Any]:
    """A design's row: what it is, what is expected, and what it takes as synthesised and packed."""
    shape, board, found = design.shape, design.board, design.fitted()
    top = BoardTop(shape.model(), found.engine, board, board.clock_mhz)
    family, platform = FAMILIES[board.family], board.platform()
    files = elaborate(top, platform) | family.library_files()
    synthesis = family.synthesis.format(name="top")
    others = sorted(name for name in files.keys() - family.library_files() if name.endswith(".v"))
    read = "".join(f"read_verilog {name}\n" for name in others if name != "top.debug.v")
    files["top.ys"] = f"read_rtlil top.il\n{read}{synthesis}write_json top.json\n".encode()
    for name, contents in files.items():
        (folder / name).write_bytes(contents)
    run_tool(require("yosys"), ["-q", "top.ys"], folder)
    options = ["--json", "top.json", "--pack-only", "--log", "pack.text"]
    constraints = {
        "ecp5": ("--lpf", "top.lpf"),
        "ice40": ("--pcf", "top.pcf"),
        "gowin": ("--vopt", "cst=top.cst"),
    }
    options += constraints[board.family]
    run_tool(require(family.router), [*family.chip_options(platform), *options], folder)
    used = dict(
        re.findall(r"(\w+): +(\d+)/", (folder / "pack.text").read_text(encoding="utf-8", errors="replace"))
    )
    cells = read_netlist(folder / "top.json").cells
    parts: dict[str, Counter[str]] = {}
    kinds: Counter[str] = Counter()
    for name, cell in cells.items():
        kind = cell["type"]
        kinds[kind] += 1
        part = parts.setdefault(part_of(name, board.transport.name), Counter())
        part["lut4"] += LUT4.get(kind, 0)
        part["ff"] += kind == "TRELLIS_FF" or kind.startswith(("SB_DFF", "DFF"))
        part["carry"] += kind in ("CCU2C", "SB_CARRY", "ALU")
    engine = {name: value for name, value in asdict(found.engine).items() if name != "assignment"}
    return {
        "number": shape.number,
        "board": shape.board,
        "link": design.link,
        "model": asdict(shape.config),
        "embedding": shape.embedding,
        "head": shape.head,
        "extreme": shape.extreme,
        "engine": engine,
        "cells": dict(kinds),
        "packed": {name: int(number) for name, number in used.items() if int(number)},
        "block_ram_synthesised": sum(kinds[kind] for kind in _BLOCK_RAMS),
        "parts": {name: [each["lut4"], each["ff"], each["carry"]] for name, each in sorted(parts.items())},
    }


def expected(row: dict[str, Any]) -> Cost:
    """What a row's design is expected to take now."""
    config = ModelConfig(**row["model"] | {"head_levels": tuple(row["model"]["head_levels"])})
    given = {name: row[name] for name in ("number", "embedding", "head", "extreme", "board")}
    model = Shape(config=config, lanes=None, banks=None, balance=False, **given).model()
    return estimate(model, EngineConfig(**row["engine"]), BOARDS[row["board"]].over(row["link"])).cost


def packed_lut4(row: dict[str, Any]) -> int:
    """LUT4 or logic cells of a row, as a board's report counts them."""
    logic = FAMILIES[BOARDS[row["board"]].family].logic
    return row["packed"][logic] + row["packed"].get("ALU", 0)  # a bit of an adder takes a LUT4's place


def report(rows: list[dict[str, Any]]) -> None:
    """Print how far what is expected now is off each board's designs, and draw it."""
    off: dict[str, list[tuple[int, float]]] = {}
    exact = 0
    for row in rows:
        cost = expected(row)
        taken = packed_lut4(row)
        family = BOARDS[row["board"]].block_ram_kind
        off.setdefault(family, []).append((taken, cost.lut4 / taken - 1))
        exact += cost.block_ram == row["block_ram_synthesised"]
        print(f"{row['number']:3} {row['board']:16} {row['link']:8} {taken:6} {cost.lut4 / taken - 1:+7.1%}")
    figure, axes = panels(len(off), width=9.0)
    for axis, (family, pairs) in zip(axes, off.items(), strict=True):
        errors = [error for _, error in pairs]
        within = sum(abs(error) <= 0.1 for error in errors)
        mean = sum(map(abs, errors)) / len(errors)
        said = f"{family}: {within} of {len(errors)} within 10 %"
        print(f"{said}, from {min(errors):+.1%} to {max(errors):+.1%}, mean {mean:.1%}")
        axis.axhspan(-10, 10, color="tab:green", alpha=0.15, linewidth=0)
        axis.plot([taken for taken, _ in pairs], [100 * error for error in errors], "o", markersize=4)
        axis.set(xscale="log", ylim=(-45, 45), xlabel="LUT4 or cells, packed", ylabel="expected, % more")
        axis.set_title(said, fontsize=9)
    print(f"block RAMs: {exact} of {len(rows)} as synthesised")
    save_svg(figure, RESULT.with_suffix(".svg"))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("count", type=int, help="designs in all, with those that are recorded")
    count = parser.parse_args().count
    rows = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else []
    done = {row["number"] for row in rows}
    for design in designs(count):
        if design.shape.number not in done:
            with tempfile.TemporaryDirectory() as folder:
                rows.append(measured(design, Path(folder)))
            with atomic_write(RESULT) as file:
                file.write(("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n").encode())
            print(f"{len(rows)} of {count}: {design.shape.board} {design.link}", flush=True)
    if rows:
        report(rows)


if __name__ == "__main__":
    main()
