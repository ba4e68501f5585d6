"""Breaks lines of gateware one by one, and sees whether a fast test notices each.

    python -m sim.measure.mutate -o docs/results/mutation.json

A record that is there is gone on with: only mutants whose file, text or tests have changed since are tried.

In a copy of the tree every mutant of :mod:`sim.measure.mutants` is tried: its line is replaced, the tests
that concern its file are run until the first that fails, and the line is put back. A mutant that is *caught*
made a test fail. One that *survived* did not: either what it changes cannot be seen, or a test is missing.
Tests that pass, or that need more than ``--timeout`` seconds of processor time, catch nothing. At the end
every test that has caught a mutant must pass without one.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from sim.measure.mutants import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
_TREE = ("hw", "sw", "boards", "sim", "tests", "conftest.py", "pyproject.toml")
_PATHS = ("hw", "sw", "boards", ".")


def _pytest(tests: Sequence[str], folder: Path, timeout: float) -> tuple[int, str, float]:
    """Exit status, output and processor seconds of these tests, in a process of their own.

    It is forked from this one, which has imported what takes long and does not change.
    """
    log = folder / "pytest.log"
    child = os.fork()
    if not child:
        status = 70
        try:
            os.setsid()
            with log.open("wb") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            resource.setrlimit(resource.RLIMIT_CPU, (round(timeout), round(timeout) + 1))
            import pytest

            options = ["-x", "-q", "--tb=line", "-p", "no:cacheprovider", "-p", "no:warnings"]
            status = int(pytest.main([*options, *tests]))
        finally:
            sys.stdout.flush()
            os._exit(status)
    _, status, usage = os.wait4(child, 0)
    for kind in (signal.SIGKILL,):  # what the tests may have left behind
        try:
            os.killpg(child, kind)
        except ProcessLookupError:
            pass
    text = log.read_text(errors="replace", encoding="utf-8")
    return os.waitstatus_to_exitcode(status), text, usage.ru_utime + usage.ru_stime


def _catcher(output: str) -> str:
    """The test that failed, from what pytest wrote."""
    found = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", output, re.MULTILINE)
    return found[1] if found else output.strip().rsplit("\n", 1)[-1]


def _digest(mutant: Mutant) -> str:
    """Changes with the mutant, the file that it is of, and the files of the tests that are run."""
    state = hashlib.sha256(repr((mutant.right, mutant.wrong, mutant.selected)).encode())
    for path in dict.fromkeys((mutant.file, *(test.split("::")[0] for test in mutant.selected))):
        state.update((ROOT / path).read_bytes())
    return state.hexdigest()[:16]


def _known(path: Path | None) -> dict[str, dict[str, object]]:
    """What a record says, by :func:`_digest`."""
    if path is None or not path.exists():
        return {}
    return {record["of"]: record for record in json.loads(path.read_text(encoding="utf-8"))["mutants"]}


def _try(mutant: Mutant, folder: Path, timeout: float) -> dict[str, object]:
    path = folder / mutant.file
    source, times = path.read_text(encoding="utf-8"), path.stat()
    path.write_text(source.replace(mutant.right, mutant.wrong), encoding="utf-8")
    os.utime(path, (times.st_atime, time.time() + 10))  # whatever was compiled before is not it
    try:
        status, output, seconds = _pytest(mutant.selected, folder, timeout)
    finally:
        path.write_text(source, encoding="utf-8")
        os.utime(path, (times.st_atime, times.st_mtime))
    record: dict[str, object] = {"file": mutant.file, "breaks": mutant.breaks, "caught": status == 1}
    if status == 1:
        record["by"] = _catcher(output)
    elif status:
        record["why"] = "took too long" if status < 0 else _catcher(output)
    return record | {"seconds": round(seconds, 1), "of": _digest(mutant)}


def _prepare(folder: Path) -> None:
    """A copy of the tree, and everything imported that takes long and is not the tree's."""
    for name in _TREE:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, folder / name)
    os.chdir(folder)
    sys.dont_write_bytecode = True
    own = {str(ROOT / name) for name in _PATHS}
    sys.path[:] = [str(folder / name) for name in _PATHS] + [path for path in sys.path if path not in own]
    os.environ["PYTHONPATH"] = os.pathsep.join(str(folder / name) for name in _PATHS)
    for module in _foreign_modules():
        try:
            importlib.import_module(module)
        except ImportError:  # a part of another one that is not imported by its name
            continue


