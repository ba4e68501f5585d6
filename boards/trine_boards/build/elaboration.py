"""Elaboration of a board's top to the files that the tools read."""

from typing import Any

from trine_sw.support.collection import collection_paused

__all__ = ["elaborate"]


def elaborate(top: Any, platform: Any) -> dict[str, bytes]:
    """Contents of the files by name: the netlist ``top.il``, and the platform's constraints and scripts.

    The netlist has no lines of source in it, so that a line that moves changes nothing.
    """
    with collection_paused():
        # Verilog for debugging would take Yosys as long as the elaboration.
        plan = platform.prepare(top, "top", emit_src=False, debug_verilog=False)
    return {name: text if isinstance(text, bytes) else text.encode() for name, text in plan.files.items()}
