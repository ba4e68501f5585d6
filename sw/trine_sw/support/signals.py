"""The signals that end a command, in a module that imports nothing else."""

import signal

__all__ = ["SIGNALS"]

#: What ends a command.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
