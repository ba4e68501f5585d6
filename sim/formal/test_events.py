"""No event and no byte is lost, and none comes twice; the frame decoder returns to idle."""

from __future__ import annotations

import pytest

from sim.formal.breaking import broken
from sim.formal.bytes import BytesInOrder
from sim.formal.events import IssueEvents, ScannerEvents
from sim.formal.frames import DecoderForgets, DecoderReturns
from sim.formal.prove import prove
from trine_hw.core.column_issue import ColumnIssue
from trine_hw.core.scanner import Scanner
from trine_hw.link.frame_receiver import FrameReceiver
from trine_hw.primitives.byte_fifo import ByteFIFO
from trine_sw.engine import EngineConfig, Geometry
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import ModelConfig

LINK = LinkConfig(window=1, slot_bytes=64, receive_bytes=64)
GEOMETRY = Geometry(ModelConfig(hidden=3, embedding=3, vocab_size=3), EngineConfig(15, 2))
GRUS = [
    Geometry(ModelConfig(cell="gru", layers=layers, hidden=3, embedding=3, vocab_size=3), EngineConfig(15, 2))
    for layers in (1, 2)
]


def scanner_holds(kind, size: int, magnitude_bits: int, depth: int) -> bool:
    return prove(ScannerEvents(kind(size, magnitude_bits)), depth, anew=True).holds


@pytest.mark.parametrize(
    "size, magnitude_bits, depth",
    [(1, 0, 12), (3, 1, 10), (9, 0, 9), pytest.param(9, 1, 14, marks=pytest.mark.deep)],
)
def test_scanner_neither_loses_nor_repeats(size: int, magnitude_bits: int, depth: int) -> None:
    """From reset, for so many cycles: for vectors of one and of two words, and loads one after the other."""
    assert scanner_holds(Scanner, size, magnitude_bits, depth)


@pytest.mark.parametrize(
    "right, wrong",
    [
        ("current.eq(current & ~lowest)", "current.eq(current)"),
        ("unfetched.eq(rest.any())", "unfetched.eq(0)"),
        ("Mux(fetch, first(rest), next_word)", "Mux(fetch, first(pending), next_word)"),
        (
            "fetch.eq(unfetched & (~current_valid | (exhausted & room)))",
            "fetch.eq(unfetched & (~current_valid | exhausted))",
        ),
        ("idle.eq(~start & ~unfetched", "idle.eq(~unfetched"),
        ("entry.final.eq(exhausted & ~unfetched)", "entry.final.eq(exhausted)"),
        ("at_most(1, actives(fetched))", "at_most(2, actives(fetched))"),
        ("at_most(2, current)", "at_most(3, current)"),
        ("(again & first(kept))", "(again & first(given))"),
    ],
    ids=[
        *("repeats", "loses a word", "repeats a word", "loses under a stall", "idle too soon", "ends early"),
        *("leaves a word at once", "leaves a word later", "begins again elsewhere"),
    ],
)
def test_scanner_s_proof_finds_a_fault(right: str, wrong: str) -> None:
    assert not scanner_holds(broken(Scanner, right, wrong), 9, 0, 9)


def issue_holds(kind, geometry: Geometry = GEOMETRY) -> bool:
    return prove(IssueEvents(kind(geometry, 1)), 3, induction=True).holds


@pytest.mark.parametrize("geometry", [GEOMETRY, *GRUS], ids=["lstm", "gru", "stack of grus"])
def test_issue_neither_loses_nor_repeats(geometry: Geometry) -> None:
    """For all time, by induction."""
    assert issue_holds(ColumnIssue, geometry)


@pytest.mark.parametrize(
    "right, wrong",
    [
        ("m.d.sync += [self.addr[bank].eq(geometry.zero_address), active[bank].eq(0)]", "pass"),
        ("with m.If(mine & queue.valid):", "with m.If(mine & queue.valid & x.valid):"),
        ("in_h.eq(self.with_h)", "in_h.eq(0)"),
    ],
    ids=["repeats", "loses", "skips h"],
)
def test_issue_s_proof_finds_a_fault(right: str, wrong: str) -> None:
    assert not issue_holds(broken(ColumnIssue, right, wrong))


def test_issue_s_proof_finds_columns_of_another_vector() -> None:
    assert not issue_holds(broken(ColumnIssue, "else in_x)", "else in_h)"), GRUS[0])
    assert not issue_holds(broken(ColumnIssue, "in_x ^ self.above", "in_x"), GRUS[1])


def queue_keeps_order(kind, depth: int = 20) -> bool:
    return prove(BytesInOrder(kind(2)), depth).holds


@pytest.mark.parametrize("depth", [20, pytest.param(24, marks=pytest.mark.deep)])
def test_queue_neither_loses_nor_repeats(depth: int) -> None:
    """From reset, for so many cycles, in which a queue of two is full and empty again."""
    assert queue_keeps_order(ByteFIFO, depth)


@pytest.mark.parametrize(
    "right, wrong",
    [
        ("~put & ~put_before & ~held[bits]", "~put & ~held[bits]"),
        ("~fetch & ~fetch_before & (held != 0)", "~fetch & (held != 0)"),
    ],
    ids=["loses", "repeats"],
)
def test_queue_s_proof_finds_a_fault(right: str, wrong: str) -> None:
    assert not queue_keeps_order(broken(ByteFIFO, right, wrong))


def decoder_returns(kind) -> bool:
    return prove(DecoderReturns(kind(LINK)), 3, induction=True, any_start=True).holds


def decoder_forgets(kind) -> bool:
    return prove(DecoderForgets(kind(LINK), FrameReceiver(LINK)), 12, any_start=True, anew=True).holds


def test_decoder_returns_to_idle() -> None:
    """From any state, for all time."""
    assert decoder_returns(FrameReceiver)


def test_decoder_forgets_what_came_before_a_zero() -> None:
    """From any state; looked at for the twelve cycles that follow."""
    assert decoder_forgets(FrameReceiver)


def test_decoder_s_proofs_find_a_fault() -> None:
    started = "(signal.eq(0) for signal in (left, started, wrong, zero_pending, count))"
    assert not decoder_returns(broken(FrameReceiver, started, started.replace("started, ", "")))
    assert not decoder_forgets(broken(FrameReceiver, started, started.replace("left, ", "")))
