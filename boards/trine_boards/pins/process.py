"""The program that simulates a board at its pins, which is told what its host does and says what it sees."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from trine_sw.driver.waiting import readable
from trine_sw.support.errors import TrineError
from trine_sw.support.processes import end_with

__all__ = ["PinProcess"]


class PinProcess:
    """A simulation that runs: bytes go to its host, lines of text come back. It ends when the thread that
    started it does, also where the process is killed.

    Parameters
    ----------
    program : see :func:`trine_boards.pins.simulation.compiled`
    arguments : of the program

    Raises
    ------
    TrineError
        From any method, where the simulation has ended by itself.
    """

    def __init__(self, program: Path, arguments: list[str]) -> None:
        self._process = subprocess.Popen(
            [str(program), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            preexec_fn=end_with(os.getpid()),
        )
        assert self._process.stdin and self._process.stdout
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._rest = b""

    def put(self, commands: bytes) -> None:
        """Send commands to the host."""
        try:
            while commands:
                commands = commands[self._stdin.write(commands) or 0 :]
        except BrokenPipeError:
            raise self._ended() from None

    def lines(self, timeout: float = 1.0) -> list[bytes]:
        """Whole lines that have come, none after so many seconds without any; those between may be empty."""
        if not readable([self._stdout], timeout):
            return []
        text = os.read(self._stdout.fileno(), 1 << 16)
        if not text:
            raise self._ended()
        *lines, self._rest = (self._rest + text).split(b"\n")
        return lines

    def ask(self, command: bytes) -> bytes:
        """The line by which the host answers a command; there must be no other that has not been read."""
        self.put(command)
        while not (lines := self.lines()):
            pass
        (line,) = lines
        return line

    def _ended(self) -> TrineError:
        return TrineError(f"the simulation of the netlist has ended with status {self._process.wait()}")

    def close(self) -> None:
        """End the simulator; may be repeated."""
        if not self._stdin.closed:
            self._stdin.close()
            self._process.kill()
            self._process.wait()
            self._stdout.close()
