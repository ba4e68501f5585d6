"""The C client against boards that are silent, wrong, reset or taken."""

import numpy as np
import pytest

from tests.helpers.c_client import MODEL, board_of, compiled, needs_gcc
from trine_sw.golden import Golden
from trine_sw.link.board_session import BoardSession
from trine_sw.link.items import Refusal
from trine_sw.link.protocol import (
    PROTOCOL_VERSION,
    REFUSED,
    Command,
    Frame,
    LinkConfig,
    Reason,
    Splitter,
    decode,
    encode,
)
from trine_sw.model.random_model import random_model

pytestmark = needs_gcc

TOKENS = np.random.default_rng(1).integers(0, 20, 200)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The client of :data:`MODEL`, with four frames in flight, each of few tokens."""
    folder = tmp_path_factory.mktemp("client")
    return compiled(MODEL, folder, options=["-DTRINE_WINDOW=4", "-DTRINE_REQUEST_BYTES=16"])


class Scripted:
    """A board to which something happens before it answers the n-th time."""

    def __init__(self, board, **events):
        self.board, self.events, self.calls = board, events, 0

    def exchange(self, data: bytes) -> bytes:
        for name, at in self.events.items():
            if at == self.calls:
                getattr(self, name)()
        self.calls += 1
        return self.board.exchange(data)

    def reset(self):
        self.board.reset()

    def reset_and_reopened(self):
        """An OPEN of the client's own session comes late, after a reset."""
        self.board.reset()
        assert self.board.exchange(encode(Frame(1, 1, Command.OPEN, THIS_VERSION)))

    def opened_by_another(self):
        assert self.board.exchange(encode(Frame(999, 1, Command.OPEN, THIS_VERSION)))

    def refuses_once(self):
        execute = self.board.session._execute

        def refuse(frame):
            self.board.session._execute = execute
            raise Refusal(Reason.ROOM)

        self.board.session._execute = refuse


class Answering:
    """A board that answers each frame as a function says."""

    def __init__(self, answer):
        self._answer, self._splitter = answer, Splitter(300)

    def exchange(self, data: bytes) -> bytes:
        frames = [decode(part) for part in self._splitter.feed(data)]
        return b"".join(encode(self._answer(frame)) for frame in frames if frame is not None)


def refusing(reason):
    def answer(frame):
        addressed = frame.session.to_bytes(2, "little")
        return Frame(frame.session, frame.sequence, REFUSED | reason, b"\0\0" + addressed)

    return Answering(answer)


THIS_VERSION = bytes([PROTOCOL_VERSION])


class Noise:
    """What a line at another baud rate looks like."""

    def __init__(self):
        self._rng = np.random.default_rng(0)

    def exchange(self, data: bytes) -> bytes:
        return self._rng.bytes(len(data))


class Silent:
    def exchange(self, data: bytes) -> bytes:
        return b""


@pytest.mark.parametrize(
    "board, error",
    [
        (Silent(), "ERROR_SILENT"),
        (Noise(), "ERROR_NOISE"),
        (refusing(Reason.BUSY), "ERROR_BUSY"),
        (refusing(Reason.VERSION), "ERROR_VERSION"),
        (board_of(random_model(MODEL.config, seed=6)), "ERROR_MODEL"),
        (board_of(MODEL, head="host"), "ERROR_MODEL"),
        (
            Answering(lambda frame: Frame(frame.session, frame.sequence, 0x81, THIS_VERSION + b"abc")),
            "ERROR_ANSWER",
        ),
        (Answering(lambda frame: Frame(frame.session, frame.sequence, 0x81, b"\3abc")), "ERROR_VERSION"),
    ],
    ids=["silent", "noise", "busy", "version", "model", "place", "answer", "old"],
)
def test_opening_says_what_is_wrong_with_the_board(program, board, error):
    found = program.run(("open", 1), ("step", 16, 1, [3]), board=board)
    assert found.error() == error
    assert found.error() == "ERROR_CLOSED"
    found.one()
    found.end()


def test_a_broken_wire_ends_the_session(program):
    class Broken(Scripted):
        def break_(self):
            raise ConnectionError

    def run(at):
        with pytest.raises(ConnectionError):
            program.run(("open", 1), ("feed", 50, TOKENS[:50]), board=Broken(board_of(MODEL), break_=at))

    run(1)
    run(4)


@pytest.mark.parametrize("event, error", [("reset", "ERROR_RESET"), ("opened_by_another", "ERROR_TAKEN")])
@pytest.mark.parametrize("at", [2, 5])
def test_a_lost_session_is_reported_and_opened_anew(program, event, error, at):
    board = Scripted(board_of(MODEL), **{event: at})
    commands = ("feed", 50, TOKENS[:50]), ("feed", 1, TOKENS[:1]), ("open", 1), ("step", 8, 3, TOKENS[:3])
    found = program.run(("open", 1), *commands, board=board)
    found.ok()
    assert found.error() == error
    assert found.error() == "ERROR_CLOSED"
    found.ok()
    trace = Golden(MODEL).run(TOKENS[:3])
    assert trace.logits is not None
    for t in range(3):
        found.ok()
        np.testing.assert_array_equal(found.take(20), trace.logits[t])
    found.end()


