"""Synthesised netlists with a fault."""

import json
from pathlib import Path

__all__ = ["with_a_pad_that_drives"]


def with_a_pad_that_drives(port: str, right: Path, wrong: Path) -> None:
    """Copy a netlist in which the pad of bit 3 of a `port` of both directions drives its wire for ever."""
    design = json.loads(right.read_text(encoding="utf-8"))
    module = design["modules"]["top"]
    bit = module["ports"][port]["bits"][3]
    (pad,) = (cell for cell in module["cells"].values() if cell["connections"].get("B") == [bit])
    pad["connections"]["T"] = ["0"]
    wrong.write_text(json.dumps(design), encoding="utf-8")
