"""Whole boards at their start: PLLs that lock at once, late or not for good, noise, hosts that are off."""

import random

import pytest

from sim.uart.startup import Heard, StartUp
from tests.helpers.one_of_each import ONE_OF_EACH
from trine_boards.clock.pll import START_SECONDS
from trine_sw.engine import EngineConfig
from trine_sw.link.board_design import BoardDesign
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import DONE, PROTOCOL_VERSION, Command, Frame, Reason, decode, encode
from trine_sw.link.records import COUNTERS
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

MODEL = random_model(ModelConfig(hidden=6, embedding=4, vocab_size=8), seed=1)
ENGINE = EngineConfig(lanes=40, banks=1)
OPENING = bytes([PROTOCOL_VERSION])
#: Bit times, of a third of a microsecond, in which the board answers and is silent again.
ANSWER = 900


@pytest.fixture(scope="module", params=list(ONE_OF_EACH))
def board(request) -> StartUp:
    return StartUp(MODEL, ENGINE, ONE_OF_EACH[request.param])


def model_of(board: StartUp) -> BoardModel:
    """The board model of what is simulated."""
    clock_hz = board.board.clock_mhz * 1e6
    design = BoardDesign(MODEL, ENGINE, board.board.link, clock_hz=clock_hz, baud=board.board.baud)
    return BoardModel(**design.parts)


class Session:
    """Frames of a session that use the whole engine, and what the board model answers to them."""

    def __init__(self, board: StartUp, number: int, seed: int) -> None:
        self.board, self.number, self.sequence = board, number, 0
        self.model, self.draw = model_of(board), random.Random(seed)
        self.expected = bytearray()

    def frame(self, command: Command, payload: bytes = b"") -> bytes:
        """The stimulus of a frame and of the time for its answer."""
        encoded = encode(Frame(self.number, self.sequence, command, payload))
        self.sequence += command > Command.OPEN
        self.expected += self.model.exchange(encoded)
        return self.board.send(encoded) + self.board.idle(ANSWER)

    def opened(self) -> list[bytes]:
        """What comes first: zeros, so that whatever came before is the end of no frame, and OPEN."""
        before = self.board.send(b"\0") + self.board.idle(ANSWER)  # whatever noise was is answered for itself
        return [before, self.frame(Command.OPEN, OPENING)]

    def steps(self, count: int) -> list[bytes]:
        """Frames of a few random tokens, with all that can be wanted of one."""
        each = [bytes([1 | 4 | 8 | 16, *self.draw.choices(range(8), k=2)]) for _ in range(count)]
        return [self.frame(Command.STEP, payload) for payload in each]


def frames(data: bytes) -> list[Frame]:
    return [frame for part in data.split(b"\0") if part and (frame := decode(part)) is not None]


def answers_are_the_model_s(heard: Heard, session: Session) -> None:
    """All that the board sent after what noise had been answered by, and nothing else."""
    assert heard.data.endswith(session.expected) and not heard.framing_errors
    assert len(session.expected) > 100
    before = frames(bytes(heard.data[: -len(session.expected)]))
    assert len(before) <= 3 and all(frame.code >= DONE for frame in before)


def starts_after_lock(board: StartUp, heard: Heard, openings: int = 1) -> None:
    """The clock's gate opens once after each lock, and never sooner than a chip needs."""
    if board.board.family != "ecp5":
        assert heard.gates == []
        return
    locks = [cycle for locked, cycle in heard.locks if locked]
    assert len(heard.gates) == openings == len(locks)
    least = START_SECONDS * board.board.clock_mhz * 1e6
    assert all(least <= gate - lock <= 2 * least + 10 for lock, gate in zip(locks, heard.gates, strict=True))


