"""The driver's session over a network that loses, doubles and reorders frames: exactly once, and how fast."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.datagram_wires import DatagramWires, Faulty
from trine_sw.engine.default import default_engine
from trine_sw.link.board_info import board_info
from trine_sw.link.board_session import BoardSession
from trine_sw.link.protocol import DONE, Command, LinkConfig
from trine_sw.link.session import Session
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

MODEL = random_model(ModelConfig(hidden=4, embedding=2, vocab_size=3), seed=1)


def run(window, faults, seed, count, late_s=100e-6):
    """Send numbered requests of the length that suits the wire; returns the simulated seconds, the session,
    the mean length and the network."""
    link = LinkConfig(window, 1024, min(65536, 1024 * window))
    info = board_info(MODEL, default_engine(MODEL), link).pack()
    applied: list[int] = []

    def execute(frame):
        applied.append(int.from_bytes(frame.payload[:4], "little"))
        return frame.payload[:4]

    board = BoardSession(
        link, describe=lambda: info, begin=applied.clear, execute=execute, count=lambda event: None
    )
    up, down = (Faulty(*faults, seed=seed + way, late_s=late_s) for way in (0, 1))
    wires = DatagramWires(lambda frame: board.answer(frame[:-1]), up, down)
    session = Session(patience=60)
    session.open(wires.now)
    while session.info is None:
        wires.move(session)
    began, sent, replied, size = wires.now, 0, 0, 0
    while replied < count:
        length = session.payload_limit
        while sent < count and session.room(length):
            session.submit(Command.STEP, sent.to_bytes(4, "little") + b"x" * (length - 4), wires.now)
            sent, size = sent + 1, size + length
        for _, reply in wires.move(session):
            assert reply.code == DONE | Command.STEP
            assert reply.payload == replied.to_bytes(4, "little")
            replied += 1
    assert applied == list(range(count)) and session.outstanding == 0
    return wires.now - began, session, size / count, wires


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from([1, 2, 8, 64]),
    st.tuples(*[st.sampled_from([0, 0.01, 0.1, 0.3])] * 3),
    st.sampled_from([20e-6, 100e-6, 2e-3]),
    st.integers(0, 1 << 30),
)
def test_every_request_once_and_in_order(window, faults, late_s, seed):
    run(window, faults, seed, 120, late_s)


@pytest.mark.parametrize(
    ("faults", "slower", "each"),
    [
        ((0.01, 0, 0), 1.3, 10),
        ((0, 0.01, 0), 1.01, 0.5),
        ((0, 0, 0.01), 1.3, 10),
        ((0.01, 0.01, 0.01), 1.6, 8),
    ],
    ids=["lost", "doubled", "late", "all"],
)
def test_faults_of_one_in_a_hundred_cost_little(faults, slower, each):
    """Frames stay as long as they are, since shorter ones would not fare better, and a fault repeats no more
    than the window and little else."""
    clean, *_ = run(8, (0, 0, 0), 1, 1500)
    took, session, size, wires = run(8, faults, 1, 1500)
    assert took < slower * clean
    assert session.info is not None
    assert size == session.info.link.max_payload == session.payload_limit
    assert session.counters.resent < each * (wires.up.faults + wires.down.faults)


def test_refusals_from_before_a_repeat_cause_no_other():
    """Of a window of 64 one frame comes late: 63 refusals, and each frame follows once more."""
    link = LinkConfig(64, 64, 4096)
    info = board_info(MODEL, default_engine(MODEL), link).pack()
    board = BoardSession(
        link, describe=lambda: info, begin=lambda: None, execute=lambda frame: b"", count=lambda event: None
    )
    session = Session(patience=60)
    session.open(0.0)
    session.receive(board.answer(session.output().strip(b"\0")), 0.001)
    for _ in range(64):
        session.submit(Command.RESET, b"", 0.002)
    first, *others = session.output().split(b"\0")[:-1]
    answers = [board.answer(frame) for frame in (*others, first)]
    for answer in answers[:-1]:
        session.receive(answer, 0.003)
    again = session.output().split(b"\0")[:-1]
    assert again == [first, *others]
    assert len(session.receive(answers[-1], 0.004)) == 1
    for frame in again[1:]:
        session.receive(board.answer(frame), 0.005)
    assert session.outstanding == 0 and session.counters.resent == 64
