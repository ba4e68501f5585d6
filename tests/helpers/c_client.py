"""A C client as a process whose standard input and output are the wire to a board model."""

import functools
import os
import shutil
import socket
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.paths import ROOT
from trine_sw.client import c_client
from trine_sw.client.c_errors import ERRORS
from trine_sw.engine import EngineConfig
from trine_sw.link.board_model import BoardModel
from trine_sw.link.faulty_wire import FaultyWire
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model

__all__ = ["CLIENT_COMMANDS", "MODEL", "STRICT", "Program", "board_of", "compiled", "needs_gcc"]

#: A small language model, all of it on the board.
MODEL = random_model(
    ModelConfig(cell="gru", hidden=7, embedding=6, vocab_size=20, head_levels=(0, 1, 3)), seed=5
)

needs_gcc = pytest.mark.skipif(
    shutil.which("gcc") is None, reason="gcc is missing: apt install gcc libc6-dev"
)

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
_MAIN = ROOT / "tests/helpers/c_client_main.c"
_SECONDS = 120  # a program that takes longer hangs

#: The commands of the main program, by their numbers.
CLIENT_COMMANDS = {
    name: number
    for number, name in enumerate(
        "open reset step step_samples step_trits feed window window_samples window_trits generate counters "
        "encode tau host size names hostile".split()
    )
}
_ERRORS = [name for name, _ in ERRORS]


@functools.cache
def sanitizers() -> tuple[str, ...]:
    """The options that find accesses out of bounds and undefined behaviour, where they can be linked."""
    run = subprocess.run(
        ["gcc", *SANITIZED, "-x", "c", "-o", os.devnull, "-"],
        input=b"int main(void) { return 0; }",
        capture_output=True,
    )
    return SANITIZED if run.returncode == 0 else ()


def board_of(model: Model, *, embedding="board", head="board", link=None, lanes=None) -> BoardModel:
    """A board model of the model, with an engine of few banks."""
    rows = len(model.config.spec.lanes) * model.config.hidden
    lanes = lanes or rows + (model.config.vocab_size if head == "board" else 0)
    return BoardModel(model, EngineConfig(lanes, 2, embedding=embedding, head=head), link)


def compiled(model: Model, folder: Path, *, options=(), client=None, sanitized=True, **places) -> "Program":
    """The main program with the client of a model; warnings are errors."""
    made = client or c_client(model, **places)
    folder.mkdir(exist_ok=True)
    _, source = made.write(folder)
    tasks = {"classify": 1, "label": 2, "regress": 3}
    facts = {
        "TOKENS": model.embedding_weight is not None,
        "OUTPUTS": model.head_weight is not None and model.config.vocab_size,
        "GENERATES": model.embedding_weight is not None and model.head_weight is not None,
        "VECTORS": "trine_step_trits" in made.header,
        "ENCODER": model.encoder is not None,
        "WINDOWS": model.head_weight is not None and tasks.get(model.task),
    }
    told = [f"-DTEST_{name}={int(fact)}" for name, fact in facts.items() if fact]
    program = folder / "program"
    command = ["gcc", *STRICT, *(sanitizers() if sanitized else ()), "-O1", *told, *options]
    run = subprocess.run(
        [*command, "-I", str(folder), "-o", str(program), str(source), str(_MAIN)],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return Program(program, folder)


@dataclass
class Program:
    """A compiled client; :meth:`run` starts it anew."""

    path: Path
    folder: Path

    def run(self, *commands, board=None, rate=0.0, seed=1) -> "Results":
        """What these commands, each a name and its words, give with a board behind faulty wires."""
        told, result = self._files(commands)
        up, down = FaultyWire(rate, seed), FaultyWire(rate, seed + 1)
        pipe = subprocess.PIPE
        child = subprocess.Popen([self.path, told, result], stdin=pipe, stdout=pipe, stderr=pipe)
        assert child.stdin and child.stdout and child.stderr
        watch = threading.Timer(_SECONDS, child.kill)
        watch.start()
        try:
            while length := child.stdout.read(4):
                data = child.stdout.read(int.from_bytes(length, "little"))
                answer = down.carry(board.exchange(up.carry(data))) if board is not None else b""
                child.stdin.write(len(answer).to_bytes(4, "little") + answer)
                child.stdin.flush()
        finally:
            watch.cancel()
            child.stdin.close()
            said = child.stderr.read()
            child.stdout.close()
            child.stderr.close()
            status = child.wait()
        assert status == 0, (status, said.decode(errors="replace"))
        return Results(result.read_bytes())

    def run_on(self, wire: socket.socket, *commands) -> "Results":
        """What these commands give with a board at the other end of a connection, in its time."""
        told, result = self._files(commands)
        child = subprocess.run([self.path, told, result, "wire"], stdin=wire, stdout=wire, timeout=_SECONDS)
        assert child.returncode == 0
        return Results(result.read_bytes())

    def _files(self, commands) -> tuple[Path, Path]:
        """The file of the commands, and that of the results."""
        words = [np.atleast_1d(part).ravel() for command in commands for part in _words(command)]
        told = self.folder / "commands"
        told.write_bytes(b"".join(_raw(part) for part in words))
        return told, self.folder / "results"


def _words(command):
    name, *rest = command if isinstance(command, tuple) else (command,)
    return [CLIENT_COMMANDS[name], *rest]


def _raw(values: np.ndarray) -> bytes:
    kind = np.float64 if values.dtype.kind == "f" else np.int64
    return values.astype(kind).tobytes()


class Results:
    """The words that a program wrote, taken from the first on."""

    def __init__(self, data: bytes):
        self.data = data
        self._words = np.frombuffer(data[: len(data) // 8 * 8], np.int64)
        self._at = 0

    def take(self, count: int) -> np.ndarray:
        assert self._at + count <= len(self._words), "the program wrote less"
        self._at += count
        return self._words[self._at - count : self._at]

    def one(self) -> int:
        return int(self.take(1)[0])

    def error(self) -> str:
        return _ERRORS[self.one()]

    def ok(self) -> None:
        assert self.error() == "OK"

    def reals(self, count: int) -> np.ndarray:
        return self.take(count).view(np.float64)

    def end(self) -> None:
        assert self._at == len(self._words), "the program wrote more"
