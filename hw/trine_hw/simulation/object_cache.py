"""Cache of Verilator's run-time library: compiled once for all simulators, not once for each.

The library is most of what the C++ compiler does for a small design. Verilator's makefiles put ``OBJCACHE``
before every call of the compiler; here that is this file, run as a program, which compiles everything but the
library's sources as it is told to.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["compile_once", "with_object_cache"]

#: Names the folder of compiled objects to the program.
_FOLDER = "TRINE_OBJECT_CACHE"
#: Where compilers look for headers beside what their arguments say.
_SEARCHED = ("CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH")


def with_object_cache(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """An environment for Verilator's makefiles in which compiled objects of its library are kept in
    ``folder``."""
    command = shlex.join([sys.executable, "-I", "-S", os.path.abspath(__file__)])
    return {**environment, "OBJCACHE": command.replace("$", "$$"), _FOLDER: str(folder)}


def compile_once(command: Sequence[str], folder: Path) -> int:
    """Run a compiler, or copy what it made of the same source before; returns its exit status.

    An object is known by the compiler, its arguments, the source and all headers beside it. A cache that
    cannot be read or written changes nothing but the time.
    """
    sources = [argument for argument in command if Path(argument).name.startswith("verilated")]
    sources = [source for source in sources if source.endswith(".cpp") and os.path.isabs(source)]
    if len(sources) != 1 or "-c" not in command or "-o" not in command[:-1]:
        return subprocess.call(command)
    target = Path(command[list(command).index("-o") + 1])
    kept = folder / f"{target.stem}-{_digest(command, target, Path(sources[0]))}.o"
    try:
        shutil.copyfile(kept, target)
        return 0
    except OSError:
        status = subprocess.call(command)
    if status == 0:
        partial = folder / f".{kept.name}.{secrets.token_hex(4)}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(target, partial)
            os.replace(partial, kept)
        except OSError:
            with suppress(OSError):
                partial.unlink()
    return status


def _digest(command: Sequence[str], target: Path, source: Path) -> str:
    compiler = shutil.which(command[0]) or command[0]
    digest = hashlib.sha256()
    arguments = [argument for argument in command[1:] if argument != str(target)]
    about = os.stat(compiler) if os.path.exists(compiler) else None
    identity = (os.path.realpath(compiler), about and (about.st_size, about.st_mtime_ns))
    digest.update(repr((identity, arguments, [os.environ.get(name) for name in _SEARCHED])).encode())
    for file in (source, *sorted(source.parent.glob("*.h"))):
        digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:24]


if __name__ == "__main__":
    sys.exit(compile_once(sys.argv[1:], Path(os.environ[_FOLDER])))
