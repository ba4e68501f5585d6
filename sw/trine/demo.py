"""The demonstration: text from a simulated board, checked token by token, and its engine's speed."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from trine.board_backend import with_progress
from trine.connect import Board
from trine_sw.driver import StepBlock
from trine_sw.driver.transports import ModelTransport, Transport
from trine_sw.engine import EngineConfig
from trine_sw.engine.timing import token_cycles
from trine_sw.golden import Golden
from trine_sw.golden.difference import difference
from trine_sw.link.board_design import BoardDesign
from trine_sw.link.board_model import BoardModel
from trine_sw.model import Model
from trine_sw.support.errors import TrineError

__all__ = ["SHIPPED", "run_demo"]

_WANT = ("h", "cycles", "choice")
_PROMPT = "ROMEO:\n"
_BOARD = "ulx3s"


#: Models and the report of their engine that come with Trine: in a checkout, links to the files themselves.
SHIPPED = Path(__file__).with_name("shipped")


def run_demo(root: Path | None, count: int, temperature: float, seed: int) -> None:
    """Write ``count`` characters on a Verilated board with ``models/shakespeare.trine`` below ``root``, which
    is :data:`SHIPPED` by default.

    Raises
    ------
    TrineError
        If anything that the board gives differs from the golden or the timing model.
    """
    from trine_boards import BOARDS
    from trine_sw.fit import fit

    console = Console(highlight=False)
    root = SHIPPED if root is None else root
    path = root / "models" / "shakespeare.trine"
    if not path.is_file():
        raise TrineError(f"there is no {path}; name the folder of a checkout of Trine by --root")
    model = Model.load(path)
    prompt = model.encode(_PROMPT)
    golden = Golden(model)
    expected = golden.generate(prompt, count, temperature, seed)
    engine = replace(fit(model, BOARDS[_BOARD]).engine, block_ram="inferred")  # the same bits and cycles
    console.print(
        f"[bold]Trine[/]: {model.config.hidden} units, {engine.lanes} lanes, {engine.banks} banks. Verilator "
        "compiles the board, UART and all (once; kept for the next run), then it writes:"
    )
    console.print(f"(the model is {path})", soft_wrap=True)
    tokens = np.concatenate([prompt, expected[:-1]])
    trace = golden.run(tokens)
    with _opened(model, engine, "verilator") as board, _opened(model, engine, "golden") as twin:
        console.print(_PROMPT, end="", style="bold")
        found = board.generate(
            prompt,
            count,
            temperature,
            seed,
            on_choice=lambda token: console.out(model.decode([token]), end=""),
        )
        console.print("\n")
        _check("choice", found, expected)
        _check("choice", twin.generate(prompt, count, temperature, seed), expected)
        written = _cycles(board, twin)
        state = board.state
        _check("last h", state.h[None], trace.h[-1:])
        _check("last c", state.c[None], trace.c[-1:])

        board.reset()
        twin.reset()
        steps = StepBlock.joined(with_progress(board.stream_blocks(tokens, _WANT), len(tokens), size=len))
        predicted = StepBlock.joined(twin.stream_blocks(tokens, _WANT))
        _check("h", steps.h, trace.h[:, -model.config.hidden :])
        assert trace.logits is not None
        _check("likeliest token", steps.choice, trace.logits.argmax(1))
        _check("cycle count", steps.cycles, predicted.cycles)
        state = board.state
        _check("last h", state.h[None], trace.h[-1:])
        _check("last c", state.c[None], trace.c[-1:])
        whole = _cycles(board, twin)

    table = Table(title="The board's answers, checked against the golden and the timing model")
    table.title_justify = "left"
    for column in ("", "tokens", "equal", "cycles/token measured", "predicted"):
        table.add_column(column)
    read = tuple(end - start for start, end in zip(written, whole, strict=True))
    for what, (mine, model_s) in (("writing, the prompt included", written), ("reading it again", read)):
        means = [f"{cycles / count:.3f}" for count, cycles in (mine, model_s)]
        table.add_row(what, str(mine[0]), "all", *means)
    console.print(table)
    ahead = float(token_cycles(model, engine, tokens, h=trace.h).cycles.mean())
    alone = float(read[0][1] / read[0][0])
    _speeds(console, root, model, {"sent one by one": alone, "pipelined": ahead}, tokens)


def _opened(model: Model, engine: EngineConfig, simulator: str) -> Board:
    """A board with this engine: its gateware in a simulator, or the board model."""
    from trine_hw.simulation.virtual_board import VirtualBoard

    design = BoardDesign(model, engine)

    def connect() -> Transport:
        if simulator == "golden":
            return ModelTransport(BoardModel(**design.parts))
        return VirtualBoard(model, engine, simulator)

    return Board.connected(connect, model, f"the {simulator} board")


def _cycles(board: Board, twin: Board) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tokens and cycles that the board has counted, and the board model, which must have counted the same."""
    mine, model = board.counters, twin.counters
    for name in ("tokens", "cycles", "columns"):
        if getattr(mine, name) != getattr(model, name):
            raise TrineError(f"the board's count of {name} differs from the model's: this is a bug in Trine")
    return np.array([mine.tokens, mine.cycles]), np.array([model.tokens, model.cycles])


def _check(what: str, found: np.ndarray | None, expected: np.ndarray | None) -> None:
    told = difference(what, found, expected)
    if told is not None:
        raise TrineError(f"the board's {told}: this is a bug in Trine")


def _speeds(console: Console, root: Path, model: Model, cycles: dict[str, float], tokens: np.ndarray) -> None:
    table = Table(title="Tokens a second, one stream", title_justify="left")
    table.add_column("")
    table.add_column("tokens/s", justify="right")
    report = root / "docs" / "results" / f"{_BOARD}-shakespeare.json"
    if report.is_file():
        clock = json.loads(report.read_text(encoding="utf-8"))["clock_mhz"]
        for how, count in cycles.items():
            row = f"this engine on {_BOARD} at the routed clock of {clock:g} MHz, tokens {how}"
            table.add_row(row, f"{clock * 1e6 / count:,.0f}")
    else:
        table.add_row(f"this engine on {_BOARD}", "no routed report")
    golden = Golden(model)
    started = time.perf_counter()
    golden.run(tokens)
    table.add_row("golden model, NumPy, on this CPU", f"{len(tokens) / (time.perf_counter() - started):,.0f}")
    try:
        import torch
    except ModuleNotFoundError:
        table.add_row("PyTorch nn.LSTM of the same size", "torch is not installed")
    else:
        torch.set_num_threads(1)
        lstm = torch.nn.LSTM(model.config.embedding, model.config.hidden)
        with torch.inference_mode():
            x, state = torch.randn(len(tokens), 1, 1, model.config.embedding), None
            started = time.perf_counter()
            for step in x:
                _, state = lstm(step, state)
        speed = len(tokens) / (time.perf_counter() - started)
        table.add_row("PyTorch nn.LSTM of the same size, float32, on this CPU", f"{speed:,.0f}")
    console.print(table)