def test_what_older_sessions_are_told_is_not_heard(program):
    class Late(Scripted):
        def exchange(self, data: bytes) -> bytes:
            refusal = Frame(8, 3, REFUSED | Reason.SESSION, b"\0\0\x08\0")
            reply = Frame(8, 0, 0x80 | Command.STEP)
            return encode(refusal) + encode(reply) + super().exchange(data)

    found = program.run(
        ("open", 1), ("feed", 100, TOKENS[:100]), "counters", "host", board=Late(board_of(MODEL))
    )
    found.ok()
    found.ok()
    found.ok()
    assert found.take(2).tolist() == [100, 0]
    assert found.take(2)[1] == 0  # nothing is sent again


def test_no_more_is_on_its_way_than_the_board_buffers(program):
    """Two frames, where four would be allowed: the board has room for 64 bytes."""
    board, frames = board_of(MODEL, link=LinkConfig(slot_bytes=64, receive_bytes=64)), []

    class Mute:
        def exchange(self, data: bytes) -> bytes:
            frame = decode(data.strip(b"\0"))
            if frame is not None and frame.code == Command.STEP:
                frames.append(frame.sequence)
                return b""
            return board.exchange(data)

    found = program.run(("open", 1), ("feed", 100, TOKENS[:100]), board=Mute())
    found.ok()
    assert found.error() == "ERROR_SILENT"
    assert set(frames) == {0, 1}


def test_a_session_number_that_was_used_is_changed(program):
    """Restarted with the clock and the seed of before, as a microcontroller without either."""
    board = board_of(MODEL)
    for _ in range(3):
        found = program.run(("open", 7), ("step", 16, 1, [4]), board=board)
        found.ok()
        found.ok()
        assert found.one() == Golden(MODEL).run([4]).logits[0].argmax()  # pyright: ignore[reportOptionalSubscript]


def test_a_refusal_is_told_once_and_the_board_goes_on(program):
    board = Scripted(board_of(MODEL), refuses_once=4)
    found = program.run(
        ("open", 1), ("feed", 100, TOKENS[:100]), "host", "reset", ("step", 16, 1, [4]), board=board
    )
    found.ok()
    assert found.error() == "ERROR_REFUSED"
    *_, reason = found.take(6)
    assert reason == Reason.ROOM
    found.ok()
    found.ok()
    assert found.one() == Golden(MODEL).run([4]).logits[0].argmax()  # pyright: ignore[reportOptionalSubscript]
    found.end()
    assert not board.board.session.halted


def test_a_patient_client_gives_up_in_time(program):
    class Dying(Scripted):
        def die(self):
            self.board = Silent()

    board = Dying(board_of(MODEL), die=3)
    found = program.run(("open", 1), ("feed", 100, TOKENS[:100]), "host", board=board)
    found.ok()
    assert found.error() == "ERROR_SILENT"
    *_, timeouts, _ = found.take(6)
    assert 3 <= timeouts < 100


def test_a_wire_that_damages_every_request_is_told(program):
    """The board is heard all the time."""
    board = board_of(MODEL)

    class Damaged:
        def exchange(self, data: bytes) -> bytes:
            frames = [decode(part) for part in data.split(b"\0") if part]
            if all(frame is None or frame.code != Command.STEP for frame in frames):
                return board.exchange(data)
            return board.exchange(data[:3] + bytes([data[3] % 255 + 1]) + data[4:])

    found = program.run(("open", 1), ("feed", 100, TOKENS[:100]), board=Damaged())
    found.ok()
    assert found.error() == "ERROR_DAMAGE"


@pytest.mark.nightly
def test_sequence_numbers_begin_anew(program):
    """65,536 requests and more, of a board that computes nothing."""
    board = board_of(MODEL)
    described = board.info.pack()
    applied = []
    session = BoardSession(
        LinkConfig(),
        describe=lambda: described,
        begin=lambda: None,
        execute=lambda frame: applied.append(frame.payload[1]) or b"",
        count=lambda event: None,
    )
    splitter = Splitter(512)

    class Fast:
        def exchange(self, data: bytes) -> bytes:
            return b"".join(session.answer(part) for part in splitter.feed(data))

    tokens = np.arange(66_000) % 20
    found = program.run(("open", 1), ("step", 0, len(tokens), tokens), board=Fast(), rate=1e-4)
    found.ok()
    for _ in tokens:
        found.ok()
    assert applied == tokens.tolist()
