"""Atomic writes: a full disk or Ctrl-C leaves the file of before."""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from trine_sw.support.errors import TrineError

__all__ = [
    "atomic_write",
    "check_apart",
    "check_folder",
    "check_writable",
    "is_special",
    "make_folder",
    "remove_leftovers",
]

#: Bytes that are written to see whether a disk has room at all: more than a file system keeps in an inode.
_PROBE = b"\0" * (1 << 16)


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A new binary file that takes the place of ``path`` when the block ends well.

    Otherwise, whether by an error or an interruption, what stood at ``path`` stays and nothing else is left.
    Folders that are missing are made. A link is followed. A device or a pipe cannot be replaced, and is
    written to.

    Raises
    ------
    TrineError
        If the file cannot be written: says why.
    """
    with _cannot_write(path):
        special = is_special(path)
        target = Path(path) if special else Path(os.path.realpath(path))
        temporary = target if special else target.with_name(f".{target.name}.{os.getpid()}.tmp")
        if target.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        make_folder(target.parent)
    try:
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                if not special:
                    os.fsync(file.fileno())
            if not special:
                os.replace(temporary, target)
        finally:
            if not special:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise TrineError(f"cannot write {path}: {error.strerror or error}") from None


def remove_leftovers(folder: Path) -> None:
    """Remove what a process that was killed in an atomic write left below a folder that is this process's."""
    for path in folder.rglob(".*.tmp"):
        if re.fullmatch(r"\..+\.\d+\.tmp", path.name):
            path.unlink(missing_ok=True)


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder, and those above it, where there is none yet; :class:`TrineError` where that fails."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise TrineError(f"cannot write to {path}: it is no folder") from None
    except OSError as error:
        raise TrineError(f"cannot make the folder {path}: {error.strerror}") from None
    return folder


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise :class:`TrineError` where a file cannot be written there; for use before hours of work.

    Something is really written, beside the file or where its folder will be made, and removed: so a full
    disk is seen too. Nothing is left behind, and the file itself is not touched. A device is asked.
    """
    with _cannot_write(path):
        if is_special(path):
            _ask_device(path)
            return
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        _probe(target.parent)


def check_apart(
    outputs: Iterable[str | os.PathLike[str] | None], inputs: Iterable[str | os.PathLike[str] | None]
) -> None:
    """Raise :class:`TrineError` where a file to write is one that is read, or is to be written twice.

    Devices are no files, and None is none.
    """
    kept = {os.path.realpath(path): path for path in inputs if path is not None}
    seen: set[str] = set()
    for path in outputs:
        if path is None or is_special(path):
            continue
        if (real := os.path.realpath(path)) in kept:
            raise TrineError(f"cannot write {path}: {kept[real]} is read here, and would be lost")
        if real in seen:
            raise TrineError(f"cannot write {path}: two files would be written there")
        seen.add(real)


def check_folder(path: str | os.PathLike[str]) -> None:
    """Raise :class:`TrineError` where no file can be written into a folder, as :func:`check_writable` does.

    Where the folder is missing, it must be possible to make it.
    """
    with _cannot_write(path):
        _probe(Path(os.path.realpath(path)))


@contextmanager
def _cannot_write(path: str | os.PathLike[str]) -> Iterator[None]:
    """What the system says of a file or folder, as the one error."""
    try:
        yield
    except OSError as error:
        raise TrineError(f"cannot write {path}: {error.strerror or error}") from None
    except ValueError as error:  # a NUL in the name
        raise TrineError(f"cannot write {str(path)!r}: {error}") from None


def is_special(path: str | os.PathLike[str]) -> bool:
    """Whether a device, a pipe or a socket is there."""
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _ask_device(path: str | os.PathLike[str]) -> None:
    """Write nothing to a device, which a full one refuses; a pipe waits for its reader until it is used."""
    if stat.S_ISFIFO(os.stat(path).st_mode):
        return
    number = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.write(number, b"")
    finally:
        os.close(number)


def _probe(folder: Path) -> None:
    """Write a file into a folder, or into the nearest one above it that is there, and remove it."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(0, f"it is no folder: {folder}")
    name = folder / f".trine.{os.getpid()}.probe"
    number = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(_PROBE)
        while rest:
            rest = rest[os.write(number, rest) :]
        os.fsync(number)
    finally:
        os.close(number)
        os.unlink(name)
