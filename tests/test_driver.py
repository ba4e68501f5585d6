"""The driver over the golden board: every answer is the golden model's, and every mistake one clear error."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from trine_sw.backends import default_engine
from trine_sw.driver import AsyncBoard, Board, BoardState
from trine_sw.driver.transports import ModelTransport
from trine_sw.engine import EngineConfig
from trine_sw.errors import TrineError
from trine_sw.golden import Golden
from trine_sw.link.board_model import BoardModel
from trine_sw.link.faulty_wire import FaultyWire
from trine_sw.link.protocol import LinkConfig, Want
from trine_sw.link.session import BoardGone, RequestRefused
from trine_sw.model import Model, ModelConfig
from trine_sw.random_model import random_model
from trine_sw.timing import TimingModel

LEVELS = ModelConfig(
    hidden=21, embedding=9, vocab_size=30, cell_max=15, cell_shift=1, output_shift=1, head_levels=(0, 1, 2, 3)
)
TRITS = ModelConfig(hidden=13, embedding=7, vocab_size=300, cell_max=7)
EVERYTHING = ("h", "u", "cycles", "logits", "choice")


def model_of(config: ModelConfig) -> Model:
    return random_model(config, seed=8)


class FaultyTransport(ModelTransport):
    """A board model behind wires with faults; it may also be unplugged."""

    def __init__(self, device: BoardModel, rate: float = 0, seed: int = 1):
        super().__init__(device)
        self.up, self.down = FaultyWire(rate, seed), FaultyWire(rate, seed + 1)
        self.writes_left: float = float("inf")

    def write(self, data):
        self.writes_left -= 1
        if self.writes_left < 0:
            raise OSError(5, "Input/output error")
        self._answers += self.down.carry(self.board.exchange(self.up.carry(data)))


def opened(
    model: Model, *, engine: EngineConfig | None = None, given=None, link=None, rate=0.0, seed=1
) -> tuple[Board, FaultyTransport]:
    transport = FaultyTransport(BoardModel(model, engine or default_engine(model), link), rate, seed)
    board = Board(lambda: transport, given or model, "the board", 5.0)
    board._begin()
    return board, transport


def host_engine(config: ModelConfig, **places) -> EngineConfig:
    return EngineConfig(4 * config.hidden + config.vocab_size, 2, **places)


def check_steps(steps, trace, *, names=EVERYTHING):
    assert len(steps) == len(trace.h)
    for t, step in enumerate(steps):
        for name in ("h", "u", "logits"):
            if name in names:
                assert np.array_equal(getattr(step, name), getattr(trace, name)[t]), (t, name)
            else:
                assert getattr(step, name) is None
        if "choice" in names:
            assert step.choice == trace.logits[t].argmax()


@pytest.mark.parametrize("config", [LEVELS, TRITS], ids=["levels", "trits"])
@pytest.mark.parametrize(
    "places", [{}, {"head": "host"}, {"embedding": "host"}, dict(embedding="host", head="host")]
)
def test_same_call_serves_every_placement(config, places):
    model = model_of(config)
    tokens = np.random.default_rng(3).integers(0, config.vocab_size, 60)
    engine = host_engine(config, **places) if places else None
    link = LinkConfig(slot_bytes=1024, receive_bytes=2048)
    board, _ = opened(model, engine=engine, link=link)
    trace = Golden(model).run(tokens)
    check_steps(list(board.stream(tokens, EVERYTHING)), trace)
    board.reset()
    check_steps(
        [board.step(int(t), ("choice", "h")) for t in tokens[:5]],
        Golden(model).run(tokens[:5]),
        names=("choice", "h"),
    )
    board.reset()
    expected = Golden(model).generate(tokens[:4], 150, 0.7, 9)
    assert np.array_equal(board.generate(tokens[:4], 150, 0.7, 9), expected)


def test_vectors_in_place_of_tokens():
    model = replace(model_of(TRITS), embedding_weight=None)
    board, _ = opened(model, engine=host_engine(TRITS, embedding="host"))
    x = np.random.default_rng(1).integers(-1, 2, (50, 7))
    trace = Golden(model).run_vectors(x)
    steps = list(board.stream(x))
    assert np.array_equal([step.h for step in steps], trace.h)
    for wrong, message in (
        (np.zeros(6, int), "7 trits, not"),
        (np.full(7, 2), "-1, 0 and \\+1 only"),
        (3, "takes vectors"),
        (np.zeros(7), "whole numbers"),
    ):
        with pytest.raises(TrineError, match=message):
            board.step(wrong)
    assert np.array_equal(board.step(x[0]).h, Golden(model).run_vectors(x[:1], trace.state).h[0])


def test_nothing_need_be_asked_for():
    board, transport = opened(model_of(TRITS))
    assert len(list(board.stream(range(290), ()))) == 290
    assert board.counters.tokens == 290


def test_cycles_are_the_timing_model_s():
    model = model_of(LEVELS)
    assert model.embedding_weight is not None
    board, _ = opened(model)
    tokens = np.arange(30)
    h = Golden(model).run(tokens).h
    timing = TimingModel(BoardModel(model, default_engine(model))._timing.geometry)
    x = timing.x_counts(model.embedding_weight[tokens]).tolist()
    counts = [[0] * 3, *timing.h_counts(h).tolist()]
    expected = [
        timing.step(x[t], counts[t], counts[t + 1], head=True, last=True, offered=1000 * t) for t in range(30)
    ]
    assert [step.cycles for step in board.stream(tokens, ("cycles", "choice"))] == expected
    assert board.counters.cycles == sum(expected)


@pytest.mark.parametrize("rate", [1e-4, 1e-3, 5e-3])
def test_faults_change_nothing(rate):
    model = model_of(LEVELS)
    board, transport = opened(model, rate=rate, seed=int(1e5 * rate))
    tokens = np.random.default_rng(3).integers(0, 30, 2500)
    check_steps(list(board.stream(tokens)), Golden(model).run(tokens), names=("h",))
    counters = board.counters
    assert counters.tokens == len(tokens)
    assert transport.up.faults.total + transport.down.faults.total > 0
    assert (counters.damaged > 0) == (board.host_counters.resent > 0) or transport.down.faults.total


def test_state_goes_on_elsewhere():
    model = model_of(LEVELS)
    first, _ = opened(model)
    second, _ = opened(model, engine=EngineConfig(25, 2))
    tokens = np.random.default_rng(3).integers(0, 30, 80)
    trace = Golden(model).run(tokens)
    list(first.stream(tokens[:40]))
    first.generate([1], 5, 0.9, 3)
    saved = first.state
    second.state = saved
    assert np.array_equal(second.state.h, saved.h) and np.array_equal(second.state.c, saved.c)
    assert np.array_equal(first.generate([2], 30, 0.9, None), second.generate([2], 30, 0.9, None))
    first.reset()
    list(first.stream(tokens[:40]))
    second.state = BoardState(trace.h[39], trace.c[39])
    for board in (first, second):
        assert np.array_equal([step.h for step in board.stream(tokens[40:])], trace.h[40:])


def test_wrong_states_are_refused():
    model = model_of(LEVELS)
    board, _ = opened(model)
    list(board.stream(range(20)))
    saved = board.state
    for h, c in ((saved.h[1:], saved.c[1:]), (saved.h, saved.c + 100), (np.ones(21, int), np.zeros(21, int))):
        with pytest.raises(TrineError, match="cells|no state"):
            board.state = BoardState(h, c)
    assert np.array_equal(board.state.c, saved.c)


def test_reading_state_in_mid_stream():
    model = model_of(LEVELS)
    board, _ = opened(model)
    steps = board.stream(range(30))
    first = next(steps)
    for ask in (lambda: board.state, lambda: board.counters, lambda: board.step(1), board.reset):
        with pytest.raises(TrineError, match="under way"):
            ask()
    check_steps([first, *steps], Golden(model).run(np.arange(30)), names=("h",))
    assert board.state.h.shape == (21,)


def test_stream_closed_early_leaves_the_board_usable():
    model = model_of(LEVELS)
    board, _ = opened(model)
    for _ in board.stream(np.zeros(500, int)):
        break
    board.reset()
    assert np.array_equal(board.step(7).h, Golden(model).run([7]).h[0])


def test_interruption_leaves_the_board_usable():
    model = model_of(LEVELS)
    board, transport = opened(model)
    read, reads = transport.read, iter(range(100))

    def interrupted(timeout):
        if next(reads) == 3:
            raise KeyboardInterrupt
        return read(timeout)

    transport.read = interrupted
    with pytest.raises(KeyboardInterrupt):
        list(board.stream(np.zeros(2000, int)))
    board.reset()
    assert np.array_equal(board.step(7).h, Golden(model).run([7]).h[0])


def test_error_of_a_token_comes_after_the_steps_before_it():
    model = model_of(LEVELS)
    board, _ = opened(model)
    trace = Golden(model).run(np.arange(30))
    steps = []
    with pytest.raises(TrineError, match="token 30 is out of range"):
        for step in board.stream([*range(17), 30, 18]):
            steps.append(step)
    check_steps(steps, Golden(model).run(np.arange(17)), names=("h",))
    assert np.array_equal(board.step(17).h, trace.h[17])
    with pytest.raises(ZeroDivisionError):
        list(board.stream(1 // (2 - n) for n in range(5)))


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda b: b.step(-1), "token -1 is out of range"),
        (lambda b: b.step(1.5), "whole numbers"),
        (lambda b: b.step([1, 2]), "9 trits"),
        (lambda b: b.step(np.zeros(9, int)), "embeds tokens itself"),
        (lambda b: b.step(1, ["hidden"]), "not 'hidden'"),
        (lambda b: b.generate([], 3), "at least one token"),
        (lambda b: b.generate([1], 0), "count"),
        (lambda b: b.generate([1], 3, -1), "temperature"),
        (lambda b: b.generate([1], 3, 0, -1), "seed"),
        (lambda b: b.generate([99], 3), "token 99"),
    ],
)
def test_mistakes_are_named_and_change_nothing(wrong, message):
    model = model_of(LEVELS)
    board, _ = opened(model)
    board.step(3)
    with pytest.raises(TrineError, match=message):
        wrong(board)
    assert np.array_equal(board.step(4).h, Golden(model).run([3, 4]).h[1])
    assert board.counters.tokens == 2


def test_refusal_by_the_board():
    """Where the driver itself lets something wrong pass, the board does not, and the stream can go on."""
    model = model_of(LEVELS)
    board, _ = opened(model)
    board.step(3)
    board._conversation.requests._tokens = lambda values: bytes(int(v) % 256 for v in values)  # type: ignore
    steps = []
    with pytest.raises(RequestRefused, match="STEP: a token is not in the model's vocabulary"):
        for step in board.stream(np.array([4] * 50 + [200] + [5] * 200), ("h", "logits")):
            steps.append(step)
    trace = Golden(model).run([3] + [4] * len(steps))
    assert len(steps) <= 50 and np.array_equal([step.h for step in steps], trace.h[1:])
    assert np.array_equal(board.step(6).h, Golden(model).run([6], trace.state).h[0])


def test_board_with_another_model_or_version():
    with pytest.raises(TrineError, match="another model"):
        opened(model_of(LEVELS), given=model_of(TRITS))
    transport = FaultyTransport(BoardModel(model_of(TRITS), default_engine(model_of(TRITS))))
    transport.board.info = replace(transport.board.info, version=2)
    board = Board(lambda: transport, None, "the board", 1.0)
    with pytest.raises(TrineError, match="version 2 of the protocol, and this driver version 1"):
        board._begin()


def test_answer_that_does_not_fit_a_frame():
    model = model_of(TRITS)
    board, _ = opened(model)
    with pytest.raises(TrineError, match="ask for less"):
        board.step(1, EVERYTHING)
    assert np.array_equal(board.step(1).h, Golden(model).run([1]).h[0])


def test_board_that_goes_and_comes_back():
    model = model_of(LEVELS)
    board, transport = opened(model)
    transport.writes_left = 3
    with pytest.raises(BoardGone, match="has gone .*Input/output error"):
        list(board.stream(np.zeros(3000, int)))
    with pytest.raises(BoardGone, match="is closed"):
        board.step(1)
    transport.writes_left = float("inf")
    board.reset()
    assert np.array_equal(board.step(1).h, Golden(model).run([1]).h[0])


def test_board_that_is_reset_and_goes_on_from_a_checkpoint():
    model = model_of(LEVELS)
    board, transport = opened(model)
    trace = Golden(model).run(np.arange(30))
    list(board.stream(range(15)))
    saved = board.state
    transport.board.reset()
    with pytest.raises(BoardGone, match="was reset"):
        board.step(15)
    board.reset()
    board.state = saved
    assert np.array_equal([step.h for step in board.stream(range(15, 30))], trace.h[15:])


def test_without_the_model():
    model = model_of(LEVELS)
    device = BoardModel(model, default_engine(model))
    board = Board(lambda: ModelTransport(device), None, "the board", 1.0)
    board._begin()
    assert np.array_equal(board.step(1).h, Golden(model).run([1]).h[0])
    with pytest.raises(TrineError, match="need the model's levels"):
        board.step(1, "u")


def test_asyncio_gives_the_same(tmp_path):
    model = model_of(LEVELS)
    path = tmp_path / "levels.trine"
    model.save(path)
    tokens = np.arange(30)
    trace = Golden(model).run(tokens)

    async def main():
        async with await AsyncBoard.open(f"golden:{path}") as board:
            steps = [step async for step in board.stream(tokens, EVERYTHING)]
            state = await board.read_state()
            text = await board.generate([1, 2], 20, 0.5, 3)
            await board.write_state(state)
            after = (await board.step(3)).h
            with pytest.raises(TrineError, match="out of range"):
                await board.step(30)
            await board.reset()
            counters = await board.counters()
            return steps, state, text, after, counters

    steps, state, text, after, counters = asyncio.run(main())
    check_steps(steps, trace)
    assert np.array_equal(state.c, trace.c[-1])
    assert np.array_equal(after, Golden(model).run([3], trace.state).h[0])
    assert counters.tokens == 30 + 21 + 1


@pytest.mark.parametrize(
    "url, message",
    [
        ("nowhere", "is no board"),
        ("golden:", "names no model"),
        ("golden:/missing.trine", "cannot read"),
        ("socket://host", "socket://host:port"),
        ("socket://127.0.0.1:1", "cannot connect"),
        ("/dev/ttyNONE", "there is no port"),
    ],
)
def test_urls(url, message):
    with pytest.raises(TrineError, match=message):
        Board.open(url)


def test_wants_are_all_the_protocol_s():
    assert {str(want.name).lower() for want in Want} == set(EVERYTHING)
