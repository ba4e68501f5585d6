"""Waveforms of a simulated core, and a save file for GTKWave that follows a token through it."""

from __future__ import annotations

import re
from pathlib import Path

from trine_hw.simulation.simulators import WAVE_FILES
from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.errors import TrineError

__all__ = ["DUMP", "SUFFIXES", "check_waves", "view_path", "view_signals", "write_view"]

#: Kind of the file that each simulator writes.
SUFFIXES = {name: Path(file).suffix for name, file in WAVE_FILES.items()}
#: A second top for Icarus, which dumps only what the design says.
DUMP = """\
module trine_dump;
  reg [8191:0] file;
  initial if ($value$plusargs("waves=%s", file)) begin
    $dumpfile(file);
    $dumpvars(0, top);
  end
endmodule
"""
#: GTKWave's flags of a trace: hexadecimal, decimal, signed decimal; a heading.
_HEX, _DECIMAL, _SIGNED, _HEADING = "@22", "@24", "@420", "@200"
#: Headings, and the module, signals and form of what stands under each.
_VIEW: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "token: taken at i; x is its vector",
        (
            ("core0", "i__valid", _HEX),
            ("core0", "i__ready", _HEX),
            ("core0", "i__payload", _HEX),
            ("core0.source", "x", _HEX),
            ("core0", "token_cycles", _DECIMAL),
            ("core0", "tokens", _DECIMAL),
        ),
    ),
    (
        "event: address and trit of each bank's column; done comes before the marker",
        (
            ("core0.issue", "addr", _HEX),
            ("core0.issue", "trits", _HEX),
            ("core0.issue", "events", _DECIMAL),
            ("core0.issue", "done", _HEX),
            ("core0.sequencer", "marker", _HEX),
        ),
    ),
    (
        "lane: words of all banks, and the sums of the first cell's lanes",
        (
            ("core0.lanes", "words", _HEX),
            *(("core0.lanes", f"sum_{lane}", _SIGNED) for lane in range(4)),
        ),
    ),
    (
        "cell: the first one's state and h",
        (
            ("core0.cells.block_0", "c_0_0", _SIGNED),
            ("core0", "h_0", _HEX),
            ("core0", "state__valid", _HEX),
        ),
    ),
)


def check_waves(path: Path, simulator: str) -> None:
    """Raise :exc:`TrineError` where ``path`` has not the suffix of what ``simulator`` writes."""
    if simulator not in SUFFIXES:
        raise TrineError(f"{simulator} has no waveforms; those who have are {', '.join(SUFFIXES)}")
    if path.suffix != SUFFIXES[simulator]:
        raise TrineError(f"{simulator} writes {SUFFIXES[simulator]}: name the waveforms so, not {path.name}")


def view_signals(verilog: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Headings, and under each the form and hierarchical name of the signals that ``verilog`` has."""
    modules = dict(
        re.findall(r"^module \\?(\S+) ?\(.*?;\n(.*?)^endmodule", verilog, re.DOTALL | re.MULTILINE)
    )
    view = []
    for heading, signals in _VIEW:
        found = []
        for module, name, form in signals:
            body = modules.get(f"top.{module}", "")
            declared = re.search(
                rf"^  (?:reg|wire)(?: signed)?(?: (\[\S+\]))? {name}(?: =.*)? *;", body, re.M
            )
            if declared:
                found.append((form, f"top.{module}.{name}{declared[1] or ''}"))
        view.append((heading, found))
    return view


def view_path(waves: Path) -> Path:
    """Where the save file of waveforms is: beside them."""
    return waves.with_suffix(".gtkw")


def write_view(waves: Path, verilog: str) -> Path:
    """Write the save file beside ``waves``; returns its path. Open it by ``gtkwave FILE.gtkw``."""
    lines = [f'[dumpfile] "{waves.resolve()}"', "[timestart] 0"]
    for heading, signals in view_signals(verilog):
        lines += [_HEADING, f"-{heading}"]
        for form, name in signals:
            lines += [form, name]
    path = view_path(waves)
    with atomic_write(path) as file:
        file.write(("\n".join(lines) + "\n").encode())
    return path
