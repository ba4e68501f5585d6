"""Builds on a cluster: sweeps that are interrupted, workers that see nothing of the client, matrices."""

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT
from trine_boards import BOARDS
from trine_boards.build import seed_sweep
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

distributed = pytest.importorskip("distributed")

ENGINE = ("--lanes", 40, "--banks", 2, "--no-check")


def descendants(parent):
    """The processes that a process has started, and those that these have."""
    found = []
    with suppress(OSError):  # ended meanwhile
        for task in Path(f"/proc/{parent}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                found += [int(child), *descendants(child)]
    return found


def command_of(process):
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().decode()
    except OSError:
        return ""


def wait_for(true, process):
    """Until `true`; `process` must not end before."""
    deadline = time.monotonic() + 3600
    while not true():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.05)


def test_an_interrupted_sweep_leaves_nothing_and_goes_on(process, succeeds, tools, model_path, tmp_path):
    build = ("build", model_path, "--board", "ulx3s", *ENGINE, "--seeds", 3, "-o", tmp_path / "out", "--json")
    placed = tools / "placed"
    placed.touch()
    (tools / "wait-2").touch()
    started = process(*build, "--processes", 2, start_new_session=True)
    records = [tmp_path / f"out/route-{seed}.step.json" for seed in (1, 3)]
    wait_for(lambda: (tools / "waiting").exists() and all(path.exists() for path in records), started)
    running = descendants(started.pid)
    assert len(running) >= 3  # two workers, and a tool
    os.killpg(started.pid, signal.SIGINT)  # as a terminal does
    _, said = started.communicate(timeout=300)
    assert started.returncode == 130 and "Traceback" not in said
    assert "Error: interrupted; finished steps are kept in" in said
    assert not [command_of(each) for each in running if command_of(each)]
    assert not list(tmp_path.glob("out/*.partial*"))
    assert sorted(placed.read_text(encoding="utf-8").split()) == ["1", "3"]
    (tools / "wait-2").unlink()
    facts = json.loads(succeeds(*build))
    assert placed.read_text(encoding="utf-8").split()[2:] == ["2"]
    assert facts["seeds"] == {"1": 101.5, "2": 104.5, "3": 105.5}


@contextmanager
def unseen(folder, cluster, names=None):
    """The folder as it is offered to workers that do not see it."""
    with shared(folder, cluster, names) as offered:
        yield dataclasses.replace(offered, token=".shared-elsewhere")


shared = seed_sweep.shared


@pytest.mark.nightly
def test_workers_that_do_not_see_the_folder_send_steps_back(trine, tools, model_path, tmp_path, monkeypatch):
    """They keep steps by content, so that none is done twice; an error names the client's log."""
    monkeypatch.setattr(seed_sweep, "shared", unseen)
    monkeypatch.setenv("TRINE_CACHE", str(tmp_path / "cache"))
    (tools / "trouble-3").touch()
    folder = tmp_path / "out"
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp"
    ) as cluster:
        build = ("build", model_path, "--board", "ulx3s", *ENGINE, "-o", folder, "--json")
        build += ("--cluster", cluster.scheduler_address)
        first = trine(*build, "--seeds", 3)
        assert first.exit_code == 0, first.output
        made = {path.name: path.read_bytes() for path in folder.glob("route-*")}
        assert {"route-1.config", "route-2.step.json", "route-3.log"} <= made.keys()
        assert json.loads(first.stdout)["seeds"] == {"1": 101.5, "2": 104.5, "3": None}
        for path in folder.glob("route-*"):
            path.unlink()
        again = trine(*build, "--seeds", 2)
        assert again.exit_code == 0 and "route-1: kept" in again.stderr and "route-2: kept" in again.stderr
        now = {path.name: path.read_bytes() for path in folder.glob("route-*")}
        assert now == {name: made[name] for name in now} and len(now) > 8
        assert sorted((tools / "placed").read_text(encoding="utf-8").split()) == ["1", "2"]
        shutil.rmtree(folder)
        (tools / "trouble").touch()
        failed = trine(*build, "--seeds", 2, "--clock", 80)
        assert failed.exit_code == 1 and f"Its log is {folder}/route-1.log" in failed.stderr
        assert "Unable to place cell" in (folder / "route-1.log").read_text(encoding="utf-8")


