"""The C client against boards that are silent, wrong, reset or taken, and against callers that are."""

import subprocess
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.c_client import board_of, compiled, needs_gcc
from tests.helpers.task_models import task_model
from trine_sw.client import c_client
from trine_sw.client.c_errors import ERRORS
from trine_sw.golden import Golden
from trine_sw.link.board_session import BoardSession
from trine_sw.link.items import Refusal
from trine_sw.link.protocol import REFUSED, Command, Frame, LinkConfig, Reason, Splitter, decode, encode
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

pytestmark = needs_gcc

MODEL = random_model(
    ModelConfig(cell="gru", hidden=7, embedding=6, vocab_size=20, head_levels=(0, 1, 3)), seed=5
)
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
        assert self.board.exchange(encode(Frame(1, 1, Command.OPEN, b"\3")))

    def opened_by_another(self):
        assert self.board.exchange(encode(Frame(999, 1, Command.OPEN, b"\3")))

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
        (Answering(lambda frame: Frame(frame.session, frame.sequence, 0x81, b"\3abc")), "ERROR_ANSWER"),
        (Answering(lambda frame: Frame(frame.session, frame.sequence, 0x81, b"\2abc")), "ERROR_VERSION"),
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


def test_wrong_arguments_send_nothing(program, tmp_path):
    found = program.run(
        ("open", 1),
        ("step", 16, 1, [20]),
        ("feed", 3, [1, 2, 20]),
        ("feed", 0),
        ("generate", 4096, 0, 0, 2, 1, [0]),
        ("generate", 0, 0, 0, 2, 0),
        ("generate", 0, 0, 0, 0, 1, [0]),
        ("generate", 0, 0, 0, 2, 1, [99]),
        "host",
        "hostile",
        board=board_of(MODEL),
    )
    found.ok()
    assert found.error() == "ERROR_ARGUMENT" and found.one() == 0
    assert found.error() == "ERROR_ARGUMENT"
    found.ok()
    for count in (2, 2, 0, 2):
        assert found.error() == "ERROR_ARGUMENT"
        assert not found.take(count).any()
    assert found.one() == 0  # sent
    found.take(5)
    assert [found.error() for _ in range(5)] == ["ERROR_ARGUMENT"] * 5
    found.end()


def test_wrong_sequences_send_nothing(tmp_path):
    model = task_model("classify")
    program = compiled(model, tmp_path)
    x = np.zeros((4, 2))
    for bad in (np.nan, np.inf, -np.inf):
        wrong = x.copy()
        wrong[3, 1] = bad
        trits = np.zeros((4, model.config.embedding), np.int64)
        trits[2, 3] = 2
        found = program.run(
            ("open", 1),
            ("window", 4, wrong, 0),
            ("window", 0, 0),
            ("window_trits", 4, trits, 0),
            ("step", 0, 1, wrong[3]),
            ("step_trits", 0, 1, trits[2]),
            "host",
            board=board_of(model, embedding="host"),
        )
        found.ok()
        for _ in range(3):
            assert (found.error(), found.one()) == ("ERROR_ARGUMENT", 0)
        for _ in range(2):
            assert found.error() == "ERROR_ARGUMENT"
        assert found.one() == 0
        found.take(5)
        found.end()


@pytest.mark.parametrize(
    "option, message",
    [
        ("-DTRINE_WINDOW=0", "TRINE_WINDOW must be from 1 to 64"),
        ("-DTRINE_WINDOW=65", "TRINE_WINDOW must be from 1 to 64"),
        ("-DTRINE_REQUEST_BYTES=2", "TRINE_REQUEST_BYTES must be"),
        ("-DTRINE_REPLY_BYTES=2", "TRINE_REPLY_BYTES must be"),
        ("-ffast-math", "-ffast-math changes results"),
    ],
)
def test_sizes_that_cannot_be_do_not_compile(tmp_path, option, message):
    _, source = c_client(MODEL).write(tmp_path)
    run = subprocess.run(["gcc", "-c", option, "-o", "/dev/null", source], capture_output=True, text=True)
    assert run.returncode and message in run.stderr


def test_the_least_sizes_suffice(tmp_path):
    """And what does not fit is refused before it is sent."""
    options = [
        "-DTRINE_REQUEST_BYTES=TRINE_LEAST_REQUEST_BYTES",
        "-DTRINE_REPLY_BYTES=TRINE_LEAST_REPLY_BYTES",
    ]
    model = random_model(ModelConfig(hidden=400, embedding=6, vocab_size=90), seed=5)
    program = compiled(model, tmp_path, options=options)
    golden, prompt = Golden(model), np.array([1, 2, 3])
    board = board_of(model)
    found = program.run(
        ("open", 1),
        ("generate", 0, 0, 0, 40, 3, prompt),
        "reset",
        ("step", 8 | 2, 1, [4]),
        ("step", 8, 1, [4]),
        board=board,
    )
    found.ok()
    found.ok()
    np.testing.assert_array_equal(found.take(40), golden.generate(prompt, 40))
    found.ok()
    assert found.error() == "ERROR_ROOM"
    found.take(490)
    found.ok()
    np.testing.assert_array_equal(found.take(90), golden.run([4]).logits[0])  # pyright: ignore[reportOptionalSubscript]
    found.end()


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


def test_names_of_errors(program):
    lines = program.run("names").data.decode().splitlines()
    assert lines[0].startswith("TRINE_ERROR_UNKNOWN")
    assert lines[1:][: len(ERRORS)] == [f"TRINE_{name}: {sentence}" for name, sentence in ERRORS]
    assert lines[-1].startswith("TRINE_ERROR_UNKNOWN")


def test_models_that_no_client_computes_are_refused():
    for wrong in ("model", None):
        with pytest.raises(TrineError, match="model must be a Model"):
            c_client(wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TrineError, match="only head is a float one"):
        c_client(task_model("classify", head="float"))
    with pytest.raises(TrineError, match="has no embedding"):
        c_client(task_model("classify"), embedding="board")
    with pytest.raises(TrineError, match="has no ternary head"):
        c_client(task_model("classify", head=None), head="board")
    with pytest.raises(TrineError, match="must be placed on 'board' or 'host'"):
        c_client(MODEL, head="both")
    for prefix in ("", "2a", "A", "a-b", "a" * 40, 'a"'):
        with pytest.raises(TrineError, match="the prefix must be"):
            c_client(MODEL, prefix=prefix)


def test_names_of_labels_and_inputs_cannot_leave_their_comments(tmp_path):
    model: Model = task_model("classify")
    model = replace(model, labels=['a"b', "*/ int x;", "back\\slash ??/ %s µ\n"])
    made = c_client(model, title='m*/"\n#error', head="host")
    assert made.header.isascii() and made.source.isascii()
    compiled(model, tmp_path, client=made)
