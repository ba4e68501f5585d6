"""Files that are written whole or not at all, so that a full disk or a Ctrl-C costs nothing."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from trine_sw.errors import TrineError
from trine_sw.integers import shown

__all__ = ["check_writable", "decode_text", "make_folder", "read_text", "read_whole", "replacing"]


def read_whole(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file. Raises :class:`TrineError` where there is none, or where it may have no end."""
    try:
        # A pipe without a writer would be waited for.
        number = os.open(os.fspath(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(number, "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise TrineError(f"cannot read {path}: it is no regular file")
            return opened.read()
    except OSError as error:
        raise TrineError(f"cannot read {path}: {error.strerror or error}") from None
    except (TypeError, ValueError) as error:  # no path, or one with a NUL in it
        raise TrineError(f"cannot read {shown(path)}: {error}") from None


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a UTF-8 file, without the mark of the byte order that some editors put first.

    Raises :class:`TrineError` as :func:`read_whole` does, and for another encoding.
    """
    return decode_text(read_whole(path), path)


def decode_text(data: bytes, path: str | os.PathLike[str]) -> str:
    """The text of what a UTF-8 file holds, as :func:`read_text` gives it."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TrineError(
            f"{path} is no UTF-8 text: byte {data[error.start]:#04x} in line {line}. Convert it, say "
            "from Latin-1: iconv -f latin1 -t utf-8"
        ) from None


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A new binary file that takes the place of ``path`` when the block ends well.

    Otherwise, whether by an error or an interruption, what stood at ``path`` stays and nothing else is left.
    A link is followed. A device or a pipe cannot be replaced, and is written to.

    Raises
    ------
    TrineError
        If the file cannot be written: says why.
    """
    target = Path(os.path.realpath(path))
    special = target.exists() and not target.is_file() and not target.is_dir()
    temporary = target if special else target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        if target.is_dir():
            raise IsADirectoryError(0, "it is a folder")
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
    """Make the folder of a file that is to be written, and raise :class:`TrineError` where it cannot be."""
    target = Path(os.path.realpath(path))
    folder = make_folder(target.parent)
    if target.is_dir():
        raise TrineError(f"cannot write {path}: it is a folder")
    if not os.access(folder, os.W_OK):
        raise TrineError(f"cannot write {path}: its folder is read-only for you")
