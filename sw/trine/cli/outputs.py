"""Options that name what a command writes: looked at before it does anything else."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from trine_sw.support.atomic_file import check_folder, check_writable

__all__ = ["Output", "OutputFile", "OutputFolder"]


class Output(click.Path):
    """A file or folder to write. :class:`~trine_sw.support.errors.TrineError` at once where that is
    impossible.

    The check comes with the command line, so that no command finds out after an hour of work. It leaves
    nothing behind.
    """

    _check: Callable[[Path], None]

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if ctx is None or not ctx.resilient_parsing:  # which is a shell that completes a line
            type(self)._check(path)
        return path


class OutputFile(Output):
    """A file to write; the folders above it are made."""

    _check = staticmethod(check_writable)


class OutputFolder(Output):
    """A folder to write files into; it is made where it is missing."""

    _check = staticmethod(check_folder)
