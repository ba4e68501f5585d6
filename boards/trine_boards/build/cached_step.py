"""Cached build step: a tool's run with complete outputs, reused while its inputs are unchanged."""

import hashlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trine_boards.build.step_store import StepStore
from trine_sw.cluster.job import ClusterError
from trine_sw.support import toolchain
from trine_sw.support.errors import TrineError
from trine_sw.support.json_text import json_text
from trine_sw.support.processes import run_logged
from trine_sw.support.toolchain import Tool

__all__ = ["Step", "is_kept", "record_step", "recorded", "remove_partial", "run_step"]

_LAST_LINES = 8
#: In the name of a folder that a tool works in.
_PARTIAL = ".partial"


@dataclass(frozen=True)
class Step:
    """One call of a tool, which reads `inputs` and writes `outputs`, all files of the build's folder."""

    name: str
    tool: Tool
    arguments: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def digest(self, folder: Path) -> str:
        """Changes with the tool's version, its arguments and the contents of its inputs."""
        state = hashlib.sha256(json_text([self.tool.name, self.tool.version, self.arguments]).encode())
        for name in self.inputs:
            state.update(hashlib.sha256((folder / name).read_bytes()).digest())
        return state.hexdigest()

    def here(self) -> "Step":
        """The step with this machine's own tool, of the same name and version.

        Raises
        ------
        ClusterError
            Where this machine has none.
        """
        tool = toolchain.find(self.tool.name)
        if tool is None or tool.version != self.tool.version:
            raise ClusterError(
                f"a worker has {tool or f'no {self.tool.name}'}, and {self.tool} is needed: install the same "
                "tools on all workers"
            )
        return replace(self, tool=tool)

    @property
    def record(self) -> str:
        """Name of the file that says what the outputs were made from."""
        return f"{self.name}.step.json"


def is_kept(step: Step, folder: Path) -> bool:
    """Whether the outputs of `step` in `folder` are complete and up to date."""
    outputs = (folder / name for name in step.outputs)
    return all(path.exists() for path in outputs) and recorded(folder / step.record) == step.digest(folder)


def remove_partial(folder: Path) -> None:
    """Remove what killed tools have left in `folder`, which nobody else builds in."""
    for left in folder.glob(f"*{_PARTIAL}*"):
        shutil.rmtree(left, ignore_errors=True)


def run_step(
    step: Step,
    folder: Path,
    tick: Callable[[float], None] = lambda seconds: None,
    store: StepStore | None = None,
) -> bool:
    """Run `step` in `folder`, or do nothing where its outputs are up to date; returns whether it ran.

    The tool works in a folder of its own, and its outputs are put in place only when it has ended well: a
    failure, or this process being killed, leaves what stood there before. The log is ``<step>.log``.
    `tick` is called with the seconds since the start, about five times a second. What `store` has of this
    step is taken from there, and what was made is kept there.

    Raises
    ------
    TrineError
        If the tool fails or is killed; the message has its own last lines and where the log lies.
    KeyboardInterrupt
        If it was cancelled.
    """
    if is_kept(step, folder):
        return False
    digest, log = step.digest(folder), folder / f"{step.name}.log"
    record, outputs = folder / step.record, [folder / name for name in step.outputs]
    record.unlink(missing_ok=True)
    if store is not None and store.fetch(digest, (*step.outputs, log.name), folder):
        record_step(record, digest, str(step.tool))
        return False
    # A name of its own: a worker that was given up for lost may still be at it.
    workplace = Path(tempfile.mkdtemp(prefix=f"{step.name}{_PARTIAL}-", dir=folder))
    try:
        for name in step.inputs:
            shutil.copyfile(folder / name, workplace / name)
        status = _run([*step.tool.command, *step.arguments], step.tool.environ(), workplace, log, tick)
        if status:
            raise TrineError(_failure(step, status, log))
        for name in step.outputs:
            if not (workplace / name).exists():
                raise TrineError(f"{step.tool.name} ended without writing {name}; its log is {log}")
        for name, path in zip(step.outputs, outputs, strict=True):
            os.replace(workplace / name, path)
        if store is not None:
            store.keep(digest, (*step.outputs, log.name), folder)
        record_step(record, digest, str(step.tool))
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
    return True


def record_step(record: Path, digest: str, tool: str) -> None:
    """Note that a step's outputs stand, what they were made from, and by what."""
    temporary = record.with_suffix(".tmp")
    temporary.write_text(json_text({"digest": digest, "tool": tool}) + "\n", encoding="utf-8")
    os.replace(temporary, record)


def recorded(record: Path) -> str | None:
    """What the step's outputs were made from; None where they are not complete."""
    try:
        digest = json.loads(record.read_text(encoding="utf-8"))["digest"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return digest if isinstance(digest, str) else None


def _run(
    command: Sequence[str],
    environment: dict[str, str],
    folder: Path,
    log: Path,
    tick: Callable[[float], None],
) -> int:
    """Exit status of `command`; it and its children end with this process' own interruption."""
    with log.open("wb") as output:
        output.write(os.fsencode(" ".join(command) + "\n"))
        output.flush()
        return run_logged(command, cwd=folder, env=environment, log=output, tick=tick)


def _failure(step: Step, status: int, log: Path) -> str:
    lines = [
        line.rstrip()
        for line in log.read_text(errors="replace", encoding="utf-8").splitlines()
        if line.strip()
    ]
    telling = [line for line in lines if "ERROR" in line] or lines[1:]
    how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"failed with status {status}"
    said = "\n".join(f"    {line}" for line in telling[-_LAST_LINES:])
    return f"{step.tool.name} {how}; nothing before it was lost. Its log is {log}; it said:\n{said}"
