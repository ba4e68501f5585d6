"""Store of finished build steps by their content, which builds, workers and machines may share."""

import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trine_sw.support.errors import TrineError

__all__ = ["StepStore"]


@dataclass(frozen=True)
class StepStore:
    """A folder that has the files of each step in a folder of its own, ``DIGEST[:2]/DIGEST``.

    The digest is :meth:`trine_boards.build.cached_step.Step.digest`: tool, version, arguments and contents of
    the inputs. A folder is there whole or not at all. The store may be removed at any time.
    """

    folder: Path

    def _place(self, digest: str) -> Path:
        return self.folder / digest[:2] / digest

    def fetch(self, digest: str, names: Sequence[str], folder: Path) -> bool:
        """Copy a step's files to `folder`, each at once; returns whether the store had them."""
        place = self._place(digest)
        if not all((place / name).is_file() for name in names):
            return False
        try:
            for name in names:
                temporary = folder / f".{name}.{secrets.token_hex(4)}"
                shutil.copyfile(place / name, temporary)
                os.replace(temporary, folder / name)
        except FileNotFoundError:  # removed meanwhile
            return False
        return True

    def keep(self, digest: str, names: Sequence[str], folder: Path) -> None:
        """Keep a step's files from `folder`, unless they are there.

        Raises
        ------
        TrineError
            Where the store cannot be written to.
        """
        place = self._place(digest)
        if place.is_dir():
            return
        temporary = place.with_name(f".{digest[:16]}-{secrets.token_hex(4)}")
        try:
            temporary.mkdir(parents=True)
            for name in names:
                shutil.copyfile(folder / name, temporary / name)
            os.rename(temporary, place)
        except OSError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            if not place.is_dir():  # otherwise another process was faster
                raise TrineError(f"cannot keep a step in {self.folder}: {error.strerror}") from None
