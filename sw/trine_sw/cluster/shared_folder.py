"""A folder of the client's as workers have it: the folder itself where they see it, otherwise a copy whose
changes are sent back."""

from __future__ import annotations

import io
import os
import secrets
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from trine_sw.cluster.job import Cluster
from trine_sw.support.errors import TrineError

__all__ = ["FolderCopy", "SharedFolder", "shared", "unpack"]

#: Names of files and folders that say nothing to another process: half made, or of a process that runs.
_PRIVATE = (".lock", ".shared-", ".partial")
#: What says of other files that they are complete, and is therefore put in place after them.
_RECORDS = (".step.json", "build.json")


@dataclass
class FolderCopy:
    """A folder as a worker has it.

    Members
    -------
    path : where it is on this machine
    own : whether it is a copy, whose changes :meth:`changes` packs
    """

    path: Path
    own: bool
    _before: dict[str, tuple[int, int]] = field(default_factory=dict)

    def changes(self) -> bytes | None:
        """The files that are new or changed, packed; None where the client sees them itself."""
        if not self.own:
            return None
        names = [name for name, state in _states(self.path).items() if self._before.get(name) != state]
        return _pack(self.path, names)


@dataclass(frozen=True)
class SharedFolder:
    """A folder of the client's on its way to workers: made by :func:`shared`.

    Members
    -------
    path : where the client has it
    token : a name in the folder by which a worker knows that it sees the same
    packed : files for workers that do not see it
    """

    path: str
    token: str
    packed: bytes

    @contextmanager
    def here(self) -> Iterator[FolderCopy]:
        """The folder on this machine; a copy lasts as long as the block."""
        path = Path(self.path)
        if not self.token or (path / self.token).exists():
            yield FolderCopy(path, own=False)
            return
        with tempfile.TemporaryDirectory(prefix="trine-") as name:
            copy = Path(name)
            unpack(self.packed, copy)
            yield FolderCopy(copy, True, _states(copy))


@contextmanager
def shared(folder: Path, cluster: Cluster, names: Iterable[str] | None = None) -> Iterator[SharedFolder]:
    """Offer an existing folder to workers while the block lasts; `names` says which of its files, or all."""
    folder = Path(os.path.abspath(folder))
    if cluster.address is None:  # the workers are processes of this machine
        yield SharedFolder(str(folder), "", b"")
        return
    marker = folder / f".shared-{secrets.token_hex(8)}"
    try:
        marker.touch()
        yield SharedFolder(
            str(folder), marker.name, _pack(folder, _states(folder) if names is None else names)
        )
    except OSError as error:
        raise TrineError(f"cannot share {folder} with workers: {error.strerror}") from None
    finally:
        marker.unlink(missing_ok=True)


def unpack(packed: bytes | None, folder: Path) -> None:
    """Put packed files in place, each at once, records last; nothing for None."""
    if packed is None:
        return
    with tempfile.TemporaryDirectory(prefix=".shared-", dir=folder) as name:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            archive.extractall(name)  # which keeps names below the folder
        for path in sorted(Path(name).rglob("*"), key=lambda path: path.name.endswith(_RECORDS)):
            if path.is_file():
                target = folder / path.relative_to(name)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)


def _states(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each file that another process may read, by its path in the folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if any(word in part for part in parts for word in _PRIVATE) or not path.is_file():
            continue
        status = path.stat()
        found["/".join(parts)] = status.st_size, status.st_mtime_ns
    return found


def _pack(folder: Path, names: Iterable[str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            with (folder / name).open("rb") as source, archive.open(name, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target)
    return buffer.getvalue()
