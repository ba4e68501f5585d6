"""What a Dask worker does with a job, and what it is known by."""

from __future__ import annotations

import functools
import pickle
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trine_sw.cluster.job import ClusterError, Job, Outcome, Tick
from trine_sw.support.errors import TrineError
from trine_sw.support.interruption import Interrupted, cancellable, cancelled

__all__ = ["Fault", "Order", "differing", "forwarded", "identity", "perform", "prober"]

#: Seconds between two events "running" of a job that are sent to the client.
_PERIOD = 1.0
#: States of a task on its worker in which its result is still wanted.
_WANTED = {"executing", "long-running"}


@dataclass(frozen=True)
class Fault:
    """What a worker returns in place of an :class:`Outcome`: exceptions of any kind may not be picklable.

    Members
    -------
    kind : "stopped", of a job that was cancelled; "cluster", of a worker that cannot do it; or "crash"
    text : the message, or the traceback of a crash
    """

    kind: str
    text: str = ""


def prober() -> Callable[[], dict[str, str]]:
    """A function that says which Trine its process has. It is sent by its code, so that it also runs where
    there is none."""

    def probe() -> dict[str, str]:
        import hashlib
        import importlib.util
        import pathlib
        import socket

        host, state = socket.gethostname(), hashlib.sha256()
        for package in ("trine_sw", "trine_hw", "trine_boards", "trine"):
            spec = importlib.util.find_spec(package)
            if spec is None or spec.origin is None:
                return {"host": host}
            for path in sorted(pathlib.Path(spec.origin).parent.rglob("*.py")):
                state.update(path.read_bytes())
        import trine_sw

        return {"host": host, "version": trine_sw.__version__, "sources": state.hexdigest()}

    return probe


@functools.cache
def identity() -> tuple[str, str]:
    """Version and digest of this process' Trine."""
    found = prober()()
    return found["version"], found["sources"]


def differing(found: dict[str, str], wanted: tuple[str, str], address: str) -> str | None:
    """What is wrong with the Trine of a worker, from what :func:`prober` found; None where nothing is."""
    where = f"the worker {address} on {found['host']}"
    if "version" not in found:
        return f"{where} has no Trine: install version {wanted[0]} in the Python that runs it"
    if (found["version"], found["sources"]) != wanted:
        return (
            f"{where} runs Trine {found['version']} (sources {found['sources'][:12]}), and this machine "
            f"{wanted[0]} (sources {wanted[1][:12]}): install the same on both, and restart the worker"
        )
    return None


@dataclass(frozen=True)
class Order:
    """A job on its way to a worker: pickled by the client, for a worker of the same Trine.

    Members
    -------
    number : of the job
    topic : of the events for the client, and of what all jobs share
    made_by : the client's :func:`identity`
    job : a pickled :class:`Job`
    """

    number: int
    topic: str
    made_by: tuple[str, str]
    job: bytes


@functools.lru_cache(maxsize=1)
def _common(topic: str) -> Any:
    """What all jobs share, from the scheduler: the same object for each job that this process runs."""
    from distributed import get_worker
    from distributed.utils import sync

    worker = get_worker()
    packed: Any = sync(worker.loop, worker.scheduler.get_metadata, keys=[topic])
    return pickle.loads(packed)


def forwarded(order: Order, send: Callable[[str, Any], None]) -> Tick:
    """A :data:`Tick` that sends what it is told to the client, "running" at most once a second. It raises
    KeyboardInterrupt where the job was cancelled."""
    sent: dict[str, float] = {}

    def tick(step: str, what: str, seconds: float) -> None:
        if cancelled():
            raise KeyboardInterrupt
        now = time.monotonic()
        if what == "running" and now - sent.get(step, -_PERIOD) < _PERIOD:
            return
        sent[step] = now
        send(order.topic, [order.number, step, what, seconds])

    return tick


def perform(order: Order) -> Outcome | Fault:
    """Run a job in a thread of a Dask worker; never raises."""
    try:
        return _performed(order)
    except (KeyboardInterrupt, Interrupted):
        return Fault("stopped")
    except ClusterError as error:
        return Fault("cluster", str(error))
    except BaseException:
        return Fault("crash", traceback.format_exc())


def _performed(order: Order) -> Outcome:
    from distributed import get_worker

    worker = get_worker()
    if order.made_by != identity():
        wrong = differing(prober()(), order.made_by, worker.address)
        raise ClusterError(wrong or "restart the workers: Trine has changed under one of them")
    key = worker.get_current_task()

    def unwanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is None or task.state not in _WANTED

    tick = forwarded(order, worker.log_event)
    tick("", "begun", 0)
    with cancellable(unwanted):
        job: Job = pickle.loads(order.job)
        try:
            outcome = Outcome(job.function(_common(order.topic), job.argument, tick))
        except (ClusterError, Interrupted):
            raise
        except TrineError as error:
            outcome = Outcome(error=error)
    pickle.dumps(outcome)  # better fails here than on its way
    return outcome
