"""Seed sweep: place and route of one netlist with several seeds, in parallel on the processors there are."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from trine_sw.support.errors import TrineError

__all__ = ["side_by_side"]

Result = TypeVar("Result")

#: How long an interruption from the keyboard may wait for a thread to notice it.
_POLL_SECONDS = 0.2


def side_by_side(
    seeds: Sequence[int], place: Callable[[int, threading.Event], Result]
) -> tuple[dict[int, Result], dict[int, TrineError]]:
    """``place(seed, cancelled)`` for each seed, as many at once as this process may use processors.

    `place` runs in a thread, and must end soon once `cancelled` is set, which is when this process is
    interrupted. Returns what was made, and the :exc:`TrineError` of each seed that failed: a seed that
    cannot be placed says nothing of the next.
    """
    cancelled = threading.Event()
    made: dict[int, Result] = {}
    failed: dict[int, TrineError] = {}
    workers = max(1, min(len(seeds), len(os.sched_getaffinity(0))))
    with ThreadPoolExecutor(workers) as pool:
        running: dict[Future[Result], int] = {pool.submit(place, seed, cancelled): seed for seed in seeds}
        try:
            while running:
                done, _ = wait(running, _POLL_SECONDS, FIRST_COMPLETED)
                for future in done:
                    seed = running.pop(future)
                    try:
                        made[seed] = future.result()
                    except TrineError as error:
                        failed[seed] = error
        except BaseException:
            cancelled.set()
            pool.shutdown(cancel_futures=True)
            raise
    return {seed: made[seed] for seed in seeds if seed in made}, failed
