"""The host's side of the link against the board model over wires that damage everything."""

import random
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trine_sw.engine.default import default_engine
from trine_sw.golden import Golden
from trine_sw.link.board_model import BoardModel
from trine_sw.link.faulty_wire import FaultyWire
from trine_sw.link.protocol import DONE, PROTOCOL_VERSION, Command, Frame, LinkConfig, Reason, decode, encode
from trine_sw.link.session import BoardGone, Session
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.model.trits import pack

MODEL = random_model(ModelConfig(hidden=10, embedding=6, vocab_size=20, cell_max=7), seed=4)
LINK = LinkConfig(window=4, slot_bytes=64, receive_bytes=256)
TOKENS = np.random.default_rng(5).integers(0, 20, 400)
EXPECTED = [row.tobytes() for row in pack(Golden(MODEL).run(TOKENS).h)]


def board() -> BoardModel:
    return BoardModel(MODEL, default_engine(MODEL), LINK)


class Wires:
    """A board behind two wires, and a clock that moves a millisecond each time bytes are moved."""

    def __init__(self, board, to_board=lambda data: data, to_host=lambda data: data):
        self.board, self.to_board, self.to_host = board, to_board, to_host
        self.now = 0.0

    def move(self, session):
        """One round; returns the replies that it completed."""
        self.now += 0.001
        answers = self.to_host(self.board.exchange(self.to_board(session.output())))
        replies = session.receive(answers, self.now)
        deadline = session.deadline()
        if not answers and deadline is not None:
            self.now = max(self.now, deadline)
        session.tick(self.now)
        return replies

    def open(self, nonce=None, patience=60.0):
        session = Session(patience=patience, nonce=nonce)
        session.open(self.now)
        while session.info is None:
            self.move(session)
        return session

    def stream(self, session, tokens):
        """The records of h for these tokens, one token a frame."""
        waiting, records = list(tokens), []
        while waiting or session.outstanding:
            while waiting and session.room(2):
                session.submit(Command.STEP, bytes([1, waiting.pop(0)]), self.now)
            for _, reply in self.move(session):
                assert reply.code == DONE | Command.STEP
                records.append(reply.payload)
        return records


class Shuffler:
    """Sends whole frames twice, late, or not at all, beside the faults of bytes."""

    def __init__(self, rate, seed, frame_rate):
        self.wire, self.random, self.frame_rate = FaultyWire(rate, seed), random.Random(seed), frame_rate
        self.late = []

    def __call__(self, data):
        out = []
        for part in data.split(b"\0")[:-1]:
            frame = part + b"\0"
            chance = self.random.random() / self.frame_rate if self.frame_rate else 1
            if chance < 0.3:
                continue
            out.append(frame)
            if chance < 0.6:
                out.append(frame)
            elif chance < 1:
                self.late.append(frame)
            if self.late and self.random.random() < 0.3:
                out.append(self.late.pop(0))
        return self.wire.carry(b"".join(out))


@settings(max_examples=30)
@given(st.sampled_from([0, 1e-4, 1e-3, 1e-2]), st.sampled_from([0, 0.05, 0.3]), st.integers(0, 1 << 30))
def test_every_token_once_over_any_wire(rate, frame_rate, seed):
    wires = Wires(board(), Shuffler(rate, seed, frame_rate), Shuffler(rate, seed + 1, frame_rate))
    session = wires.open()
    assert wires.stream(session, TOKENS) == EXPECTED
    assert wires.board.counts["tokens"] == len(TOKENS)


def test_clean_wire_needs_no_retries():
    wires = Wires(board())
    session = wires.open()
    assert wires.stream(session, TOKENS) == EXPECTED
    assert (session.counters.resent, session.counters.timeouts, session.counters.damaged) == (0, 0, 0)
    assert session.counters.sent == session.counters.replies == len(TOKENS)


