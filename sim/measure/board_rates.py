"""The largest models that each board holds, and how fast the demo models are on it.

    python -m sim.measure.board_rates                # every board: some minutes
    python -m sim.measure.board_rates --results      # and write docs/results/board-rates.json

The largest models are of one layer, with 64 symbols and embeddings of 64; tokens/s are as ``trine fit`` has
them, of the engine and of a program behind the board's first link.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any

from trine.board_choice import compare_boards
from trine_boards import BOARDS
from trine_boards.board_spec import BoardSpec
from trine_sw.fit.advice import largest_hidden
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.atomic_file import atomic_write

__all__ = ["DEMOS", "board_rates", "largest"]

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "docs/results/board-rates.json"
DEMOS = ("shakespeare-small", "spoken-digits-small", "shakespeare", "spoken-digits")
_SYMBOLS = 64
#: More units than any chip here holds, by the LUTs that it has.
_MOST = ((10_000, 160), (30_000, 480), (100_000, 1024))


def largest(board: BoardSpec) -> dict[str, int]:
    """Most units of an LSTM and of a GRU that the board is expected to hold, whatever lies on the host."""
    most = next(units for lut4, units in _MOST if board.lut4 <= lut4)
    found = {}
    for cell in ("lstm", "gru"):
        config = ModelConfig(hidden=most, embedding=_SYMBOLS, vocab_size=_SYMBOLS, cell=cell)
        found[cell] = largest_hidden(random_model(config, seed=1), board)
        assert found[cell] < most - 1, "the search began too low"
    return found


def board_rates(boards: Iterable[BoardSpec]) -> dict[str, dict[str, Any]]:
    """The record of each of ``boards`` by its name."""
    boards = list(boards)
    rates: dict[str, dict[str, Any]] = {board.name: {"tokens_per_s": {}} for board in boards}
    for name in DEMOS:
        began = time.process_time()
        for choice in compare_boards(Model.load(ROOT / f"models/{name}.trine"), boards):
            if choice.short is None:
                both = {"engine": choice.tokens_per_s, "host": choice.host_tokens_per_s}
                rates[choice.board]["tokens_per_s"][name] = both
        print(f"{name}: {time.process_time() - began:.1f} s", flush=True)
    held: dict[Hashable, dict[str, int]] = {}
    for board in boards:
        chip = board.lut4, board.block_ram, board.spram, board.lut_share, board.link, board.stores_replies
        if chip not in held:
            held[chip] = largest(board)
            print(f"{board.chip}: {held[chip]}", flush=True)
        rates[board.name]["largest"] = held[chip]
    return rates


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all boards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--results", action="store_true", help="write docs/results/board-rates.json")
    options = parser.parse_args(arguments)
    rates = board_rates(BOARDS.values())
    rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(rates[name])}" for name in rates)
    if options.results:
        with atomic_write(RECORD) as file:
            file.write(f"{{\n{rows}\n}}\n".encode())


if __name__ == "__main__":
    main()
