"""Bytes that a C client takes in flash and RAM, of what a compiler makes of it."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from trine_sw.client.c_client import CClient
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = ["ObjectSize", "object_size"]

_OPTIONS = ("-std=c99", "-Os", "-ffunction-sections", "-fno-common", "-c")
_SECONDS = 120


@dataclass(frozen=True)
class ObjectSize:
    """What a compiler makes of a client.

    Members
    -------
    flash_bytes : code, tables and texts, all functions together; a linker leaves out what is not called
    state_bytes : of a client in RAM
    command : of the compiler, with the options
    """

    flash_bytes: int
    state_bytes: int
    command: str


def object_size(client: CClient, compiler: str = "gcc") -> ObjectSize | None:
    """The size of a client's object file, or None where there is no such compiler or no ``size`` beside it.

    Parameters
    ----------
    compiler : command of a gcc, with options, such as ``"arm-none-eabi-gcc -mcpu=cortex-m0plus -mthumb"``

    Raises
    ------
    TrineError
        If the command is not to be understood, or the compiler fails: with what it says.
    """
    try:
        words = shlex.split(compiler)
    except ValueError:
        words = []
    if not words:
        raise TrineError(f"the compiler must be a command such as gcc, not {shown(compiler)}")
    program = shutil.which(words[0])
    name = Path(words[0]).name
    measure = name.removesuffix("gcc") + "size" if name.endswith("gcc") else "size"
    beside = Path(program).with_name(measure) if program else None
    size = str(beside) if beside and beside.exists() else shutil.which(measure)
    if program is None or size is None:
        return None
    with tempfile.TemporaryDirectory(prefix="trine-client-") as name:
        folder = Path(name)
        _, source = client.write(folder)
        state = folder / "state.c"
        prefix = client.name.removesuffix("_client")
        state.write_text(f'#include "{client.name}.h"\n{client.name} {prefix}_state;\n', encoding="ascii")
        sizes = []
        for path in (source, state):
            made = path.with_suffix(".o")
            _run([program, *words[1:], *_OPTIONS, "-o", str(made), str(path)])
            sizes.append(_sections(_run([size, str(made)])))
    (text, data, _), (_, _, state_bytes) = sizes
    return ObjectSize(text + data, state_bytes, shlex.join([*words, *_OPTIONS[:2]]))


def _run(command: list[str]) -> str:
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TrineError(f"cannot run {command[0]}: {error}") from None
    if run.returncode:
        line = next((line for line in run.stderr.splitlines() if "error" in line), run.stderr.strip())
        raise TrineError(f"{command[0]} fails: {line or f'exit status {run.returncode}'}")
    return run.stdout


def _sections(text: str) -> tuple[int, int, int]:
    """Bytes of text, data and bss in what ``size`` prints."""
    try:
        code, data, bss = (int(word) for word in text.splitlines()[1].split()[:3])
    except (IndexError, ValueError):
        raise TrineError(f"cannot read the output of size: {shown(text)}") from None
    return code, data, bss
