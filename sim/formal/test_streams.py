"""Each stream's offer is held until it is taken: proved of every component that offers one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from amaranth.hdl import Assume, Module, Value, unsigned
from amaranth.lib import wiring

from sim.formal.breaking import broken
from sim.formal.prove import prove
from sim.formal.streams import StreamContract, assume_steady, was
from trine_hw.core.core import Core
from trine_hw.core.logit_stream import LogitStream
from trine_hw.core.sampler import Sampler
from trine_hw.core.scanner import Scanner
from trine_hw.core.state_queue import StateQueue
from trine_hw.core.state_scanner import StateScanner
from trine_hw.core.token_source import TokenSource
from trine_hw.link.executor import streaming
from trine_hw.link.executor import tokens as token_states
from trine_hw.link.executor.executor import Executor
from trine_hw.link.fast.byte_reader import ByteReader
from trine_hw.link.fast.frame_receiver import FastFrameReceiver
from trine_hw.link.fast.input_unpacker import FastInputUnpacker
from trine_hw.link.fast.logit_sums import LogitSums
from trine_hw.link.fast.payload_reader import FastPayloadReader
from trine_hw.link.fast.reply_cache import FastReplyCache
from trine_hw.link.fast.result_packer import FastResultPacker
from trine_hw.link.fast.segment_reader import SegmentReader
from trine_hw.link.fast.top_list import TopList
from trine_hw.link.fast.word_packer import WordPacker
from trine_hw.link.frame_receiver import FrameReceiver
from trine_hw.link.input_unpacker import InputUnpacker
from trine_hw.link.payload_reader import PayloadReader
from trine_hw.link.reply_cache import ReplyCache
from trine_hw.link.result_packer import ResultPacker
from trine_hw.link.uart import UARTReceiver
from trine_hw.primitives.byte_fifo import ByteFIFO
from trine_hw.primitives.skid_buffer import SkidBuffer
from trine_hw.primitives.streaming_fifo import StreamingFIFO
from trine_sw.engine import EngineConfig, Geometry
from trine_sw.link.board_info import board_info
from trine_sw.link.protocol import LinkConfig
from trine_sw.link.records import Codec
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

LINK = LinkConfig(window=1, slot_bytes=64, receive_bytes=64)
FAST = replace(LINK, codec="fast")
CONFIG = ModelConfig(
    hidden=2, embedding=2, vocab_size=3, cell_max=3, cell_shift=1, output_shift=1, head_levels=(0, 1, 2)
)
MODEL = random_model(CONFIG, seed=1)
TINY = random_model(ModelConfig(hidden=1, embedding=1, vocab_size=2, cell_max=1), seed=1)
ENGINE = EngineConfig(11, 1)
FOLDED = EngineConfig(6, 1)
HOST = EngineConfig(8, 1, embedding="host", head="host")


def codec(engine: EngineConfig) -> Codec:
    return Codec(board_info(MODEL, engine, LINK))


def of_frame(m: Module, reader: Any) -> None:
    """The frame that is read does not change, nor how long it is said to be; memory reads two cycles late."""
    assume_steady(m, reader.length)
    same = reader.read_addr == was(m, reader.read_addr)
    assume_steady(m, reader.read_data, when=same & was(m, same))


def of_cells(m: Module, queue: Any) -> None:
    """``put`` has room."""
    m.d.comb += Assume(~queue.put | ~queue.o.valid | queue.o.ready)


def of_lanes(m: Module, head: Any) -> None:
    """``load`` when the logits before have left."""
    m.d.comb += Assume(~head.load | ~head.o.valid)


def of_link(m: Module, executor: Any) -> None:
    """A record is done when all of it is taken; nothing else that is told changes under an offer."""
    m.d.comb += Assume(~executor.record_done | ~executor.record.valid | executor.record.ready)
    assume_steady(m, Value.cast(executor.last_choice))
    assume_steady(m, executor.generator)


def of_fast_link(m: Module, executor: Any) -> None:
    """Likewise; what is idle stays so until a token enters, and no record ends within an offer."""
    of_link(m, executor)
    m.d.comb += Assume(~executor.record_given | ~executor.record.valid | executor.record.ready)
    idle = was(m, executor.record_idle & ~executor.record_enter)
    m.d.comb += Assume(~idle | executor.record_idle)


def restarted(m: Module, packer: Any) -> Value:
    """A frame has begun, of which other parts are wanted."""
    begun = was(m, packer.start)
    return begun | was(m, begun)


@dataclass(frozen=True)
class Case:
    """A component with its neighbours' promises, the proof's depth, and a fault that it must find.

    By induction a proof is one for all time. Without, it is one for so many cycles from reset: where a state
    that cannot be reached, and that no port shows, would break the contract.
    """

    kind: type[wiring.Component]
    make: Callable[[Any], wiring.Component]
    fault: tuple[Any, ...]
    depth: int
    induction: bool = True
    contract: dict[str, Any] = field(default_factory=dict)

    def holds(self, kind: Any) -> bool:
        subject = StreamContract(self.make(kind), **self.contract)
        return prove(subject, self.depth, induction=self.induction).holds


CASES = {
    "core": Case(
        Core,
        lambda kind: kind(TINY, EngineConfig(4, 1, embedding="host", head="host")),
        ("queue.o.ready.eq(self.state.ready)", "queue.o.ready.eq(1)"),
        24,
        induction=False,
    ),
    "core with a head": Case(
        Core,
        lambda kind: kind(TINY, EngineConfig(6, 1)),
        ("sent[i].eq(head.o.valid & done[i] & ~head.o.ready)", "sent[i].eq(head.o.valid & ~head.o.ready)"),
        30,
        induction=False,
    ),
    "uart receiver": Case(
        UARTReceiver, lambda kind: kind(4), ("with m.If(line & room):", "with m.If(line):"), 2
    ),
    "byte queue": Case(
        ByteFIFO, lambda kind: kind(4), ("fetch.eq(some & ~self.o.valid)", "fetch.eq(some)"), 3
    ),
    "frame receiver": Case(
        FrameReceiver, lambda kind: kind(LINK), ("~byte_valid & ~self.o.valid", "~byte_valid"), 3
    ),
    "payload reader": Case(
        PayloadReader,
        lambda kind: kind(LINK),
        ("with m.Elif(self.o.valid & self.o.ready):", "with m.Elif(self.o.valid):"),
        4,
        contract={"withdrawn": {"o": lambda m, c: was(m, c.start | c.stop)}, "environment": of_frame},
    ),
    "input unpacker, tokens": Case(
        InputUnpacker,
        lambda kind: kind(codec(ENGINE)),
        ("self.i.ready.eq(~self.o.valid),", "self.i.ready.eq(1),"),
        3,
        contract={"withdrawn": {"o": lambda m, c: was(m, c.clear)}},
    ),
    "input unpacker, vectors": Case(
        InputUnpacker,
        lambda kind: kind(codec(HOST)),
        ("m.d.comb += self.i.ready.eq(~self.o.valid)", "m.d.comb += self.i.ready.eq(1)"),
        38,  # a byte of trits takes 13 to 33 cycles: any one, or two short ones
        induction=False,
        contract={"withdrawn": {"o": lambda m, c: was(m, c.clear)}},
    ),
    "result packer": Case(
        ResultPacker,
        lambda kind: kind(Core(MODEL, ENGINE, loadable=True), codec(ENGINE)),
        (
            "with m.If(self.o.ready):\n                m.d.sync += [p.byte",
            "if 1:\n                m.d.sync += [p.byte",
        ),
        3,
    ),
    "reply cache": Case(
        ReplyCache,
        lambda kind: kind(LINK),
        ("with m.If(self.tx.ready):", "if 1:"),
        24,
        induction=False,
    ),
    "executor": Case(
        Executor,
        lambda kind: kind(Core(MODEL, ENGINE, loadable=True), codec(ENGINE), LINK),
        ("        s.items_from_bytes(m)\n        records()", "        records()", token_states),
        3,
        contract={
            "withdrawn": {
                "bytes": lambda m, c: was(m, c.read_start | c.read_stop),
                "items": lambda m, c: was(m, c.items_clear),
                "item_bytes": lambda m, c: c.items_clear,
            },
            "environment": of_link,
        },
    ),
    "byte reader": Case(
        ByteReader,
        lambda kind: kind(8),
        (
            "with m.If(self.o.ready | ~self.o.valid):",
            "with m.If(self.o.ready | ~self.o.valid | there[1]):",
        ),
        3,
        contract={"withdrawn": {"o": lambda m, c: was(m, c.start | c.stop)}},
    ),
    "fast payload reader": Case(
        FastPayloadReader,
        lambda kind: kind(FAST),
        ("with m.If(begun[1]):", "with m.If(reader.o.valid):"),
        6,
        contract={"withdrawn": {"o": lambda m, c: was(m, c.start | c.stop)}},
    ),
    "fast input unpacker": Case(
        FastInputUnpacker,
        lambda kind: kind(codec(HOST)),
        ("moves.eq(~self.o.valid | self.o.ready)", "moves.eq(1)"),
        3,
        contract={"withdrawn": {"o": lambda m, c: was(m, c.clear)}},
    ),
    "fast frame receiver": Case(
        FastFrameReceiver,
        lambda kind: kind(FAST, codec(ENGINE)),
        ("with m.If(~self.o.valid):\n                m.d.sync", "if 1:\n                m.d.sync"),
        3,
    ),
    "fast result packer": Case(
        FastResultPacker,
        lambda kind: kind(Core(MODEL, ENGINE, loadable=True, state_step=10), codec(ENGINE), FAST),
        ("choice.ready.eq(~chosen_there),", "choice.ready.eq(1),"),
        3,
        contract={"withdrawn": {"o": restarted}},
    ),
    "segment reader": Case(
        SegmentReader,
        lambda kind: kind(codec(HOST)),
        ("with m.If(self.o.valid & self.o.ready):", "with m.If(self.o.valid):"),
        3,
        contract={
            "withdrawn": {"o": lambda m, c: was(m, c.clear)},
            "environment": lambda m, reader: assume_steady(m, reader.sequences),
        },
    ),
    "logit sums": Case(
        LogitSums,
        lambda kind: kind(Core(MODEL, ENGINE, loadable=True, state_step=10), counts=True),
        ("with m.If(self.o.ready):", "if 1:"),
        3,
    ),
    "top list": Case(
        TopList,
        lambda kind: kind(
            Core(MODEL, ENGINE, loadable=True, state_step=10), Codec(board_info(MODEL, ENGINE, FAST))
        ),
        ("with m.If(self.o.ready):", "if 1:"),
        3,
        contract={"environment": lambda m, top: assume_steady(m, top.count)},
    ),
    "word packer": Case(
        WordPacker,
        lambda kind: kind(Core(MODEL, ENGINE, loadable=True, state_step=10), 3),
        ("pop.eq(some & Mux(leaves, fill < 16, fill < 8))", "pop.eq(some)"),
        3,
    ),
    "fast reply cache": Case(
        FastReplyCache,
        lambda kind: kind(FAST),
        ("reader.o.ready.eq(self.tx.ready)", "reader.o.ready.eq(1)"),
        24,
        induction=False,
    ),
    "executor of the fast codec": Case(
        Executor,
        lambda kind: kind(Core(MODEL, ENGINE, loadable=True, state_step=10), codec(ENGINE), FAST),
        (
            "        s.items_from_bytes(m)\n        with m.If(~replies.pending):",
            "        with m.If(~replies.pending):",
            streaming,
        ),
        3,
        contract={
            "withdrawn": {
                "bytes": lambda m, c: was(m, c.read_start | c.read_stop),
                "items": lambda m, c: was(m, c.items_clear),
                "item_bytes": lambda m, c: c.items_clear,
            },
            "environment": of_fast_link,
        },
    ),
    "streaming FIFO": Case(
        StreamingFIFO,
        lambda kind: kind(4),
        ("with m.If(~self.o.valid | self.o.ready):", "if 1:"),
        2,
    ),
    "token source": Case(
        TokenSource,
        lambda kind: kind(CONFIG, ENGINE, MODEL.embedding_weight),
        (
            "self.choice_o.valid.eq(self.choice_i.valid)",
            "self.choice_o.valid.eq(self.choice_i.valid & self.take)",
        ),
        2,
    ),
    "logit stream": Case(
        LogitStream,
        lambda kind: kind(Geometry(CONFIG, ENGINE), 3),
        ("shift.eq(transfer)", "shift.eq(self.o.valid)"),
        2,
        contract={"environment": of_lanes},
    ),
    "sampler": Case(
        Sampler,
        lambda kind: kind(3, 4, 2),
        (
            "with m.If(enter & ~stay[n] & (stay[n - 1] if n else 1)):",
            "with m.If(enter & (stay[n - 1] if n else 1)):",
        ),
        2,
    ),
    "state queue of one": Case(
        StateQueue,
        lambda kind: kind(Geometry(CONFIG, ENGINE)),
        ("with m.If(self.taken):", "with m.If(self.o.valid):"),
        2,
        contract={"environment": of_cells},
    ),
    "state queue of two": Case(
        StateQueue,
        lambda kind: kind(Geometry(CONFIG, FOLDED)),
        ("front = ~self.o.valid | self.taken", "front = ~self.o.valid | self.taken | waits"),
        2,
    ),
    "state scanner": Case(
        StateScanner,
        lambda kind: kind(3, 2, 2, 1),
        ("room.eq(~self.o.valid | self.o.ready)", "room.eq(1)"),
        2,
    ),
    "skid buffer": Case(
        SkidBuffer,
        lambda kind: kind(unsigned(3)),
        ("with m.If(self.o.ready | ~self.o.valid):", "with m.If(self.o.ready | ~self.o.valid | waits):"),
        2,
    ),
    "scanner": Case(
        Scanner, lambda kind: kind(9, 2), ("room.eq(~self.o.valid | self.o.ready)", "room.eq(1)"), 2
    ),
}

CASES["input unpacker, three vectors"] = replace(CASES["input unpacker, vectors"], depth=48)

DEEP = {"core with a head", "input unpacker, three vectors"}
NAMES = [pytest.param(name, marks=pytest.mark.deep) if name in DEEP else name for name in CASES]


@pytest.mark.parametrize("name", NAMES)
def test_offers_are_held(name: str) -> None:
    case = CASES[name]
    assert case.holds(case.kind)


@pytest.mark.parametrize("name", NAMES)
def test_the_proof_finds_a_fault(name: str) -> None:
    case = CASES[name]
    assert not case.holds(broken(case.kind, *case.fault))