def _foreign_modules() -> list[str]:
    """What the tests import that is not the tree's, in the order of its import."""
    wanted = "amaranth.sim, amaranth_boards, hypothesis, pytest, _pytest.pytester, cobs, numpy"
    wanted += ", click.testing, trine_hw.link.uart, trine_boards, trine.cli.commands"
    code = f"import sys, {wanted}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [
        name for name in done.stdout.split() if not name.startswith(("trine", "sim", "tests", "__main__"))
    ]


_PAGE = """\
# Mutants

Single lines of gateware and boards, broken on purpose, and the fast test that noticed each:
`python -m sim.measure.mutate -o docs/results/mutation.json` (the list is `sim/measure/mutants.py`).

**{caught} caught of {tried} tried**; the list has {listed}. {rest}

A mutant is caught if a test fails. {survivors}

| file | what breaks | noticed by |
|---|---|---|
"""


def _write(path: Path, records: list[dict[str, object]]) -> None:
    """The record, and a page of it beside it."""
    caught = [record for record in records if record["caught"]]
    survived = [record for record in records if not record["caught"]]
    result = {"tried": len(records), "caught": len(caught), "listed": len(MUTANTS), "mutants": records}
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    left = len(MUTANTS) - len(records)
    why = {f"{mutant.file}: {mutant.breaks}": mutant.equivalent for mutant in MUTANTS}
    names = [f"{record['file']}: {record['breaks']}" for record in survived]
    reasons = [f"{name} ({why[name] or 'a test is missing'})" for name in names]
    page = _PAGE.format(
        caught=len(caught),
        tried=len(records),
        listed=len(MUTANTS),
        rest=f"The run was cut short; the same command tries the other {left}." if left else "",
        survivors=f"These survived: {'; '.join(reasons)}." if survived else "None survived.",
    )
    for record in sorted(caught, key=lambda record: str(record["file"])):
        page += f"| `{record['file']}` | {record['breaks']} | `{record['by']}` |\n"
    path.with_suffix(".md").write_text(page.replace(" \n", "\n"), encoding="utf-8")


def _spread(mutants: list[Mutant]) -> list[Mutant]:
    """One of each file, then the second of each, and so on: a run that is cut short has tried all files."""
    turns: dict[str, int] = {}
    turn: dict[Mutant, int] = {}
    for mutant in mutants:
        turn[mutant] = turns[mutant.file] = turns.get(mutant.file, 0) + 1
    return sorted(mutants, key=lambda mutant: turn[mutant])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "-k", metavar="WORD", default="", help="only mutants with this in their file or fault"
    )
    parser.add_argument("-o", metavar="FILE", type=Path, help="record of what was caught and by what")
    parser.add_argument("--timeout", type=float, default=60, help="seconds of processor time for one mutant")
    options = parser.parse_args()
    chosen = _spread([mutant for mutant in MUTANTS if options.k in f"{mutant.file} {mutant.breaks}"])
    output = options.o and options.o.resolve()
    known, records = _known(output), []
    chosen.sort(key=lambda mutant: _digest(mutant) not in known)  # so that what is known stays in the record
    with tempfile.TemporaryDirectory(prefix="trine-mutants-") as name:
        folder = Path(name).resolve()
        _prepare(folder)
        for mutant in chosen:
            records.append(known.get(_digest(mutant)) or _try(mutant, folder, options.timeout))
            said = records[-1].get("by", records[-1].get("why", ""))
            verdict = "caught" if records[-1]["caught"] else "SURVIVED"
            if output:
                _write(output, records)
            print(f"{verdict:8} {mutant.name} {said} {records[-1]['seconds']} s", flush=True)
        catchers = list(dict.fromkeys(str(record["by"]) for record in records if record["caught"]))
        status, said, seconds = _pytest(catchers, folder, 60 * options.timeout) if catchers else (0, "", 0)
        if status:
            sys.exit(f"what caught mutants fails without one too:\n{said[-2000:]}")
        print(f"without a mutant the {len(catchers)} tests that caught any pass ({seconds:.0f} s)")
    caught = sum(bool(record["caught"]) for record in records)
    print(f"caught {caught} of {len(records)}")
    sys.exit(caught != len(records))


if __name__ == "__main__":
    main()