def test_a_scheduler_that_is_not_there_is_told_before_anything_is_made(fails, tools, model_path, tmp_path):
    build = ("build", model_path, "--board", "ulx3s", *ENGINE, "-o", tmp_path / "out")
    fails(*build, "--cluster", tmp_path / "none.json", saying="no Dask scheduler is reached at")
    assert not list(tmp_path.glob("out/*")) and not list(tools.glob("placed"))


@pytest.fixture
def three_boards(monkeypatch):
    """One that the tools stand in for, one without any LUTs to speak of, and one of an unknown family."""
    board = BOARDS["ulx3s"]
    for name in list(BOARDS):
        monkeypatch.delitem(BOARDS, name)
    monkeypatch.setitem(BOARDS, "ulx3s", board)
    monkeypatch.setitem(BOARDS, "matchbox", dataclasses.replace(board, name="matchbox", lut4=200))
    monkeypatch.setitem(BOARDS, "exotic", dataclasses.replace(board, name="exotic", family="exotic"))


def test_matrix(trine, fails, three_boards, tools, model_path, tmp_path):
    other = tmp_path / "other.trine"
    random_model(ModelConfig(hidden=5, embedding=4, vocab_size=7), seed=2).save(other)
    folder, results = tmp_path / "out", tmp_path / "results"
    build = ("build", model_path, "--model", other, "--all-boards", *ENGINE, "-o", folder)
    build += ("--processes", 1)
    done = trine(*build, "--results", results, "--json")
    assert done.exit_code == 1 and "2 of 6 builds failed" in done.stderr, done.output
    cells = {(cell["board"], cell["model"]): cell for cell in json.loads(done.stdout)}
    assert list(cells) == [(board, model) for model in ("small", "other") for board in BOARDS]
    states = {board: cells[board, "small"]["state"] for board in BOARDS}
    assert states == {"ulx3s": "built", "matchbox": "does not fit", "exotic": "failed"}
    assert "short" in cells["matchbox", "other"]["why"] and "family" in cells["exotic", "other"]["why"]
    assert json.loads((results / "matrix.json").read_text(encoding="utf-8")) == list(cells.values())
    for where in (folder, results):
        page = (where / "matrix.md").read_text(encoding="utf-8")
        assert page.startswith("# Builds\n\n2 of 6 built, 2 do not fit, 2 failed.\n")
        rows = [line for line in page.splitlines() if line.startswith("|")]
        assert len(rows) == 2 * (2 + 1) and {row.count("|") for row in rows} == {13}
        assert len(re.findall(r"^- `matchbox` does not fit: \S.* short", page, re.MULTILINE)) == 2
        assert len(re.findall(r"^- `exotic` failed: \S.* family", page, re.MULTILINE)) == 2
        assert "does not fit matchbox" not in page
        links = re.findall(r"\[report\]\((.+?)\)", page)
        assert len(links) == 2 and all((where / link).is_file() for link in links)
        facts = json.loads((where / links[0]).with_suffix(".json").read_text(encoding="utf-8"))
        assert facts == cells["ulx3s", "small"]["report"]
        assert (
            f"| {facts['fmax_mhz']} | 75.0 | {facts['cycles_per_token']} | {facts['tokens_per_s']:,} |"
            in page
        )
    again = trine(*build)
    assert "ulx3s-other: route-1: kept" in again.stderr and "ulx3s-other: built: 101.5 MHz" in again.stderr
    fails("build", model_path, other, "--board", "attic", saying="there is no board 'attic'")
    fails("build", model_path, "--all-boards", "--board", "ulx3s", saying="--board or --all-boards, not both")
    for options, said in (
        (("--lanes", 40), "lanes and banks together"),
        (("--margin", 100), "--margin must be"),
    ):
        fails("build", model_path, "--all-boards", *options, "-o", tmp_path / "none", saying=said)
    assert not (tmp_path / "none").exists()
    (tmp_path / "below").mkdir()
    twin = shutil.copy(model_path, tmp_path / "below")
    fails("build", model_path, twin, "--board", "ulx3s", "-o", folder, saying="give models different names")
    assert trine("build", "--board", "ulx3s").exit_code == 2 and trine("build", model_path).exit_code == 2


