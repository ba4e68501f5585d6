"""Simulations that hang fail, and soon: a design with a fault that stops it, and one that never ends."""

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from sim.formal.breaking import broken
from tests.helpers.core_run import Run
from tests.helpers.link_run import LINK, answers
from trine_hw.core.core import Core
from trine_hw.link import link as link_module
from trine_hw.link.executor import session as session_states
from trine_hw.link.executor.executor import Executor
from trine_hw.link.reply_cache import ReplyCache
from trine_hw.simulation.watchdog import Watchdog, core_patience, link_patience, run_watched
from trine_sw.engine import EngineConfig, Geometry
from trine_sw.link.board_info import board_info
from trine_sw.link.protocol import Command, Frame, LinkConfig, encode
from trine_sw.link.records import Codec
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

#: Testbenches that wait when the simulation fails are closed within their wait.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CONFIG = ModelConfig(hidden=3, embedding=2, vocab_size=5, cell_max=7)
MODEL = random_model(CONFIG, seed=1)
ENGINE = EngineConfig(100, 1)
SHORT = LinkConfig(window=1, slot_bytes=64, receive_bytes=64)


class Gate(wiring.Component):
    """Lets so many through, then nothing; or everything, for ever."""

    def __init__(self, most: int | None) -> None:
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})
        self.most = most

    def elaborate(self, platform: object) -> Module:
        m = Module()
        passed = Signal(16)
        opens = 1 if self.most is None else passed != self.most
        m.d.comb += [self.o.valid.eq(self.i.valid & opens), self.i.ready.eq(self.o.ready & opens)]
        m.d.comb += self.o.payload.eq(self.i.payload)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += passed.eq(passed + 1)
        return m


@pytest.mark.parametrize("most", [0, 1, 7])
def test_a_design_that_stops_is_found_after_its_patience(most):
    dut, cycles = Gate(most), 0

    async def drive(ctx):
        nonlocal cycles
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        while True:
            await ctx.tick()
            cycles += 1

    found = "the design hangs: no transfer for 31 cycles; i offered, not taken"
    with pytest.raises(AssertionError, match=found):
        run_watched(dut, drive, progress={"i": dut.i, "o": dut.o}, patience=30)
    assert most + 30 <= cycles <= most + 32


def test_a_design_that_never_ends_is_found():
    dut = Gate(None)

    async def drive(ctx):
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        while True:
            await ctx.tick()

    with pytest.raises(AssertionError, match="does not end: 51 transfers"):
        run_watched(dut, drive, progress={"i": dut.i}, patience=30, transfers=50)


def test_nothing_to_watch_is_refused():
    for progress, patience in (({}, 5), ({"o": Gate(1).o}, 0)):
        with pytest.raises(ValueError, match="needs streams and a patience"):
            Watchdog(progress, patience)


def test_an_engine_that_hangs_is_found():
    stuck = broken(Core, "queue.o.ready.eq(self.state.ready)", "queue.o.ready.eq(0)")
    requests = [{"token": 1, "head": 1, "last": 1, "reset": 1}] * 3
    with pytest.raises(AssertionError, match="the design hangs.*state offered"):
        Run(stuck(MODEL, ENGINE), requests)


@pytest.mark.parametrize(
    ("component", "right", "wrong", "part", "message"),
    [
        (Executor, 'm.next = "Compare"', 'm.next = "Age"', session_states, "hangs"),
        # The frame is answered for ever.
        (Executor, "ports.frames.ready.eq(1)", "ports.frames.ready.eq(0)", session_states, "does not end"),
        # The reply is sent for ever.
        (ReplyCache, "waiting[slot].eq(0),", "waiting[slot].eq(1),", None, "does not end"),
    ],
    ids=["executor", "frame", "replies"],
)
def test_a_link_that_hangs_is_found(component, right, wrong, part, message, monkeypatch):
    monkeypatch.setattr(link_module, component.__name__, broken(component, right, wrong, part))
    sent = [encode(Frame(0, 0, Command.RESUME))] * 2
    with pytest.raises(AssertionError, match=message):
        answers(MODEL, ENGINE, sent, SHORT)


def test_patience_is_seconds_and_not_minutes():
    """At three thousand cycles a second, which Amaranth's simulator makes of a small link."""
    for config, engine in ((CONFIG, ENGINE), (CONFIG, EngineConfig(12, 1)), (CONFIG, EngineConfig(100, 2))):
        geometry = Geometry(config, engine)
        codec = Codec(board_info(random_model(config, seed=1), engine, LINK))
        assert geometry.groups * geometry.bank_columns < core_patience(geometry) < 500
        assert link_patience(geometry, codec) < 30_000
