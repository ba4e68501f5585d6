"""Digest of an elaborated netlist, by which a report's netlist is compared with what the source gives now."""

import re
from hashlib import sha256
from typing import Any

from trine_boards.board_spec import BoardSpec
from trine_sw.support import toolchain

__all__ = ["elaborated_digest", "netlist_digest"]

#: Attributes that say where a line of source stands or which program wrote it; they are no hardware.
_OF_SOURCE = re.compile(r"^[ \t]*attribute \\(?:src|generator) .*\n", re.MULTILINE)


def netlist_digest(rtlil: str) -> str:
    """SHA-256, hexadecimal, of a netlist in RTLIL without the attributes that tell of its source."""
    return sha256(_OF_SOURCE.sub("", rtlil).encode()).hexdigest()


def elaborated_digest(top: Any, board: BoardSpec) -> str:
    """The digest of the netlist that `top` elaborates to for `board`, as ``trine build`` would write it."""
    toolchain.activate()  # Amaranth writes Verilog for debugging, which needs Yosys
    contents = board.platform().prepare(top, "top", emit_src=False).files["top.il"]
    return netlist_digest(contents if isinstance(contents, str) else contents.decode())
