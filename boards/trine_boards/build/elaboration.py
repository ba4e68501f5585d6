"""Elaboration of a board's top to the files that the tools read."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trine_boards.build.families import Family
from trine_sw.support.collection import collection_paused

__all__ = ["elaborate", "netlist_sources", "synthesis_files", "synthesis_script", "verilog_files"]

#: Reads Verilog that is not ours, such as LiteEth's.
_READ_VERILOG = "read_verilog"


def elaborate(top: Any, platform: Any) -> dict[str, bytes]:
    """Contents of the files by name: the netlist ``top.il``, and the platform's constraints and scripts.

    The netlist has no lines of source in it, so that a line that moves changes nothing.
    """
    with collection_paused():
        # Verilog for debugging would take Yosys as long as the elaboration.
        plan = platform.prepare(top, "top", emit_src=False, debug_verilog=False)
    return {name: text if isinstance(text, bytes) else text.encode() for name, text in plan.files.items()}


def verilog_files(files: Iterable[str]) -> list[str]:
    """Of the names of files of :func:`elaborate`, those of Verilog that is a part of the design."""
    return sorted(name for name in files if name.endswith(".v") and name != "top.debug.v")


def synthesis_script(family: Family) -> str:
    """Yosys' commands from a netlist that has been read to ``top.json``."""
    return f"{family.synthesis.format(name='top')}write_json top.json\n"


def synthesis_files(top: Any, platform: Any, family: Family) -> dict[str, bytes]:
    """What Yosys and nextpnr read, by name: ``top.ys``, which makes ``top.json``; the netlists and libraries
    that it reads; and the constraints of pins and clocks."""
    files = elaborate(top, platform)
    others = verilog_files(files)
    script = "read_rtlil top.il\n" + "".join(f"{_READ_VERILOG} {name}\n" for name in others)
    kept = ("top.il", *others, *(f"top.{suffix}" for suffix in family.constraints))
    written = {"top.ys": (script + synthesis_script(family)).encode()}
    return {name: files[name] for name in kept} | family.library_files() | written


def netlist_sources(script: Path) -> tuple[str, ...]:
    """The netlists that the script ``top.ys`` reads; without one, those of most designs."""
    text = script.read_text(encoding="utf-8") if script.exists() else ""
    return ("top.il", *re.findall(rf"^{_READ_VERILOG} (\S+)$", text, re.MULTILINE))
