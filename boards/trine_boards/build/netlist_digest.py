"""Digest of an elaborated netlist, by which a report's netlist is compared with what the source gives now."""

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from trine_boards.board_spec import BoardSpec
from trine_boards.build.elaboration import elaborate, verilog_files

__all__ = ["elaborated_digest", "netlist_digest"]

#: Attributes that say where a line of source stands or which program wrote it; they are no hardware.
_OF_SOURCE = re.compile(r"[ \t]*attribute \\(?:src|generator|hdlname) ")
#: A string, which stays as it is, or an identifier.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\\$][^\s\[\]{}"]+')
_PORT = re.compile(r"\s*wire .*?(?:input|output|inout) (\d+).* (\S+)$")


def netlist_digest(rtlil: str, *verilog: str) -> str:
    """SHA-256, hexadecimal, of a netlist in RTLIL, and of Verilog with modules that it has cells of.

    Verilog counts as it is. Of RTLIL, names inside the design and attributes that tell of its source are left
    out: wires, cells and modules count by the order in which they come. Names of the top module's ports, of
    primitives, parameters and attributes are kept.
    """
    state = sha256()
    for line in _without_names(rtlil.splitlines()):
        state.update(line.encode() + b"\n")
    for text in verilog:
        state.update(b"verilog " + sha256(text.encode()).digest())
    return state.hexdigest()


def _without_names(lines: list[str]) -> Iterator[str]:
    """Each line with numbers instead of the names inside the design."""
    ports: dict[str, dict[str, str]] = {}
    tops: set[str] = set()
    ports_here: dict[str, str] = {}
    for line in lines:
        words = line.split()
        if words[:1] == ["module"]:
            ports_here = ports[words[1]] = {}
            tops.add(words[1])
        elif found := _PORT.match(line):
            ports_here[found[2]] = found[1]
    for words in map(str.split, lines):
        if words[:1] == ["cell"]:
            tops.discard(words[1])
    modules = {name: f"module{number}" for number, name in enumerate(ports)}
    local: dict[str, str] = {}
    cell = ""
    for line in lines:
        words = line.split()
        if not words or _OF_SOURCE.match(line):
            continue
        if words[0] == "module":
            local = {name: name for name in ports[words[1]]} if words[1] in tops else {}
            yield f"module {words[1] if words[1] in tops else modules[words[1]]}"
        elif words[0] == "cell":
            cell = words[1]
            yield f"cell {modules.get(cell, cell)} {_number(words[2], local)}"
        elif words[0] == "connect" and cell:
            port = ports[cell].get(words[1], words[1]) if cell in ports else words[1]
            yield f"connect {port} {_numbered(line.split(None, 2)[2], local)}"
        elif words[0] == "parameter" and words[1] == r"\MEMID":
            name = line.split('"')[1].replace("\\\\", "\\")
            yield f"parameter memory {_number(name, local)}"
        elif words[0] in ("attribute", "parameter"):
            yield line.strip()
        else:
            if words[0] == "end":
                cell = ""
            yield _numbered(line.strip(), local)


def _numbered(text: str, local: dict[str, str]) -> str:
    return _TOKEN.sub(lambda found: found[0] if found[0][0] == '"' else _number(found[0], local), text)


def _number(name: str, local: dict[str, str]) -> str:
    return local.setdefault(name, f"#{len(local)}")


def elaborated_digest(top: Any, board: BoardSpec) -> str:
    """The digest of the netlist that `top` elaborates to for `board`, as ``trine build`` would write it."""
    files = elaborate(top, board.platform())
    return netlist_digest(*(files[name].decode() for name in ("top.il", *verilog_files(files))))
