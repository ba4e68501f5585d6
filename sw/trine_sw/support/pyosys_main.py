"""Yosys' command line on top of ``pyosys``, the native Yosys that PyPI has as a Python module.

``pyosys`` brings no executable, This file is run
as a program and accepts what Trine and Amaranth pass to Yosys, no more: ``-V``, ``-q``, ``-p COMMANDS``, a
script file, and ``-`` for a script on standard input. It imports nothing of Trine, so that it runs from any
folder.
"""

import argparse
import os
import sys
import tempfile

__all__ = ["main"]


def main(argv: list[str]) -> int:
    """Run Yosys over `argv`, without the program's name. A failing command ends the process with status 1."""
    parser = argparse.ArgumentParser(prog="yosys", add_help=False)
    parser.add_argument("-V", dest="version", action="store_true")
    parser.add_argument("-q", dest="quiet", action="store_true")
    parser.add_argument("-p", dest="commands", action="append", default=[])
    parser.add_argument("scripts", nargs="*")
    arguments = parser.parse_args(argv)

    from pyosys import libyosys  # pyright: ignore[reportAttributeAccessIssue]

    if arguments.version:
        print(libyosys.yosys_maybe_version())
        return 0
    design = libyosys.Design()
    mute = "tee -q " if arguments.quiet else ""
    for script in arguments.scripts:
        if script == "-":
            # Yosys reads here-documents from script files only, not from a command's text.
            with tempfile.NamedTemporaryFile("w", suffix=".ys", delete=False, encoding="utf-8") as copy:
                copy.write(sys.stdin.read())
            script = copy.name
        try:
            libyosys.run_pass(f"{mute}script {script}", design)
        finally:
            if "-" in arguments.scripts:
                os.unlink(script)
    for commands in arguments.commands:
        for command in commands.split(";"):
            if command.strip():
                libyosys.run_pass(mute + command.strip(), design)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
