"""Where files of data are looked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = ["data_folders", "data_path", "files_of"]


def data_folders() -> list[Path]:
    """``$TRINE_DATA`` where it is set, then ``./data``."""
    return [Path(folder) for folder in (os.environ.get("TRINE_DATA"), "data") if folder]


def data_path(path: str | os.PathLike[str]) -> Path:
    """Where a file or folder of data is: as it stands, or else within one of :func:`data_folders`.

    Raises :class:`TrineError` where it is in none of them.
    """
    if not os.fspath(path):
        raise TrineError("the path of the data is empty")
    given = Path(path)
    places = [given] if given.is_absolute() else [given, *(folder / given for folder in data_folders())]
    try:
        found = next((place for place in places if place.exists()), None)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TrineError(f"cannot read {shown(os.fspath(path))}: {reason}") from None
    if found is None:
        raise TrineError(f"there is no file or folder {path} (looked for {', '.join(map(str, places))})")
    return found


def files_of(data: Any) -> list[Path]:
    """The files and folders that data names: its own, and those of the parts that are held out."""
    parts = (data, data.valid, data.test)
    return [data_path(part.path) for part in parts if part is not None and part.path is not None]
