"""cocotb testbench of a core: requests in, beats out, and the cycles of their transfers.

It knows streams and no layouts: payloads go in as integers and come out as strings of bits, and
:mod:`trine_hw.simulation.run` makes sense of them. Python is woken once a transfer, not once a cycle.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.simtime import get_sim_time
from cocotb.task import Task
from cocotb.triggers import ClockCycles, Combine, First, ReadOnly, RisingEdge, Timer

__all__ = ["PERIOD_NS", "run_job"]

PERIOD_NS = 10
#: Cycles after the last expected beat in which nothing may come any more.
_QUIET = 64


@cocotb.test()
async def run_job(dut: Any) -> None:
    """Run the job in ``$TRINE_JOB`` (see :mod:`trine_hw.simulation.run`) and write what came of it."""
    job = json.loads(Path(os.environ["TRINE_JOB"]).read_text(encoding="utf-8"))
    Clock(dut.clk, PERIOD_NS, unit="ns").start()
    cores = [CoreDriver(dut, number, spec) for number, spec in enumerate(job["cores"])]
    dut.rst.value = 1
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0
    await Combine(*(cocotb.start_soon(core.load()) for core in cores))
    with Path(job["choices"]).open("w", buffering=1, encoding="utf-8") as choices:
        everything = [task for core in cores for task in core.start(choices.write)]
        done = cocotb.start_soon(_all(everything))
        await First(done, cocotb.start_soon(_silence(cores, job["patience"])))
        if not done.done():
            raise AssertionError("; ".join(core.progress() for core in cores))
    surplus = [task for core in cores for task in core.watch_for_surplus()]
    await ClockCycles(dut.clk, _QUIET)
    for task in surplus:
        assert not task.done(), f"more came than was asked for: {task.result()}"
        task.cancel()
    for core in cores:
        core.finish()
    results = {f"{core.number}.{key}": value for core in cores for key, value in core.results.items()}
    np.savez(job["results"], **results)


async def _all(tasks: list[Task[None]]) -> None:
    await Combine(*tasks)


async def _silence(cores: list[CoreDriver], patience: int) -> None:
    """Return once no stream of any core has moved for ``patience`` cycles."""
    moved = -1
    while (now := sum(len(port.moved) for core in cores for port in core.ports.values())) != moved:
        moved = now
        await Timer(patience * PERIOD_NS, "ns")


class Port:
    """One stream of a core: its handles and its own random stalls."""

    def __init__(self, dut: Any, name: str, steady: float, seed: str) -> None:
        self.clk, self.name = dut.clk, name
        self.valid, self.ready, self.payload = (
            getattr(dut, f"{name}__{part}") for part in ("valid", "ready", "payload")
        )
        self._steady, self._random = steady, random.Random(seed)
        self.moved: list[int] = []  # cycles in which beats were transferred

    async def stall(self, otherwise: Callable[[], None] | None = None) -> None:
        """Wait for a random number of cycles, mostly none if the stream is steady."""
        cycles = 0
        while self._random.random() > self._steady:
            cycles += 1
        if cycles:
            if otherwise:
                otherwise()
            await ClockCycles(self.clk, cycles)

    async def transferred(self, other: Any) -> None:
        """Return at the clock edge at which ``other`` (valid or ready) is 1 beside our own."""
        while True:
            await RisingEdge(self.clk)
            if other.value:
                self.moved.append(cycle() - 1)
                return
            await RisingEdge(other)


def cycle() -> int:
    """Cycles since the simulation began; what is sampled at an edge belongs to the cycle before."""
    return int(get_sim_time("ns")) // PERIOD_NS


class CoreDriver:
    """All streams of one core."""

    def __init__(self, dut: Any, number: int, spec: dict[str, Any]) -> None:
        self.dut, self.number, self.spec = dut, number, spec
        self.prefix = f"core{number}"
        self.results: dict[str, Any] = {}
        self._rows: dict[str, list[str]] = {stream: [] for stream in spec["beats"]}
        self._offered: list[int] = []
        self._columns: list[int] = []
        self.ports = {
            stream: Port(dut, f"{self.prefix}__{stream}", steady, f"{spec['stall_seed']} {stream}")
            for stream, steady in spec["steady"].items()
        }
        self.ports["i"].valid.value = 0
        for stream in spec["beats"]:
            self.ports[stream].ready.value = 0
        if spec["load"]:
            getattr(dut, f"{self.prefix}__load").value = 0
        for name, value in spec["constants"].items():
            getattr(dut, f"{self.prefix}__{name}").value = value

    async def load(self) -> None:
        """Put a state in place: a value of its port a cycle."""
        for value in self.spec["load"]:
            getattr(self.dut, f"{self.prefix}__load").value = int(value, 16)
            await RisingEdge(self.dut.clk)

    def start(self, tell: Callable[[str], object]) -> list[Task[None]]:
        """Begin; ``tell`` is called with each choice as it comes."""
        self._first = cycle()
        if self.spec["watch"]:
            cocotb.start_soon(self._watch())
        tasks = [self._feed()]
        tasks += [self._take(stream, count, tell) for stream, count in self.spec["beats"].items()]
        return [cocotb.start_soon(task) for task in tasks]

    async def _feed(self) -> None:
        port = self.ports["i"]
        for payload in self.spec["requests"]:
            await port.stall(lambda: setattr(port.valid, "value", 0))
            port.payload.value = int(payload, 16)
            port.valid.value = 1
            self._offered.append(cycle())
            await port.transferred(port.ready)
        port.valid.value = 0

    async def _take(self, stream: str, count: int, tell: Callable[[str], object]) -> None:
        port, rows = self.ports[stream], self._rows[stream]

        def pause() -> None:
            port.ready.value = 0

        while len(rows) < count:
            await port.stall(pause)
            port.ready.value = 1
            await port.transferred(port.valid)
            rows.append(str(port.payload.value))
            if stream == "choice":
                tell(f"{self.number} {int(rows[-1], 2)}\n")

    async def _watch(self) -> None:
        """Note the counter of columns in every cycle."""
        counter = getattr(self.dut, f"{self.prefix}__columns")
        while True:
            await RisingEdge(self.dut.clk)
            self._columns.append(counter.value.to_unsigned())

    def watch_for_surplus(self) -> list[Task[str]]:
        async def surplus(port: Port) -> str:
            port.ready.value = 1
            await ReadOnly()
            if not port.valid.value:
                await RisingEdge(port.valid)
            return f"another beat of {port.name}"

        return [cocotb.start_soon(surplus(self.ports[stream])) for stream in self.spec["beats"]]

    def progress(self) -> str:
        """What is missing, for the message of a run that hangs."""
        beats = self.spec["beats"].items()
        got = [f"{len(self._rows[stream])} of {count} {stream}" for stream, count in beats]
        sent = f"{len(self.ports['i'].moved)} of {len(self.spec['requests'])} requests"
        return f"{self.prefix} hangs: {', '.join([sent, *got])}"

    def finish(self) -> None:
        """Turn what was noted into arrays."""
        for stream, rows in self._rows.items():
            bits = np.frombuffer("".join(rows).encode(), np.uint8).reshape(len(rows), -1 if rows else 8)
            if not ((bits == ord("0")) | (bits == ord("1"))).all():
                raise AssertionError(f"{self.prefix}: {stream} has undefined bits")
            self.results[stream] = np.packbits(bits[:, ::-1] & 1, axis=1, bitorder="little")
        for stream, port in self.ports.items():
            self.results[f"{stream}.moved"] = np.array(port.moved, np.int64) - self._first
        self.results["offered"] = np.array(self._offered, np.int64) - self._first
        for counter in ("tokens", "cycles", "columns"):
            value = getattr(self.dut, f"{self.prefix}__{counter}").value.to_unsigned()
            self.results[f"count.{counter}"] = value
        self.results["cpu_s"] = time.process_time()
        if self.spec["watch"]:
            self.results["watched"] = np.array(self._columns, np.int64)
