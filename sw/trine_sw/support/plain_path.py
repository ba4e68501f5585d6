"""Links without blanks to files whose path make, the linker or a shell would split."""

import atexit
import functools
import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path

from trine_sw.support.errors import TrineError

__all__ = ["plain_path", "scratch_folder"]

#: What no make, shell or command-line parser gives a meaning to.
_PLAIN = re.compile(r"[A-Za-z0-9_./+-]*")


@functools.cache
def scratch_folder() -> Path:
    """A folder of this process alone, of a plain name, removed when it ends.

    Raises
    ------
    TrineError
        Where no folder for temporary files has a plain name and may be written to.
    """
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"):
        if _PLAIN.fullmatch(parent) and os.access(parent, os.W_OK | os.X_OK):
            folder = Path(tempfile.mkdtemp(prefix="trine-", dir=parent))
            atexit.register(_remove, folder, os.getpid())
            return folder
    raise TrineError(
        "there is no folder for temporary files that has no blanks in its path and may be written to; "
        "set TMPDIR to one"
    )


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # not a forked child's to remove
        shutil.rmtree(folder, ignore_errors=True)


def plain_path(path: str | os.PathLike[str]) -> Path:
    """The path, or a link to it of a plain name, which lasts as long as this process.

    Raises :exc:`TrineError` as :func:`scratch_folder` does.
    """
    whole = os.path.abspath(path)
    if _PLAIN.fullmatch(whole):
        return Path(whole)
    link = scratch_folder() / f"link-{hashlib.sha256(os.fsencode(whole)).hexdigest()[:16]}"
    if not link.is_symlink():
        try:
            link.symlink_to(whole)
        except FileExistsError:  # another thread was faster
            pass
    return link