@pytest.mark.parametrize("late", [0, 100, 2500])
@pytest.mark.parametrize("noisy", [False, True], ids=["idle", "noisy"])
def test_board_starts_whenever_the_pll_locks_and_whatever_the_line_does(board, late, noisy):
    session = Session(board, 0x1234, late)
    line = board.noise if noisy else board.idle
    heard = board.run(
        [
            *([line(late)] if late else []),
            board.lock(True),
            line(120),  # 40 us: over the gate's opening, or the end of the reset
            board.idle(20),
            *session.opened(),
            *session.steps(4),
        ]
    )
    answers_are_the_model_s(heard, session)
    starts_after_lock(board, heard)


def test_nothing_is_heard_of_a_board_before_its_start(board):
    """Frames to a board that is not locked, or not yet started, change nothing and are not answered."""
    session = Session(board, 3, 1)
    early = board.send(b"\0" + encode(Frame(9, 0, Command.OPEN, OPENING)))
    heard = board.run(
        [early, board.idle(ANSWER), board.lock(True), board.idle(120), *session.opened(), *session.steps(1)]
    )
    answers_are_the_model_s(heard, session)
    assert bytes(heard.data) == bytes(session.expected)


@pytest.mark.parametrize("error", [-0.025, 0.025])
def test_a_host_whose_baud_rate_is_off(board, error):
    session = Session(board, 0x77, 3)
    stimuli = [board.lock(True), board.idle(180), *session.opened(), *session.steps(5)]
    heard = board.run(stimuli, baud_error=error)
    answers_are_the_model_s(heard, session)
    assert bytes(heard.data) == bytes(session.expected)


def test_a_lock_that_is_lost_and_found_again(board):
    """An ECP5 goes on where its clock was stopped, and has counted that; an iCE40 has been reset."""
    session = Session(board, 0x4321, 5)
    stimuli = [board.lock(True), board.idle(180), *session.opened(), *session.steps(2)]
    for bits in (1, 900):  # no longer than a bit; and longer than the start takes
        stimuli += [board.lock(False), board.idle(bits), board.lock(True), board.idle(180)]
    if board.board.family == "ecp5":
        stimuli += session.steps(2)
        expected = bytes(session.expected)
        stimuli.append(session.frame(Command.COUNTERS))
        heard = board.run(stimuli)
        starts_after_lock(board, heard, openings=3)
        assert heard.data.startswith(expected)
        theirs = frames(bytes(heard.data[len(expected) :]))
        counted = dict(zip(COUNTERS, _numbers(theirs[0].payload), strict=True))
        assert counted == session.model.counts | {"tokens": 8} | {
            name: counted[name] for name in ("cycles", "columns")
        } | {"lock_losses": 2}
        return
    expected = bytes(session.expected)
    again = Session(board, 0x4321, 6)
    refused = encode(Frame(0x4321, session.sequence, Command.COUNTERS))
    stimuli += [board.send(b"\0" + refused), board.idle(ANSWER), *again.opened(), *again.steps(2)]
    counting = again.frame(Command.COUNTERS)
    heard = board.run([*stimuli, counting])
    assert heard.data.startswith(expected)
    answer, *rest = frames(bytes(heard.data[len(expected) :]))
    assert answer.reason is Reason.SESSION and answer.session == 0  # as of a board that was reset
    counted = dict(zip(COUNTERS, _numbers(rest[-1].payload), strict=True))
    assert counted["tokens"] == 4 and counted["lock_losses"] == 0
    assert [frame.code for frame in rest] == [DONE | Command.OPEN] + 2 * [DONE | Command.STEP] + [
        DONE | Command.COUNTERS
    ]


def test_an_inverted_line_and_a_board_that_never_starts_are_not_taken_for_a_board(board):
    """The checks above fail where they must."""
    for locked, inverted in ((True, True), (False, False)):
        session = Session(board, 5, 7)
        stimuli = [board.lock(locked), board.idle(180), *session.opened(), *session.steps(1)]
        heard = board.run(stimuli, inverted=inverted)
        with pytest.raises(AssertionError):
            answers_are_the_model_s(heard, session)


def _numbers(payload: bytes) -> list[int]:
    return [int.from_bytes(payload[at : at + 4], "little") for at in range(0, len(payload), 4)]
