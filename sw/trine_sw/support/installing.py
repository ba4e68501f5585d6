"""What to install where something is missing, worded for a checkout and for an installed wheel alike."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trine_sw.support.errors import MissingPackage

__all__ = ["checkout", "install_hint", "needed"]


@functools.cache
def checkout() -> Path | None:
    """The folder of the checkout that this code is in; None where Trine is installed from a wheel."""
    root = Path(__file__).resolve().parents[3]
    try:
        text = (root / "pyproject.toml").read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        return None
    return root if '\nname = "trine"\n' in text else None


def install_hint(extra: str) -> str:
    """The command that installs what an extra of the distribution, such as ``train``, brings.

    It can be run in any folder, and needs no index that has Trine: a checkout is named by its path, and an
    installed wheel says what its extras are.
    """
    root = checkout()
    if root is None:
        return f"pip install 'trine[{extra}]'"
    return f"pip install -e {shlex.quote(f'{root}[{extra}]')}"


@contextmanager
def needed(package: str, extra: str, purpose: str) -> Iterator[None]:
    """Imports in the block need `package`; where it is missing, the error says what to install.

    >>> with needed("no_such_package", "figures", "drawing"):
    ...     import no_such_package
    Traceback (most recent call last):
    trine_sw.support.errors.MissingPackage: drawing needs no_such_package, which is missing: pip install ...

    Raises
    ------
    MissingPackage
        Where an import fails for lack of `package`. Any other import that fails is left as it is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != package:
            raise
        hint = install_hint(extra)
        raise MissingPackage(f"{purpose} needs {package}, which is missing: {hint}") from None
