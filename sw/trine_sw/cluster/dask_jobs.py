"""Jobs on Dask: worker processes of this machine, or the workers of a scheduler."""

from __future__ import annotations

import json
import logging
import os
import pickle
import secrets
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from trine_sw.cluster.job import Cluster, ClusterError, Job, Outcome, Tick
from trine_sw.cluster.worker import Fault, Order, differing, identity, prober
from trine_sw.support import toolchain
from trine_sw.support.installing import needed
from trine_sw.support.interruption import held

if TYPE_CHECKING:
    from distributed import Client, Future, LocalCluster

__all__ = ["check_scheduler", "run_on_dask"]

_CONNECT_SECONDS = 10.0
_POLL_SECONDS = 0.2
_CLOSE_SECONDS = 20.0
_BUSY = "300s"
#: Seconds that cancelled jobs have to end their programs in, before their worker processes are killed.
_CANCEL_SECONDS = 3.0


def check_scheduler(cluster: Cluster) -> None:
    """As :func:`trine_sw.cluster.jobs.check_reached`, of a cluster with an address."""
    with _needed():
        import distributed  # noqa: F401
    with _quiet(), _client(cluster, 0):
        pass


def run_on_dask(
    jobs: Sequence[Job],
    cluster: Cluster,
    common: Any,
    tools: Sequence[str],
    tick: Tick,
    done: Callable[[int, Outcome], None],
) -> list[Outcome]:
    """As :func:`trine_sw.cluster.jobs.run_jobs`, on Dask."""
    with _needed():
        from distributed import as_completed
    with _quiet(), _client(cluster, len(jobs)) as client:
        if cluster.address is not None:
            _check_workers(client, cluster.address, tools, tick)
        topic = f"trine-{secrets.token_hex(8)}"
        client.subscribe_topic(topic, _listener(jobs, tick))
        # On the scheduler, from where each worker takes it once: a result that jobs depend on would draw all
        # of them to the worker that has it.
        client.set_metadata([topic], pickle.dumps(common))
        futures: dict[Future, int] = {}
        outcomes: dict[int, Outcome] = {}
        run = _performer()
        try:
            for number, job in enumerate(jobs):
                order = Order(number, topic, identity(), pickle.dumps(job))
                future = client.submit(run, pickle.dumps(order), key=f"{topic}-{number}", pure=False)
                futures[future] = number
            for future in as_completed(list(futures), loop=client.loop):
                number = futures[future]
                outcomes[number] = _outcome(future, jobs[number])
                done(number, outcomes[number])
        finally:
            if len(outcomes) < len(jobs):
                _cancel(client, list(futures))
            with suppress(Exception):  # where the scheduler is gone, so is what it kept
                client.set_metadata([topic], None)
    return [outcomes[number] for number in range(len(jobs))]


def _needed() -> AbstractContextManager[None]:
    return needed("distributed", "tools", "running jobs side by side (all but --processes 1)")


def _performer() -> Callable[[bytes], Outcome | Fault]:
    """A function that performs a pickled order. It is sent by its code: a scheduler, which looks at what it
    hands on, need not have Trine."""

    def run(order: bytes) -> Outcome | Fault:
        import pickle

        from trine_sw.cluster.worker import perform

        return perform(pickle.loads(order))

    return run


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Dask's own log on standard error: what matters is raised."""
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _client(cluster: Cluster, jobs: int) -> Iterator[Client]:
    """A client of the scheduler, or of one in this process with workers of its own."""
    import dask
    from distributed import Client, LocalCluster

    with ExitStack() as stack:
        if cluster.address is None:
            # On one machine nothing is lost on the way: what does not answer is merely busy.
            timeouts = {"connect": _BUSY, "tcp": _BUSY}
            stack.enter_context(dask.config.set({"distributed.comm.timeouts": timeouts}))  # pyright: ignore
        with held(), _unheard_by_children():  # or workers could begin that nobody knows of
            if cluster.address is None:
                scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="trine-workers-"))
                local = LocalCluster(
                    local_directory=scratch,
                    n_workers=min(cluster.processes, jobs),
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address=cast(str, None),
                    memory_limit=0,  # the tools' memory is not the workers'
                    silence_logs=logging.CRITICAL,
                )
                stack.callback(_close, local)
                client = Client(local, set_as_default=False)
            else:
                client = _connected(cluster.address)
            stack.callback(_close, client)
        yield client


def _close(what: Client | LocalCluster) -> None:
    """Close it; worker processes that do not end are killed."""
    processes = [nanny.pid for nanny in getattr(what, "workers", {}).values()]
    try:
        what.close(timeout=_CLOSE_SECONDS)
    except (OSError, TimeoutError, RuntimeError):
        for process in processes:
            with suppress(OSError, TypeError):
                os.kill(process, signal.SIGKILL)


