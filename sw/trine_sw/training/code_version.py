"""The version of the code, as a record of training names it."""

import subprocess
from pathlib import Path

from trine_sw import __version__

__all__ = ["code_version"]


def code_version() -> str:
    """The package's version, and the commit where it is run from a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return f"{__version__}+{commit}"
