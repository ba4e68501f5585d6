"""All commands of ``trine``, and how each ends: with one message where it fails or is interrupted."""

import errno
import io
import os
import sys
import warnings
from typing import Any

import click

import trine.connect  # noqa: F401  simulators become URLs
import trine_sw
from trine.cli import (
    bench,
    board,
    boards,
    build,
    client,
    demo,
    draw,
    eval,
    explore,
    hardware,
    model,
    program,
    random,
    reports,
    run,
    study,
    train,
    verify,
)
from trine_sw.support.errors import TrineError
from trine_sw.support.interruption import Interrupted, Interruption, interruptible, received

__all__ = ["cli"]


class _Commands(click.Group):
    """Shows an error that is the user's to fix as one message, without a traceback; exit status 1.

    Every command ends in the same way on Ctrl-C, a plain kill or a closed terminal: it tidies up, says what
    is kept, and its exit status is 128 and the signal's number (130 for Ctrl-C, 143 for a kill).
    """

    def main(self, *args: Any, **extra: Any) -> Any:
        # What Amaranth says of a design that an error left half made is no news.
        warnings.filterwarnings("ignore", ".*created but never used")
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # shows what its encoding lacks as \\x.., \\u....
                stream.reconfigure(errors="backslashreplace")
        with interruptible():
            return self._guarded(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """The command; click itself would end an interrupted one with "Aborted!" and status 1."""
        try:
            return super().invoke(ctx)
        except Interrupted:
            raise
        except Exception as error:
            if (cause := _interruption(error)) is None:
                raise
        except Interruption as error:
            cause = error
        raise Interrupted(f"interrupted by {cause}") from None

    def _guarded(self, *args: Any, **extra: Any) -> Any:
        try:
            return super().main(*args, **extra)
        except Interrupted as error:
            told = received()
            _fail(str(error), 1 if told is None else 128 + told)
        except TrineError as error:
            _fail(str(error))
        except MemoryError as error:
            _fail(f"there is not enough memory: {error}")
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            # A full disk under the output, a folder that may not be read: what is left after checks of ours.
            what = f"cannot use {error.filename}" if error.filename else "cannot write the output"
            _fail(f"{what}: {error.strerror or error}")


def _interruption(error: BaseException | None) -> Interruption | None:
    """The interruption that another error came of: modules that are being imported make some of it."""
    while error is not None and not isinstance(error, Interruption):
        error = error.__cause__ or error.__context__
    return error


def _fail(message: str, status: int = 1) -> None:
    click.ClickException(message).show()
    try:
        sys.stdout.flush()
    except OSError:  # would fail once more, and be shown, when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(trine_sw.__version__)
def cli() -> None:
    """Ternary recurrent inference on open FPGAs: train, simulate bit-exactly, build and program."""


_MODULES = (
    model,
    train,
    run,
    eval,
    random,
    study,
    boards,
    hardware,
    build,
    reports,
    verify,
    program,
    board,
    client,
    bench,
    draw,
    explore,
    demo,
)
for _module in _MODULES:
    for _command in _module.COMMANDS:
        cli.add_command(_command)
