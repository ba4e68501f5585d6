"""The program that simulates a board at its pins ends with the process that started it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

CODE = """
import sys, time
from pathlib import Path
from trine_boards.pins.process import PinProcess
board = PinProcess(Path(sys.argv[1]), [])
(line,) = board.lines(60)
print(line.decode(), flush=True)
time.sleep(600)
"""


def ended(pid: int) -> bool:
    """Whether a process has ended, or is to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_a_simulator_ends_with_its_worker(tmp_path):
    """Killed, so that no handler runs; the simulator is in the midst of a long run, and reads nothing."""
    program = tmp_path / "pins"
    program.write_text("#!/bin/sh\necho $$\nexec sleep 600\n", encoding="utf-8")
    program.chmod(0o755)
    with subprocess.Popen(
        [sys.executable, "-c", CODE, str(program)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as worker:
        assert worker.stdout
        simulator = int(worker.stdout.readline())
        try:
            assert not ended(simulator)
            worker.kill()
            worker.wait()
            end = time.monotonic() + 60
            while not ended(simulator):
                assert time.monotonic() < end
                time.sleep(0.05)
        finally:
            worker.kill()
            if not ended(simulator):
                os.kill(simulator, signal.SIGKILL)
