"""The command ``trine``: a thin skin over the packages. Nothing imports it.

This module imports nothing that takes long, so that :func:`main` is prepared for signals before anything else
happens; the commands are in :mod:`trine.cli.commands`.
"""

import os
import signal

from trine_sw.support.signals import SIGNALS

__all__ = ["main"]


def _end(number: int, frame: object) -> None:
    """What a signal does where no command is under way: nothing has been made that is to be tidied up.

    An exception could come out of a module that is being imported, whose own handlers do not expect it.
    """
    os.write(2, f"Error: interrupted by {signal.Signals(number).name}\n".encode())
    os._exit(128 + number)


def main() -> None:
    """Entry point of the command."""
    for each in SIGNALS:
        if signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, _end)
    from trine.cli.commands import cli

    cli(prog_name="trine")
