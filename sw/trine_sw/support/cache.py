"""The folder in which compiled simulators, kernels and tools are kept: ``$TRINE_CACHE``, or the user's cache.

All of Trine's caches lie below it. It may be removed at any time, and shared by users who may write to it.
"""

import os
from pathlib import Path

import platformdirs

from trine_sw.support.errors import TrineError

__all__ = ["cache_folder", "cache_place"]

_REMEDY = "set TRINE_CACHE to a folder that you may write to"


def cache_place(part: str = "") -> Path:
    """Where the cache, or a part of it, is or would be.

    Raises
    ------
    TrineError
        Where there is no home directory to put it in; the message names ``TRINE_CACHE``.
    """
    named = os.environ.get("TRINE_CACHE")
    try:
        folder = Path(named or platformdirs.user_cache_dir("trine"))
    except RuntimeError:  # as later versions say that there is no home directory
        folder = Path("~")
    if not named and not folder.is_absolute():  # "~" stays where none is known
        raise TrineError(f"there is no home directory to keep compiled files in: {_REMEDY}")
    return Path(os.path.abspath(folder / part))


def cache_folder(part: str = "") -> Path:
    """The cache, or a part of it, made where it is not there yet, with the modes that the umask gives.

    Raises
    ------
    TrineError
        As :func:`cache_place` does, and where it cannot be made or written to.
    """
    folder = cache_place(part)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrineError(f"cannot use {folder} for compiled files: {error.strerror}; {_REMEDY}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise TrineError(f"cannot use {folder} for compiled files: it is read-only for you; {_REMEDY}")
    return folder
