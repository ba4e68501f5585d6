"""Watchdog of a simulation: how long a design may be silent, and the failure of one that is silent longer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from amaranth.hdl import Cat, Value, ValueLike
from amaranth.sim import Simulator

from trine_hw.link.input_unpacker import InputUnpacker
from trine_hw.link.payload_reader import PayloadReader
from trine_sw.engine import CELL_LATENCY, Geometry
from trine_sw.engine.timing import TimingModel
from trine_sw.link.protocol import HEADER_BYTES
from trine_sw.link.records import Codec

__all__ = ["Watchdog", "core_patience", "link_patience", "run_watched"]

#: A stream that is ready with probability p in a cycle waits longer than this over p once in 10^8 waits.
_STALL = 20
#: Registers between the parts, cycles; counted once for each beat.
_SLACK = 16


def _token_cycles(geometry: Geometry) -> int:
    """Most cycles of a token, from its acceptance to its state and its choice: all its columns are active."""
    timing = TimingModel(geometry)
    config = geometry.model
    x = timing.x_counts(np.ones((1, config.embedding), np.int8))[0].tolist()
    h = timing.h_counts(np.ones((1, config.cells), np.int8))[0].tolist()
    cycles = timing.step(x, h, h, head=True, last=True)
    return max(cycles + geometry.sum_latency + CELL_LATENCY, timing.choice) + _SLACK


def core_patience(geometry: Geometry, steady: float = 1.0) -> int:
    """Most cycles between two transfers of a core that works: the timing model's of the longest token, twice,
    for what the token before it has left in the pipeline.

    Parameters
    ----------
    steady : probability that a stream's other side lets it move in a cycle
    """
    return 2 * _token_cycles(geometry) + round(_STALL / steady)


def link_patience(geometry: Geometry, codec: Codec) -> int:
    """Most cycles between two bytes of a link that works: those of its longest command.

    A frame of as many tokens as it holds, each as long as the timing model says at most, all its bytes
    unpacked twice (checked, then used), each token's cells looked at for the longest record; and a whole
    state loaded.
    """
    info, payload = codec.info, codec.info.link.max_payload
    tokens = max(1, payload // min(codec.item_bytes, codec.token_bytes))
    byte = PayloadReader.interval if info.embedding_on_board else InputUnpacker.most_cycles
    frame = info.link.slot_bytes * 4  # in, out, and through the reply's encoder
    cells = info.cells * (4 + info.u_bits)
    load = geometry.groups * (4 * geometry.units + 2 * _SLACK)
    record = payload * 4  # of all tokens' records: no byte takes more than 4 cycles to encode
    unpacking = 2 * byte * (payload + HEADER_BYTES)
    return frame + unpacking + tokens * (_token_cycles(geometry) + cells) + record + load


class Watchdog:
    """Background testbench for Amaranth's simulator that fails once nothing has moved for too long.

    Parameters
    ----------
    progress : what is looked at, by the name that the failure gives it: streams, of which any transfer is
        progress, and values, which are progress while they are not 0
    patience : cycles without progress after which the design hangs
    transfers : after so many cycles with progress the design never ends, if given
    """

    def __init__(self, progress: Mapping[str, Any], patience: int, transfers: int | None = None) -> None:
        if not progress or patience < 1:
            raise ValueError(f"a watchdog needs streams and a patience of at least 1, not {patience}")
        self.progress, self.patience, self.transfers = dict(progress), patience, transfers

    async def watch(self, ctx: Any) -> None:
        """The testbench."""
        moves = Cat(self._moves(port) for port in self.progress.values()).any()
        silent, moved = 0, 0
        while True:
            *_, moving = await ctx.tick().sample(moves)
            silent = 0 if moving else silent + 1
            moved += moving
            if silent > self.patience:
                raise AssertionError(f"the design hangs: no transfer for {silent} cycles; {self._state(ctx)}")
            if self.transfers is not None and moved > self.transfers:
                raise AssertionError(f"the design does not end: {moved} transfers; {self._state(ctx)}")

    @staticmethod
    def _moves(port: Any) -> Value:
        return Value.cast(port).any() if isinstance(port, ValueLike) else port.valid & port.ready

    def _state(self, ctx: Any) -> str:
        words = {(0, 0): "idle", (1, 0): "offered, not taken", (0, 1): "awaited", (1, 1): "moving"}
        streams = {name: port for name, port in self.progress.items() if not isinstance(port, ValueLike)}
        return ", ".join(
            f"{name} {words[ctx.get(port.valid), ctx.get(port.ready)]}" for name, port in streams.items()
        )


def run_watched(
    dut: Any,
    *testbenches: Callable[[Any], Any],
    progress: Mapping[str, Any],
    patience: int,
    transfers: int | None = None,
    background: Sequence[Callable[[Any], Any]] = (),
) -> None:
    """Run testbenches in Amaranth's simulator until all have ended, under a :class:`Watchdog`.

    Raises
    ------
    AssertionError
        If a testbench fails, or the design hangs or does not end.
    """
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    for testbench in testbenches:
        simulator.add_testbench(testbench)
    for testbench in (*background, Watchdog(progress, patience, transfers).watch):
        simulator.add_testbench(testbench, background=True)
    simulator.run()