@pytest.mark.nightly
def test_a_worker_killed_in_mid_route(process, model_path, tmp_path, monkeypatch):
    """The true tools, the smallest chip: the same bitstream as one process makes."""
    monkeypatch.setenv("TRINE_CACHE", str(tmp_path / "cache"))
    build = ("build", model_path, "--board", "icebreaker", *ENGINE, "--seeds", 2, "--json", "--processes")
    started = process(*build, 2, "-o", tmp_path / "two")

    def routing():
        return [each for each in descendants(started.pid) if "nextpnr-ice40" in command_of(each)]

    wait_for(lambda: len(routing()) == 2, started)
    victim = routing()[0]
    worker = int(Path(f"/proc/{victim}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[1])
    assert worker != started.pid
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: not command_of(victim), started)  # the tool ends with its worker
    output, said = started.communicate(timeout=3600)
    assert started.returncode == 0 and "its worker was lost, and it starts again" in said, said
    alone = process(*build, 1, "-o", tmp_path / "one")
    expected, said = alone.communicate(timeout=3600)
    assert alone.returncode == 0, said
    facts, same = json.loads(output), json.loads(expected)
    assert facts.pop("bitstream") != same.pop("bitstream") and facts == same
    assert (tmp_path / "two/top.bin").read_bytes() == (tmp_path / "one/top.bin").read_bytes()


def dask(name, *arguments, **environment):
    """A process of Dask's, quiet."""
    code = f"from distributed.cli.dask_{name} import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.nightly
def test_workers_of_another_version_and_without_a_tool(process, model_path, tmp_path):
    """Schedulers and workers of their own; each wrong worker is one error, a right one builds."""
    trees = {name: ROOT / name for name in ("sw", "hw", "boards")}
    paths = os.pathsep.join(map(str, trees.values()))
    (tmp_path / "copy").mkdir()
    for name, tree in trees.items():
        shutil.copytree(tree, tmp_path / "copy" / name, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "copy/sw/trine_sw/cluster/job.py").open("a", encoding="utf-8") as file:
        file.write("# another version\n")
    others = os.pathsep.join(str(tmp_path / "copy" / name) for name in trees)
    (tmp_path / "bin").mkdir()
    other_tool = tmp_path / "bin/nextpnr-ice40"
    other_tool.write_text("#!/bin/sh\necho nextpnr-ice40 0.0.1\n", encoding="utf-8")
    other_tool.chmod(0o755)
    path = os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]])
    workers = (
        ({"PYTHONPATH": others}, "runs Trine"),
        ({"PYTHONPATH": paths, "PATH": path}, "has nextpnr-ice40 0.0.1, and this machine nextpnr-ice40"),
        ({"PYTHONPATH": paths}, None),
    )
    file = tmp_path / "scheduler.json"
    build = ("build", model_path, "--board", "icebreaker", *ENGINE, "--cluster", file, "-o", tmp_path / "out")
    scheduler = dask("scheduler", "--scheduler-file", file, "--port", 0, "--no-dashboard")
    try:
        wait_for(file.exists, scheduler)
        for environment, error in workers:
            options = (
                "--scheduler-file",
                file,
                "--nthreads",
                1,
                "--no-dashboard",
                "--local-directory",
                tmp_path,
            )
            worker = dask("worker", *options, **environment)
            started = process(*build)
            _, said = started.communicate(timeout=3600)
            worker.terminate()
            worker.wait(60)
            if error is None:
                assert started.returncode == 0, said
            else:
                assert started.returncode == 1 and "Traceback" not in said
                assert said.splitlines()[-1].startswith("Error: the worker tcp://") and error in said
    finally:
        scheduler.terminate()
        scheduler.wait(60)
