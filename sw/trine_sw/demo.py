"""The demonstration: text from the simulated engine, checked token by token, and its speed on a board."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from trine_sw.backends import open_tracing_backend
from trine_sw.errors import TrineError
from trine_sw.golden import Golden
from trine_sw.model import Model
from trine_sw.timing import generation_cycles, token_cycles

__all__ = ["run_demo"]

_PROMPT = "ROMEO:\n"
_BOARD = "ulx3s"


def run_demo(root: Path, count: int, temperature: float, seed: int) -> None:
    """Write ``count`` characters on the Verilated engine of ``models/shakespeare.trine`` below ``root``.

    Raises
    ------
    TrineError
        If anything that the engine gives differs from the golden or the timing model.
    """
    from trine_boards import BOARDS
    from trine_sw.fit import fit

    console = Console(highlight=False)
    path = root / "models" / "shakespeare.trine"
    if not path.is_file():
        raise TrineError(f"there is no {path}; call it in Trine's own folder, or name that by --root")
    model = Model.load(path)
    engine = fit(model, BOARDS[_BOARD]).engine
    backend = open_tracing_backend("verilator", model, engine)
    console.print(
        f"[bold]Trine[/]: {model.config.hidden} units, {engine.lanes} lanes, {engine.banks} banks. Verilator "
        "compiles the engine (once; kept for the next run), then writes:"
    )
    prompt = model.encode(_PROMPT)
    console.print(_PROMPT, end="", style="bold")
    found = backend.trace_generation(
        prompt,
        count,
        temperature,
        seed,
        on_choice=lambda token: console.out(model.decode([token]), end=""),
    )
    console.print("\n")
    golden = Golden(model)
    expected = golden.generate(prompt, count, temperature, seed)
    tokens = np.concatenate([prompt, expected[:-1]])
    trace = golden.run(tokens)
    timed = generation_cycles(model, backend.engine, prompt, expected).cycles
    _check("token", found.chosen, expected)
    _check("h", found.h, trace.h)
    _check("c", found.c, trace.c)
    _check("cycle count", found.cycles, timed)
    streamed = backend.run(tokens)
    predicted = token_cycles(model, backend.engine, tokens, h=trace.h).cycles
    _check("h", streamed.h, trace.h)
    _check("c", streamed.c, trace.c)
    _check("logits", streamed.logits, trace.logits)
    _check("cycle count", streamed.cycles, predicted)

    table = Table(title="Checked against the golden and the timing model", title_justify="left")
    for column in ("", "tokens", "equal", "cycles/token measured", "predicted"):
        table.add_column(column)
    for name, measured, model_cycles in (
        ("writing, without the waits for a choice", found.cycles, timed),
        ("reading the same text in advance", streamed.cycles, predicted),
    ):
        table.add_row(name, str(len(measured)), "all", f"{measured.mean():.3f}", f"{model_cycles.mean():.3f}")
    console.print(table)
    _speeds(console, root, model, float(streamed.cycles.mean()), tokens)


def _check(what: str, found: np.ndarray | None, expected: np.ndarray | None) -> None:
    if found is None or expected is None or not np.array_equal(found, expected):
        raise TrineError(f"the engine's {what} differs from the golden model's: this is a bug in Trine")


def _speeds(console: Console, root: Path, model: Model, cycles: float, tokens: np.ndarray) -> None:
    table = Table(title="Tokens a second, one stream", title_justify="left")
    table.add_column("")
    table.add_column("tokens/s", justify="right")
    report = root / "docs" / "results" / f"{_BOARD}-shakespeare.json"
    if report.is_file():
        clock = json.loads(report.read_text())["clock_mhz"]
        speed = clock * 1e6 / cycles
        table.add_row(f"this engine on {_BOARD}, at the routed clock of {clock:g} MHz", f"{speed:,.0f}")
    else:
        table.add_row(f"this engine on {_BOARD}", "no routed report: make bitstream")
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
