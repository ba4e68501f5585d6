"""Jobs on a cluster: in this process, in worker processes of which one is killed, on a scheduler."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from trine_sw.cluster import dask_jobs
from trine_sw.cluster.job import Cluster, ClusterError, Job
from trine_sw.cluster.jobs import check_reached, run_jobs
from trine_sw.cluster.shared_folder import shared, unpack
from trine_sw.support.errors import TrineError
from trine_sw.support.interruption import cancellable, cancelled, deferred
from trine_sw.support.processes import run_logged

distributed = pytest.importorskip("distributed")


def power(base, exponent, tick):
    tick(f"{base} to {exponent}", "done", 0)
    if exponent < 0:
        raise TrineError(f"no power {exponent}")
    return base**exponent, os.getpid()


def test_jobs_in_this_process():
    ended, told = [], []
    exponents = (3, -1, 5)
    jobs = [Job(f"{n}", power, n) for n in exponents]
    outcomes = run_jobs(
        jobs,
        Cluster(),
        common=2,
        tick=lambda *event: told.append(event),
        done=lambda number, outcome: ended.append((number, outcome)),
    )
    assert [outcome.value for outcome in outcomes] == [(8, os.getpid()), None, (32, os.getpid())]
    with pytest.raises(TrineError, match="no power -1"):
        outcomes[1].result()
    assert ended == list(enumerate(outcomes)) and [step for step, *_ in told] == [
        "2 to 3",
        "2 to -1",
        "2 to 5",
    ]


def test_one_job_starts_no_cluster():
    code = (
        "import sys; from trine_sw.cluster.job import *; from trine_sw.cluster.jobs import run_jobs\n"
        "from trine_sw.support.checks import shown\n"
        "run_jobs([Job('a', lambda *a: 1)], Cluster(8)); assert 'distributed' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": ":".join(sys.path)}
    )


@pytest.mark.parametrize("processes", [0, -3, 1.5, "2", None])
def test_counts_that_are_none(processes):
    with pytest.raises(TrineError, match="processes must be"):
        Cluster(processes)


def wait_once(folder, n, tick):
    """The first process that does job 1 waits, with a program that waits too; others square their number."""
    if n == 1 and not (folder / "first").exists():
        (folder / "first").write_text(f"{os.getpid()}", encoding="utf-8")
        with (folder / "log").open("wb") as log:
            run_logged(
                ["sh", "-c", "echo $$ > program; exec sleep 600"],
                cwd=folder,
                env=dict(os.environ),
                log=log,
                tick=lambda seconds: (
                    (folder / "program").exists() and seconds > 0.5 and tick("one", "waits", seconds)
                ),
            )
    if n == 2:
        raise TrineError("two")
    return n * n, os.getpid()


def ended(pid: int) -> bool:
    """Whether a process has ended, or is to be reaped."""
    try:
        return " Z " in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return True


def test_a_worker_is_killed(tmp_path):
    """Its job is done by another, the program that it ran is gone, and so is everything at the end."""
    told, killed = [], []

    def tick(step, what, seconds):
        told.append((step, what))
        if what == "waits" and not killed:
            killed.append(int((tmp_path / "first").read_text(encoding="utf-8")))
            os.kill(killed[0], signal.SIGKILL)

    jobs = [Job(f"job {n}", wait_once, n) for n in range(5)]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    outcomes = run_jobs(jobs, Cluster(2), common=tmp_path, tick=tick)
    assert [outcome.error or outcome.value[0] for outcome in outcomes if outcome is not outcomes[2]] == [
        0,
        1,
        9,
        16,
    ]
    assert str(outcomes[2].error) == "two"
    assert ("job 1", "restarted") in told
    pids = {outcome.value[1] for outcome in outcomes if outcome.value}
    assert pids.isdisjoint(killed) and os.getpid() not in pids
    program = int((tmp_path / "program").read_text(encoding="utf-8"))
    end = time.monotonic() + 60
    while not all(map(ended, (program, *pids, *killed))):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


@pytest.fixture
def scheduler():
    """A scheduler with one worker, all in this process."""
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp"
    ) as cluster:
        yield cluster.scheduler_address


def test_what_a_scheduler_is_asked(scheduler, monkeypatch, tmp_path):
    there = Cluster(address=scheduler)
    jobs = [Job("5", power, 5)]
    (outcome,) = run_jobs(jobs, there, common=3, tools=["yosys"])
    assert outcome.value[0] == 243
    with monkeypatch.context() as patch:
        patch.setattr(dask_jobs, "_version", lambda name: "yosys 0.1")
        with pytest.raises(
            ClusterError, match=r"the worker tcp://.* has yosys .*, and this machine yosys 0\.1"
        ):
            run_jobs(jobs, there, tools=["yosys"])
        patch.setattr(dask_jobs, "identity", lambda: ("0.0.1", "ab" * 32))
        with pytest.raises(ClusterError, match=r"runs Trine .* and this machine 0\.0\.1 \(sources abab"):
            run_jobs(jobs, there)
        patch.setattr(dask_jobs, "_check_workers", lambda *rest: None)  # a worker that comes later
        with pytest.raises(ClusterError, match=r"runs Trine .* and this machine 0\.0\.1 \(sources abab"):
            run_jobs(jobs, there)


@pytest.mark.parametrize(
    "address",
    ["tcp://127.0.0.1:9", "tcp://nowhere.invalid:8786", "http://127.0.0.1:1", "none.json", "tcp://"],
)
def test_a_scheduler_that_is_not_there(monkeypatch, address):
    monkeypatch.setattr(dask_jobs, "_CONNECT_SECONDS", 0.3)
    there = Cluster(address=address)
    for call in (lambda: run_jobs([Job("5", power, 5)], there, common=3), lambda: check_reached(there)):
        with pytest.raises(
            ClusterError, match="no Dask scheduler is reached at .*: start one with `dask scheduler`"
        ):
            call()


def test_a_folder_that_a_worker_does_not_see(tmp_path):
    """Random files there and back; what is half made stays where it is."""
    rng = np.random.default_rng(3)
    own = tmp_path / "own"
    (own / "below").mkdir(parents=True)
    contents = {f"{'below/' * (n % 2)}file{n}": rng.bytes(int(rng.integers(0, 5000))) for n in range(8)}
    for name, data in {**contents, "top.il.partial-x": b"half", ".lock": b"1"}.items():
        (own / name).write_bytes(data)
    with shared(own, Cluster(address="tcp://there:1")) as offered:
        assert len(list(own.glob(".shared-*"))) == 1
        with offered.here() as seen:
            assert (seen.path, seen.own, seen.changes()) == (own, False, None)
        with dataclasses.replace(offered, token=".shared-other").here() as copy:
            there = {
                str(path.relative_to(copy.path)): path.read_bytes()
                for path in copy.path.rglob("*")
                if path.is_file()
            }
            assert there == contents and copy.own
            (copy.path / "file2").write_bytes(b"changed")
            (copy.path / "deep/er").mkdir(parents=True)
            (copy.path / "deep/er/new").write_bytes(b"new")
            (copy.path / "x.partial-1").mkdir()
            (copy.path / "x.partial-1/y").write_bytes(b"half")
            packed = copy.changes()
        assert not copy.path.exists()
    (own / "file0").write_bytes(b"meanwhile")
    unpack(packed, own)
    now = {str(path.relative_to(own)): path.read_bytes() for path in own.rglob("*") if path.is_file()}
    changed = {"file0": b"meanwhile", "file2": b"changed", "deep/er/new": b"new"}
    assert now == {**contents, **changed, "top.il.partial-x": b"half", ".lock": b"1"}


def test_a_cancelled_thread_ends_its_work(tmp_path):
    wanted = iter([False, False, True, True, True, True])
    with (tmp_path / "log").open("wb") as log, cancellable(lambda: next(wanted, True)):
        with pytest.raises(KeyboardInterrupt):
            run_logged(["sleep", "600"], cwd=tmp_path, env=dict(os.environ), log=log)
        with pytest.raises(KeyboardInterrupt, match="cancelled"), deferred() as told:
            assert told()
    assert not cancelled()
