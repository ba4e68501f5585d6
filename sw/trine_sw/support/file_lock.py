"""Exclusive use of files by one process, so that two runs do not overwrite each other's."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trine_sw.support.atomic_file import make_folder
from trine_sw.support.errors import TrineError

__all__ = ["exclusive"]

#: What a file system without locks says; nothing is guarded there.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


@contextmanager
def exclusive(lock: Path, what: str) -> Iterator[None]:
    """While the block lasts, no other process gets past the same `lock`, a file that is made for it.

    The system releases a lock when its process ends, however it ends: a lock file that a killed process left
    is no obstacle. Folders that are missing are made; the file is removed at the end.

    Raises
    ------
    TrineError
        Where another process has the lock: says which, and `what` it uses. Where it cannot be made.
    """
    make_folder(lock.parent)
    try:
        number = _locked(lock, what)
    except OSError as error:
        raise TrineError(f"cannot write {lock}: {error.strerror}") from None
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)  # while it is still held: whoever comes next makes a new one
        os.close(number)


def _locked(lock: Path, what: str) -> int:
    """The open lock file, with this process's number in it."""
    while True:
        number = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(number, 100, 0).decode(errors="replace").strip() or "another one"
            os.close(number)
            raise TrineError(f"{what} is in use by process {holder}: wait until that has ended") from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(number)
                raise
        if _is_at(number, lock):
            os.ftruncate(number, 0)
            os.pwrite(number, f"{os.getpid()}\n".encode(), 0)
            return number
        os.close(number)  # its holder removed it between our opening and locking it


def _is_at(number: int, path: Path) -> bool:
    """Whether the open file is the one that the path names now."""
    try:
        return os.path.samestat(os.fstat(number), os.stat(path))
    except FileNotFoundError:
        return False