def _connected(address: str) -> Client:
    from distributed import Client

    asked: dict[str, Any] = {"address": address} if "://" in address else {"scheduler_file": address}
    try:
        if "scheduler_file" in asked:
            json.loads(Path(address).read_text(encoding="utf-8"))  # Dask would wait for the file
        return Client(**asked, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ClusterError(
            f"no Dask scheduler is reached at {address} ({error}): start one with `dask scheduler`, and give "
            "--cluster what it says it listens at, such as tcp://HOST:8786"
        ) from None


@contextmanager
def _unheard_by_children() -> Iterator[None]:
    """Threads and processes that begin meanwhile do not get Ctrl-C, which a terminal sends to all."""
    resource_tracker.ensure_running()  # or it would be started later, and let Ctrl-C through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _check_workers(client: Client, address: str, tools: Sequence[str], tick: Tick) -> None:
    """Wait for the first worker, and see that all that there are can do the jobs."""
    start = time.monotonic()
    while not client.scheduler_info()["workers"]:
        tick("cluster", "waiting", time.monotonic() - start)
        time.sleep(_POLL_SECONDS)
    if time.monotonic() - start > 2 * _POLL_SECONDS:
        tick("cluster", "done", 0)
    wanted = identity()
    for worker, found in _run(client, prober()).items():
        if isinstance(found, BaseException):
            raise ClusterError(f"the worker {worker} of {address} does not work: {found}")
        if wrong := differing(found, wanted, worker):
            raise ClusterError(wrong)
    here = {name: _version(name) for name in tools}
    for worker, there in _run(client, _versions, list(here)).items():
        if isinstance(there, BaseException):
            raise ClusterError(f"the worker {worker} of {address} does not work: {there}")
        for name, version in here.items():
            if there[name] != version:
                has = there[name] or f"no {name}"
                raise ClusterError(
                    f"the worker {worker} has {has}, and this machine {version}: install the same there "
                    "(`trine tools` says how), and restart the worker"
                )


def _run(client: Client, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """What a function returns or raises on each worker."""
    return cast(dict[str, Any], client.run(function, *arguments, on_error="return"))


def _version(name: str) -> str:
    tool = toolchain.require(name)
    return f"{tool.name} {tool.version}"


def _versions(names: list[str]) -> dict[str, str | None]:
    """The versions of tools on a worker."""
    found = {name: toolchain.find(name) for name in names}
    return {name: tool and f"{tool.name} {tool.version}" for name, tool in found.items()}


def _listener(jobs: Sequence[Job], tick: Tick) -> Callable[[Any], None]:
    """Receives the events of workers, in a thread of the client's."""
    begun: set[int] = set()

    def told(event: Any) -> None:
        number, step, what, seconds = event[1]
        if what != "begun":
            tick(step, what, seconds)
        elif number in begun:
            tick(jobs[number].name, "restarted", 0)
        else:
            begun.add(number)

    return told


def _outcome(future: Future, job: Job) -> Outcome:
    """What came of a job, where that is no fault of Trine."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker

    try:
        result = future.result()
    except KilledWorker as error:
        return Outcome(
            error=ClusterError(
                f"{job.name}: {error.allowed_failures + 1} workers were lost while they ran it: there "
                "may be too little memory; take fewer --processes, or other workers"
            )
        )
    except ModuleNotFoundError as error:
        raise ClusterError(f"a worker cannot run {job.name}: {error}; install the same Trine there") from None
    except CancelledError:
        result = Fault("stopped")
    if not isinstance(result, Fault):
        return result
    if result.kind == "cluster":
        raise ClusterError(result.text)
    if result.kind == "stopped":
        raise ClusterError(
            f"{job.name} was cancelled: the scheduler is gone, or another program cancelled it; the same "
            "command goes on from what is kept"
        )
    raise RuntimeError(f"{job.name} failed on its worker:\n{result.text}")


def _cancel(client: Client, futures: list[Future]) -> None:
    """Cancel jobs, and wait a moment for them to end what they run."""
    try:
        client.cancel(futures)
        end = time.monotonic() + _CANCEL_SECONDS
        while time.monotonic() < end and any(_run(client, _busy).values()):
            time.sleep(_POLL_SECONDS)
    except Exception:
        pass  # the scheduler is gone, and with it whoever wants the jobs


def _busy(dask_worker: Any) -> bool:
    """Whether the worker's thread is still in a job that was cancelled."""
    return any(task.state == "cancelled" for task in dask_worker.state.tasks.values())
