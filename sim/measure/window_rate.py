"""Windows/s over a board's link, and the time to the class: ``python -m sim.measure.window_rate``.

For routed engines of models of sequences. The project's driver classifies the windows of the sample in the
model file over the timed line of :mod:`sim.measure.link_rate`, and then streams their steps one at a time, as
samples come from a sensor. ``line_payload`` is the part of the line's time to the board that the windows'
trits take, five to a byte of ten bits. The time to the class goes from the last sample, which the host has
encoded, to the answer in the program, of which the latency timer of the board's USB chip takes 1 ms.

``--results`` writes ``docs/results/window-rates.json``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sim.measure.link_rate import BITS, ROOT, timed_board
from sim.measure.routed import report_of
from trine_boards import BOARDS
from trine_sw.model.trits import pack
from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.json_text import json_text

__all__ = ["ENGINES", "window_rates"]

#: The reports of docs/results whose engines are looked at; their models are in models/.
ENGINES = (
    "icebreaker-spoken-digits-small",
    "ulx3s-spoken-digits",
    "icebreaker-japanese-vowels",
    "icebreaker-basic-motions",
)
_WINDOWS = 400
_STEPS = 50
_RECORD = Path("docs/results/window-rates.json")


def window_rates(name: str) -> dict[str, float]:
    """Of the report `name`: baud rate, mean steps of a window, windows/s of the engine and over the link, the
    part of the line's time that inputs take, and microseconds from the last sample to the class."""
    report = report_of(name)
    driver, transport = timed_board(report)
    model = driver.model
    assert model is not None and model.sample is not None
    windows = model.sample.sequences()
    windows = [windows[n % len(windows)] for n in range(_WINDOWS)]
    steps = sum(map(len, windows)) / len(windows)
    started = transport.clock()
    assert len(driver.classify(windows)) == len(windows)
    seconds = transport.clock() - started
    baud = BOARDS[report["board"]].baud
    line_s = sum(pack(window).size for window in windows) * BITS / baud
    times = []
    for sample in model.sample.trits[:_STEPS]:
        started = transport.clock()
        driver.step(sample, ("logits",))
        times.append(transport.clock() - started)
    assert driver.host_counters.timeouts == 0
    return {
        "baud": baud,
        "steps_a_window": round(steps, 2),
        "engine_windows_per_s": round(report["tokens_per_s"] / steps),
        "windows_per_s": round(len(windows) / seconds),
        "line_payload": round(line_s / seconds, 3),
        "microseconds_to_class": round(1e6 * max(times)),
    }


def main() -> None:
    found = {name: window_rates(name) for name in ENGINES}
    for name, figures in found.items():
        print(name, *(f"{key}: {value:,}" for key, value in figures.items()), sep="  ")
    if "--results" in sys.argv[1:]:
        record = {"command": "python -m sim.measure.window_rate --results", "engines": found}
        with atomic_write(ROOT / _RECORD) as file:
            file.write((json_text(record, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
