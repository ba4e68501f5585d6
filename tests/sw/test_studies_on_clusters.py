"""Rows of studies side by side: on workers, and what they share."""

import json
import os
import signal
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from tests.helpers.small_studies import WORDS, small_studies  # noqa: E402
from trine_sw.data import text as data  # noqa: E402
from trine_sw.studies import run as study_run  # noqa: E402
from trine_sw.studies.catalogue import STUDIES  # noqa: E402
from trine_sw.training.loop.run import Run  # noqa: E402

RESULTS = Path("docs/results/hitnet")


@pytest.fixture
def small(monkeypatch, tmp_path):
    yield from small_studies(monkeypatch, tmp_path)


def only(monkeypatch, *names):
    """The ladder with these rows alone."""
    whole = STUDIES["ladder"]
    some = replace(whole, rows=lambda plain: [row for row in whole.rows(plain) if row.name in names])
    monkeypatch.setitem(STUDIES, "ladder", some)


def figures():
    """What the records of the ladder say, but for times."""
    found = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in RESULTS.glob("ladder*")}
    for record in found.values():
        for row in record["log"]:
            del row["seconds"]
    kept = ("row", "test", "valid", "log", "distributions", "cycles_per_token", "device", "numerics")
    return {name: {key: record.get(key) for key in kept} for name, record in found.items()}


def clear():
    for path in (*RESULTS.glob("ladder*"), *Path("runs/hitnet").glob("*.pt")):
        path.unlink()


shared = study_run.shared


@contextmanager
def unseen(*arguments):
    """The folder as it is offered to workers that do not see it."""
    with shared(*arguments) as offered:
        yield replace(offered, token=".shared-elsewhere")


def test_rows_on_a_cluster(small, succeeds, fails, monkeypatch):
    """What rows share is trained once, before them; the records equal those of one process."""
    distributed = pytest.importorskip("distributed")
    trained = []
    fit = Run.fit
    monkeypatch.setattr(Run, "fit", lambda run: (trained.append(run.path.name), fit(run)))
    only(monkeypatch, "float", "integers", "warm")
    # A thread of this process, which knows the small studies; the random state is of the whole process.
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp"
    ) as cluster:
        on_it = ("study", "ladder", "--cluster", cluster.scheduler_address)
        said = succeeds(*on_it)
        assert [name.split("-")[0] for name in trained] == ["float", "ternary", "ternary"]
        assert said.count(": trained") == len(set(trained)) == 3 and "integers ternary: trained" in said
        on_a_cluster = figures()
        assert len(on_a_cluster) == 3
        clear()
        with monkeypatch.context() as patch:
            patch.setattr(study_run, "shared", unseen)
            fails(*on_it, saying="does not see")
    assert not list(Path("runs/hitnet").glob("*.pt"))
    succeeds("study", "ladder")
    assert figures() == on_a_cluster


#: What a worker process runs at its start, so that it knows the small studies too.
PRELOAD = """
from trine_sw.data import Part, TextFile
from trine_sw.data import text as data
from trine_sw.studies import study as studies
from trine_sw.training.nn.recurrence import Numerics
data.DATA_SETS["few"] = data.DataSet({splits!r}, words=True)
studies.DATA_SETS.clear()
studies.DATA_SETS[{words}] = "few"
Numerics.fastest = lambda device: Numerics()
"""


@pytest.mark.nightly
def test_a_worker_killed_while_it_trains(small, succeeds, monkeypatch):
    """Two true worker processes; another goes on from its checkpoint, and all records are as ever."""
    pytest.importorskip("distributed")
    import dask

    only(monkeypatch, "float", "integers", "warm")
    study = ("study", "ladder", "--epochs", 40)
    preload = PRELOAD.format(splits=data.DATA_SETS["few"].splits, words=WORDS)
    killed = []

    def kill():
        """A worker that trains a row and has saved a checkpoint of it."""
        end = time.monotonic() + 600
        while time.monotonic() < end and not killed:
            for lock in Path("runs/hitnet").glob(".ternary-*.lock"):
                with suppress(FileNotFoundError):
                    holder = lock.read_text(encoding="utf-8").strip()
                    if holder and lock.with_name(lock.name[1 : -len(".lock")]).exists():
                        assert int(holder) != os.getpid()
                        os.kill(int(holder), signal.SIGKILL)
                        killed.append(lock.name)
                        return
            time.sleep(0.01)

    with dask.config.set({"distributed.worker.preload": [preload]}):  # pyright: ignore
        killer = threading.Thread(target=kill)
        killer.start()
        said = succeeds(*study, "--processes", 2)
        killer.join()
    assert killed and "its worker was lost, and it starts again" in said
    side_by_side = figures()
    assert len(side_by_side) == 3
    clear()
    succeeds(*study)
    assert figures() == side_by_side


def test_stages(small):
    """No model is trained by two jobs of a stage or of two stages; what it needs comes before."""
    for name in STUDIES:
        rows = STUDIES[name].at()
        made, users = [], Counter()
        for row in rows:
            users.update(paths_of(row, study_run._roles(row)))
        for stage in study_run._stages(rows, Path()):
            before = set(made)
            for row, role in stage:
                roles = study_run._roles(row)
                *needs, own = paths_of(row, roles[: roles.index(role) + 1])
                made.append(own)
                assert all(path in before for path in needs if users[path] > 1)
        assert sorted(made) == sorted(path for path, count in users.items() if count > 1)
        assert made or name != "ladder"


def paths_of(row, roles):
    return [study_run._checkpoint(Path(), study_run._of_role(row.recipe, role), role) for role in roles]