@settings(max_examples=30)
@given(st.integers(1, 300), st.integers(0, 1 << 30))
def test_host_that_dies_and_comes_back(died_after, seed):
    """The frames that the dead host has left in the wire do not reach the new stream."""
    wires = Wires(board(), Shuffler(1e-3, seed, 0.1), Shuffler(1e-3, seed + 1, 0.1))
    first = wires.open()
    wires.stream(first, TOKENS[:died_after])
    for token in TOKENS[died_after : died_after + 4]:
        first.submit(Command.STEP, bytes([1, token]), wires.now)
    left = first.output()
    wires.board.exchange(left[: len(left) // 2])  # the last frame is cut in the middle
    second = wires.open()
    wires.to_board.late.append(left)  # what the old host sent arrives once more, late
    assert wires.stream(second, TOKENS) == EXPECTED


@settings(max_examples=30)
@given(st.integers(0, 60), st.integers(0, 1 << 30))
def test_board_that_is_reset_is_noticed(reset_after, seed):
    wires = Wires(board(), Shuffler(1e-3, seed, 0.1), Shuffler(1e-3, seed + 1, 0.1))
    session = wires.open()
    wires.stream(session, TOKENS[:reset_after])
    wires.board.reset()
    with pytest.raises(BoardGone, match="was reset"):
        wires.stream(session, TOKENS[reset_after:])
    assert wires.board.counts["tokens"] == 0  # nothing was applied to the state that is not ours
    wires.to_board.late.clear()  # an OPEN from before the reset would take the board from the new host
    assert wires.stream(wires.open(), TOKENS) == EXPECTED


def test_board_that_another_program_opens_is_noticed():
    wires = Wires(board())
    mine = wires.open(nonce=1)
    wires.stream(mine, TOKENS[:3])
    theirs = wires.open(nonce=2)
    with pytest.raises(BoardGone, match="another program"):
        wires.stream(mine, TOKENS[3:5])
    assert wires.stream(theirs, TOKENS[:9]) == EXPECTED[:9]


def test_opening_that_comes_late_takes_nothing():
    wires = Wires(board())
    first = Session(nonce=1)
    first.open(0)
    late = first.output()
    wires.open(nonce=1)
    mine = wires.open(nonce=2)
    assert wires.stream(mine, TOKENS[:3]) == EXPECTED[:3]
    refused = decode(wires.board.exchange(late).rstrip(b"\0"))
    assert refused is not None and refused.reason is Reason.SESSION
    assert wires.stream(mine, TOKENS[3:9]) == EXPECTED[3:9]
    again = wires.open(nonce=1)  # a host that is still there, or has the number by chance, takes another
    assert again.nonce not in (1, 2)
    assert wires.stream(again, TOKENS) == EXPECTED


def test_board_that_still_answers_another_host_is_there():
    """Patience ends with silence, not while a slow board is at what the host before has left it."""
    device = board()
    stale = Session(nonce=5)
    stale.open(0.0)
    stale.receive(device.exchange(stale.output()), 0.0)
    session = Session(patience=5.0)
    session.open(0.0)
    answer = device.exchange(session.output())
    for now in (4.0, 8.0, 12.0):
        assert session.info is None
        session.receive(encode(Frame(5, 3, DONE | Command.STEP, b"1234")), now)
        session.tick(now)
    session.receive(answer, 16.0)
    assert session.info is not None
    silent = Session(patience=5.0)
    silent.open(0.0)
    with pytest.raises(BoardGone, match="does not answer"):
        for now in range(7):
            silent.tick(now)


def test_silence_ends_a_session():
    wires = Wires(board(), to_host=lambda data: b"")
    with pytest.raises(BoardGone, match="does not answer"):
        wires.open(patience=3)
    wires = Wires(board(), to_host=lambda data: b"\x55" * 9 + b"\0")
    with pytest.raises(BoardGone, match="baud"):
        wires.open(patience=3)
    wires = Wires(board())
    session = wires.open(patience=3)
    wires.to_host = lambda data: b""
    with pytest.raises(BoardGone, match="stopped answering"):
        wires.stream(session, TOKENS)


@settings(max_examples=30)
@given(st.floats(0, 1), st.integers(0, 1 << 30))
def test_a_wire_that_damages_every_request_or_its_reply_ends_a_session(to_board, seed):
    """The board is heard all the time: what it says of damaged requests gets through."""
    random_ = random.Random(seed)

    def spoil(data):
        return data[:3] + bytes([data[3] % 255 + 1]) + data[4:]

    wires = Wires(board())
    session = wires.open(patience=3)
    began, damaged = wires.now, []

    def request(data):
        damaged.append(random_.random() < to_board)
        return spoil(data) if data and damaged[-1] else data

    wires.to_board = request
    wires.to_host = lambda data: data if damaged[-1] or not data else spoil(data)
    with pytest.raises(BoardGone, match="no request has got through for 36 s|stopped answering"):
        wires.stream(session, TOKENS[:1])
    assert wires.board.counts["tokens"] <= 1
    assert wires.now - began < 40


def test_more_tokens_than_sequence_numbers():
    wires = Wires(board())
    session = wires.open()
    session._after = 0xFFF0  # as after so many frames
    wires.board.session.expected = 0xFFF0
    assert wires.stream(session, TOKENS) == EXPECTED


@settings(max_examples=200)
@given(st.lists(st.binary(min_size=1, max_size=80), max_size=30), st.integers(1, 40))
def test_host_survives_garbage(garbage, every):
    noise = iter(garbage)

    def disturbed(data):
        return data if len(data) % every else data + next(noise, b"") + b"\0"

    wires = Wires(board(), to_host=disturbed)
    assert wires.stream(wires.open(), TOKENS[:20]) == EXPECTED[:20]


def frames(data):
    found = [decode(part) for part in data.split(b"\0") if part]
    return [frame for frame in found if frame is not None]


PAYLOADS = st.one_of(
    st.binary(max_size=60),
    st.tuples(st.integers(0, 40), st.binary(max_size=12)).map(lambda t: bytes([t[0]]) + t[1]),
)


@settings(max_examples=300)
@given(st.integers(0, 12), PAYLOADS)
def test_refused_command_changes_nothing(command, payload):
    """Whatever a frame holds: a refusal leaves state, generator and reset as they were, and halts."""
    device = board()
    device.exchange(encode(Frame(7, 0, Command.OPEN, bytes([PROTOCOL_VERSION]))))
    device.exchange(encode(Frame(7, 0, Command.STEP, bytes([0, 3, 4, 5]))))
    before = device._state.copy()
    (reply,) = frames(device.exchange(encode(Frame(7, 1, command, payload))))
    if reply.code == DONE | command:
        return
    assert reply.reason is not None and reply.sequence == 1
    if command > 1:
        assert [frame.reason for frame in frames(device.exchange(encode(Frame(7, 2, Command.COUNTERS))))] == [
            Reason.HALTED
        ]
        device.exchange(encode(Frame(7, 3, Command.RESUME)))
    sequence = 4 if command > 1 else 1
    (cells,) = frames(device.exchange(encode(Frame(7, sequence, Command.READ, struct.pack("<HH", 0, 10)))))
    assert cells.code == DONE | Command.READ
    assert cells.payload[4:] == np.stack([before.c[0], before.h[0]], axis=1).tobytes()


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_board_model_survives_garbage(garbage):
    device = board()
    answers = frames(device.exchange(garbage + b"\0"))
    assert all(frame.reason is not None for frame in answers)
    assert device.counts["tokens"] == 0
