"""Parts that the reports of simulated texts and of simulated sequences share: progress, version and files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jinja2
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from trine_sw.support import toolchain
from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.json_text import json_text

__all__ = ["progress_bar", "report_paths", "simulator_version", "write_report_files"]


@contextmanager
def progress_bar(total: int, unit: str = "tokens") -> Iterator[Callable[[int], None]]:
    """A bar on standard error, if that is a terminal; the function moves it on by some tokens or steps."""
    columns = (
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} " + unit),
        BarColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total)
        yield lambda tokens: progress.advance(task, tokens)


def simulator_version(simulator: str) -> str:
    """A simulator's name and version, for a report."""
    tool = toolchain.require("verilator" if simulator == "verilator" else "iverilog")
    return f"{tool.name} {tool.version}"


def report_paths(folder: Path, model: str) -> tuple[Path, Path]:
    """Where the report of a model of this name is written."""
    return folder / f"{model}-gateware.json", folder / f"{model}-gateware.md"


def write_report_files(report: dict[str, Any], template_path: Path, folder: Path) -> tuple[Path, Path]:
    """Write a report's fields as JSON, and as Markdown by a template."""
    environment = jinja2.Environment(
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    environment.filters["thousands"] = "{:,}".format
    template = environment.from_string(template_path.read_text(encoding="utf-8"))
    written = []
    texts = json_text(report, indent=2) + "\n", template.render(report)
    for path, text in zip(report_paths(folder, report["model"]), texts, strict=True):
        with atomic_write(path) as file:
            file.write(text.encode())
        written.append(path)
    return written[0], written[1]
