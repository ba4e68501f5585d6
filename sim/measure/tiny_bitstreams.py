"""A tiny engine's bitstream for boards, and the record of which were routed.

    python -m sim.measure.tiny_bitstreams                       # every board: minutes each
    python -m sim.measure.tiny_bitstreams icesugar cynthion     # these
    python -m sim.measure.tiny_bitstreams --results icesugar    # and write them to docs/results/boards.json

The engine is that of docs/adding-a-board.md. A record takes the place of the board's earlier one.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trine_boards import BOARDS
from trine_boards.board_spec import BoardSpec
from trine_boards.build.bitstream import build_bitstream
from trine_boards.top import BoardTop
from trine_sw.engine import EngineConfig
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.errors import TrineError

__all__ = ["ENGINE", "MODEL", "RECORD", "tiny_bitstream"]

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "docs/results/boards.json"
MODEL = random_model(ModelConfig(hidden=6, embedding=4, vocab_size=8), seed=1)
ENGINE = {"lanes": 40, "banks": 2}


def tiny_bitstream(board: BoardSpec, folder: Path) -> dict[str, Any]:
    """Make the bitstream of the tiny engine for ``board`` at its own clock and margin; facts of it.

    Raises :exc:`TrineError` where a tool is missing or fails, or the clock is not met.
    """
    top = BoardTop(MODEL, EngineConfig(**ENGINE, block_ram=board.block_ram_kind), board, board.clock_mhz)
    routed = build_bitstream(top, board, board.clock_mhz, folder)
    return {
        "chip": board.chip,
        "link": board.transport.name,
        "clock_mhz": board.clock_mhz,
        "fmax_mhz": round(routed.fmax_mhz, 2),
        "lut4": routed.used.lut4,
        "ff": routed.used.ff,
        "block_ram": routed.used.block_ram,
        "bitstream_bytes": routed.bitstream.stat().st_size,
        "tools": routed.tools,
    }


def keep(name: str, facts: dict[str, Any]) -> None:
    """Write a board's facts into the record."""
    kept = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}
    kept[name] = facts
    rows = ",\n".join(f"{json.dumps(board)}: {json.dumps(kept[board])}" for board in sorted(kept))
    with atomic_write(RECORD) as file:
        file.write(f"{{\n{rows}\n}}\n".encode())


def main(arguments: Sequence[str] | None = None) -> int:
    """Build for the boards that are named, or all; returns how many failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("boards", nargs="*", metavar="BOARD", help="see trine boards")
    parser.add_argument("--results", action="store_true", help="write docs/results/boards.json")
    options = parser.parse_args(arguments)
    for name in options.boards:
        if name not in BOARDS:
            parser.error(f"no board is called {name!r}: there are {', '.join(BOARDS)}")
    failed = 0
    for name in options.boards or BOARDS:
        try:
            facts = tiny_bitstream(BOARDS[name], ROOT / f"build/{name}-tiny")
        except TrineError as error:
            failed += 1
            print(f"{name}: {error}", flush=True)
            continue
        print(f"{name}: {facts}", flush=True)
        if options.results:
            keep(name, facts)
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
