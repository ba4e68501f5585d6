"""Programming of a board with openFPGALoader, and the check of what answers afterwards."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, fields
from pathlib import Path

from trine_boards.board_spec import BoardSpec
from trine_boards.build.families import FAMILIES
from trine_sw.link.board_info import Info
from trine_sw.support import toolchain
from trine_sw.support.errors import TrineError

__all__ = ["Difference", "compare", "program"]

# What openFPGALoader prints of a step that failed, also where it exits with 0: "Wait for CDONE FAIL" of an
# iCE40, "Fail" of a flash, "Error: ..." of a cable.
_FAILED = re.compile(r"\b(FAIL(ED)?|[Ff]ail(ed)?|[Ee]rror)\b")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LAST_LINES = 3
_LIBRARIES = "libusb-1.0-0 and libftdi1-2 on Debian"


def program(bitstream: Path, board: BoardSpec, *, flash: bool = False) -> None:
    """Load ``bitstream`` into the chip's configuration memory, or with ``flash`` into the flash beside it.

    The memory is always named: without that, openFPGALoader writes to flash on boards whose chip is
    configured over SPI.

    Raises
    ------
    TrineError
        If the file is not a bitstream of this board, openFPGALoader does not know the board, is missing or
        cannot start, the board cannot be programmed, or a step failed although openFPGALoader exits with 0.
    """
    wanted = f".{FAMILIES[board.family].bitstream}"
    if bitstream.suffix != wanted:  # the loader would write anything else to flash as it is
        raise TrineError(f"{bitstream} is no bitstream for {board.title}: its name must end in {wanted}")
    if not bitstream.is_file() or not bitstream.stat().st_size:
        raise TrineError(f"there is no bitstream {bitstream}, or it is empty; make it with trine build")
    if not board.programmer:
        raise TrineError(f"openFPGALoader does not know {board.title}: {board.program_note}")
    loader = toolchain.require("openFPGALoader")
    memory = "--write-flash" if flash else "--write-sram"
    command = [*loader.command, "--board", board.programmer, memory, str(bitstream)]
    done = subprocess.run(
        command,
        env=loader.environ(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    said = _COLOURS.sub("", done.stdout + "\n" + done.stderr).replace("\r", "\n")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    failed = [line for line in lines if _FAILED.search(line)]
    if not done.returncode and not failed:
        return
    shown = "; ".join((failed or lines)[-_LAST_LINES:]) or f"status {done.returncode}"
    if "shared libraries" in said:
        advice = f"Install that library from your system's packages ({_LIBRARIES})"
    elif not flash and "CDONE" in shown:
        advice = (
            "The chip has not started from its own memory. "
            + (board.sram_note or "Is this bitstream made for its chip?")
            + " With --flash the bitstream goes to the flash, and the chip starts from there"
        )
    else:
        advice = "Is it plugged in, and may you use it? See trine doctor"
    raise TrineError(f"openFPGALoader could not program {board.title}: {shown}. {advice}")


@dataclass(frozen=True)
class Difference:
    """A field of :class:`trine_sw.link.board_info.Info` in which a board is not what was built."""

    field: str
    built: object
    answered: object

    def __str__(self) -> str:
        built, answered = (
            value.hex()[:12] + "…" if isinstance(value, bytes) else str(value)
            for value in (self.built, self.answered)
        )
        return f"{self.field} is {answered} and was built as {built}"


def compare(built: Info, answered: Info) -> list[Difference]:
    """The fields in which the board that answered differs from the one that was built; none if it is that.

    >>> from dataclasses import replace
    >>> info = Info(3, bytes(32), 4, 1, 4, 8, 16, 1, 1, 1, True, True, 1, 0, 0, 9, 8, 256, 2048, 80, 1, 0.5)
    >>> [str(difference) for difference in compare(info, replace(info, lanes=32))]
    ['lanes is 32 and was built as 16']
    """
    return [
        Difference(entry.name, getattr(built, entry.name), getattr(answered, entry.name))
        for entry in fields(Info)
        if getattr(built, entry.name) != getattr(answered, entry.name)
    ]
