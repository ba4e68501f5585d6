"""Compiled simulators, made once and kept in the cache: whole or not at all, and for every user of it."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from trine_hw.simulation.object_cache import with_object_cache
from trine_sw.support import toolchain
from trine_sw.support.cache import cache_folder, cache_place
from trine_sw.support.errors import TrineError
from trine_sw.support.interruption import Interrupted
from trine_sw.support.plain_path import plain_path, scratch_folder
from trine_sw.support.processes import run_logged

__all__ = ["kept", "sweep", "telling_lines"]

#: Folder of the cache with the objects that simulators share.
_OBJECTS = "objects"
#: In the folder of a compilation under way, locked by its process as long as that lives.
_LOCK = "owner.lock"
#: Seconds after which a folder without a lock file is taken for one that was left behind.
_YOUNG = 600
_LEFT_OVER = ("*.o", "*.gch", "*.cpp", "*.a", _LOCK)
#: What Verilator, the compiler, the linker, make, Icarus, the shell and the system say of an error, and not
#: what merely has the word in a name.
_ERROR = re.compile(
    r"^%Error|(?:^|[\s:])(?:fatal |internal |syntax )?error\s*:|(?i:\bsyntax error\b)|\*\*\* |: sorry: "
    r"|undefined reference|collect2:|cannot find -l|not found$|No such file or directory|Permission denied"
    r"|No space left on device|Read-only file system|Killed|Out of memory|Traceback|^\w*Error: "
)


def kept(
    name: str, tool: toolchain.Tool, make: Callable[[Path], list[list[str]]], *, cache: Path | None = None
) -> Path:
    """The folder ``name`` of the cache; where it is not there, ``make`` writes what the commands that it
    returns compile, in the folder that it is given and that they run in; its path is plain
    (:mod:`trine_sw.support.plain_path`), whatever the cache's is.

    Raises
    ------
    TrineError
        If the cache cannot be written to, a command fails (with its errors, and where its log is), or it is
        interrupted.
    """
    if cache is None:
        cache, objects = cache_folder("simulators"), cache_place(_OBJECTS)
    else:
        cache = Path(os.path.abspath(cache))
        objects = cache / _OBJECTS
    folder = cache / name
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    sweep(cache)
    with _workplace(cache, name) as finished, _plain_folder(finished) as work:
        log = work / "build.log"
        try:
            commands = make(work)
            environment = with_object_cache(tool.environ(), objects)
            with log.open("wb") as output:
                for command in commands:
                    if run_logged(command, cwd=work, env=environment, log=output):
                        raise _failed(log, cache / f"{name}.log", command[0])
        except KeyboardInterrupt:
            raise Interrupted(
                f"the build of the {tool.name} simulator was interrupted; run it again"
            ) from None
        for pattern in _LEFT_OVER:
            for left_over in work.glob(pattern):
                left_over.unlink()
        if work != finished:
            for made in work.iterdir():
                shutil.move(made, finished)
            (finished / _LOCK).unlink()
        try:
            os.replace(finished, folder)
        except OSError:
            if not folder.is_dir():  # otherwise another process was faster
                raise
    return folder


@contextmanager
def _workplace(cache: Path, name: str) -> Iterator[Path]:
    """A new folder, locked while the block lasts and removed then, with the modes that the umask gives."""
    work = cache / f".{name[:20]}-{os.getpid()}-{secrets.token_hex(4)}"
    work.mkdir()
    try:
        with (work / _LOCK).open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
            except OSError:  # a file system without locks: nothing there is swept either
                pass
            yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _plain_folder(folder: Path) -> Iterator[Path]:
    """The folder itself, or another to work in where its path has blanks, which makefiles refuse."""
    if plain_path(folder) == folder:
        yield folder
        return
    work = scratch_folder() / folder.name.strip(".")
    work.mkdir()
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def sweep(cache: Path) -> None:
    """Remove what compilations have left that were killed: their process is gone, and its lock with it."""
    for left in cache.glob(".*-*"):
        try:
            if not left.is_dir():
                continue
            if not (left / _LOCK).exists():
                abandoned = time.time() - left.stat().st_mtime > _YOUNG
            else:
                with (left / _LOCK).open("rb") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    abandoned = True
        except OSError:  # held, another user's, gone meanwhile, or no locks here
            continue
        if abandoned:
            shutil.rmtree(left, ignore_errors=True)


def telling_lines(lines: Iterable[str]) -> list[str]:
    """The lines of a log that say what went wrong; the last ones where none does."""
    there = [line.strip() for line in lines if line.strip()]
    return [line for line in there if _ERROR.search(line)] or there[-3:]


def _failed(log: Path, kept_log: Path, program: str) -> TrineError:
    shutil.copyfile(log, kept_log)
    errors = telling_lines(log.read_text(encoding="utf-8", errors="replace").splitlines())
    return TrineError(f"{Path(program).name} failed: {' / '.join(errors[:3])} (log: {kept_log})")
