"""Windows and features through the driver: outputs are the golden model's, wherever the head is."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.board_over_wires import FaultyTransport, opened
from tests.helpers.task_models import TASKS, features, task_model
from trine_sw.driver import AsyncBoard, Board, BoardState
from trine_sw.driver.transports import ModelTransport
from trine_sw.engine import EngineConfig
from trine_sw.golden import Golden
from trine_sw.golden.sequences import run_sequences
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import Command, LinkConfig
from trine_sw.model import Model
from trine_sw.support.errors import TrineError

LENGTHS = [1, 30, 2, 77, 5]


def engine_of(model: Model, head: str) -> EngineConfig:
    lanes = len(model.config.spec.lanes) * model.config.hidden + model.config.vocab_size
    return EngineConfig(lanes, 2, embedding="host", head=head)


def same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "link",
    [
        LinkConfig(),
        LinkConfig(window=1, slot_bytes=64, receive_bytes=128),
        LinkConfig(codec="fast"),
        LinkConfig(window=1, slot_bytes=64, receive_bytes=128, codec="fast"),
    ],
    ids=["window", "small", "sequences", "sequences, small"],
)
@pytest.mark.parametrize(
    ("place", "kind"), [("board", "ternary"), ("host", "ternary"), ("host", "float"), ("board", "float")]
)
@pytest.mark.parametrize(
    ("task", "reduction"),
    [("classify", "last"), ("classify", "sum"), ("label", "last"), ("regress", "last"), ("regress", "sum")],
)
def test_outputs_are_the_golden_model_s(task, reduction, place, kind, link):
    rate = 0.0
    for seed, encoder in enumerate((True, False)):
        model = task_model(task, seed=seed, reduction=reduction, head="both", encoder=encoder)
        rng = np.random.default_rng(seed)
        given = features(rng, LENGTHS) if encoder else None
        given = given or [rng.integers(-1, 2, (length, model.config.embedding)) for length in LENGTHS]
        expected = run_sequences(model, given, head_kind=kind)
        board, _ = opened(model, engine=engine_of(model, place), link=link, rate=rate, seed=seed + 3)
        outputs = list(board.sequences(given, head_kind=kind))
        if task == "regress":
            same([each.values for each in outputs], expected.values)
            np.testing.assert_array_equal(board.regress(iter(given), head_kind=kind), expected.values)
        else:
            same([each.classes for each in outputs], expected.classes)
            same(board.classify(given, head_kind=kind), expected.classes)
        if expected.logits is not None:
            same([each.logits for each in outputs], expected.logits)
        rate = 0.002  # a wire with faults


def test_a_class_costs_no_more_than_it_must():
    """One frame of a short window, and answers to steps only where they are needed."""
    model = task_model("classify", hidden=40)
    given = features(np.random.default_rng(0), [20, 400])
    transport = FaultyTransport(BoardModel(model, engine_of(model, "board")))
    sizes = []

    def exchange(data, board=transport.board.exchange):
        answer = board(data)
        sizes.append((len(data), len(answer)))
        return answer

    transport.board.exchange = exchange
    board = Board.connected(lambda: transport, model)
    sizes.clear()
    found = board.classify(given)
    assert isinstance(found, np.ndarray) and found.dtype == np.int64
    assert sum(answer for _, answer in sizes) < 20 * 1 + 25 * 8  # choices of the short one, and frames


@pytest.mark.parametrize(("reduction", "most"), [("last", 30), ("sum", 30), ("last", 3)])
def test_many_short_windows_fill_frames_and_each_is_answered_by_its_class_alone(reduction, most):
    """Of a board that takes sequences; longer ones go on in the next frame."""
    model = task_model("classify", hidden=40, reduction=reduction)
    rng = np.random.default_rng(0)
    given = features(rng, rng.integers(1, most, 200).tolist() + [700])
    link = LinkConfig(window=4, slot_bytes=512, codec="fast")
    board, transport = opened(model, engine=engine_of(model, "board"), link=link)
    before = board.counters.frames
    transport.arrived.clear()
    transport.answered.clear()
    same(board.classify(given), run_sequences(model, given).classes)
    items = sum(2 * len(each) for each in given)  # of 8 trits
    frames = board.counters.frames - before - 1
    assert frames <= (items + 2 * len(given)) // (link.max_payload - 8) + 2
    assert len(transport.answered) <= len(given) + 12 * (frames + 1) + 60  # and the counters
    assert len(transport.arrived) <= items + 2 * len(given) + 16 * (frames + 2)


def test_sums_that_the_board_cannot_hold_are_made_by_the_host(monkeypatch):
    """Of windows of more steps than its sums are good for, between others."""
    monkeypatch.setattr("trine_sw.driver.windows.most_summed", lambda bits: 20)
    model = task_model("classify", reduction="sum")
    given = features(np.random.default_rng(0), [3, 20, 21, 90, 4, 33, 1])
    board, _ = opened(model, engine=engine_of(model, "board"), link=LinkConfig(codec="fast"))
    expected = run_sequences(model, given)
    same(board.classify(given), expected.classes)
    same([each.logits for each in board.sequences(given)], expected.logits)


@pytest.mark.parametrize("link", [LinkConfig(), LinkConfig(codec="fast")], ids=["serial", "fast"])
def test_windows_begin_from_zero_and_leave_their_state(link):
    model = task_model("classify")
    given = features(np.random.default_rng(1), [6, 9])
    board, _ = opened(model, engine=engine_of(model, "host"), link=link)
    list(board.stream(given[1][:3]))
    board.classify(given)
    assert model.encoder is not None
    trace = Golden(model).run_vectors(model.encoder.trits(given[1]))
    np.testing.assert_array_equal(board.state.c, trace.c[-1])
    more = board.step(given[0][3], want=["h"])  # differences are to the last window's last step
    both = model.encoder.trits(np.concatenate([given[1], given[0][3:4]]))
    np.testing.assert_array_equal(more.h, Golden(model).run_vectors(both).h[-1])


@pytest.mark.parametrize("form", ["features", "samples", "list"])
def test_stream_of_features_goes_on(form):
    """In pieces, one by one, after a stream that was left, and from a state that was kept."""
    model = task_model("label", hidden=12)
    assert model.encoder is not None and model.encoder.differences
    (x,) = features(np.random.default_rng(2), [4000])
    expected = Golden(model).run_vectors(model.encoder.trits(x)).h
    given = model.encoder.samples(x) if form == "samples" else x
    given = [row.tolist() for row in given] if form == "list" else given
    board, transport = opened(model, engine=engine_of(model, "board"))
    found = [step.h for step in board.stream(given[:20])] + [board.step(given[20]).h]
    stream = board.stream(iter(given[21:]))
    found.append(next(stream).h)
    stream.close()
    applied = board.counters.tokens  # what was sent
    assert 22 <= applied < 4000
    kept = board.state
    found += [None] * (applied - 22)
    found += [step.h for step in board.stream(given[applied : applied + 30])]
    board.reset()
    np.testing.assert_array_equal(board.step(given[0]).h, expected[0])
    board.state = kept
    assert kept.sample is not None
    np.testing.assert_array_equal(board.step(given[applied]).h, expected[applied])
    for at, h in enumerate(found):
        if h is not None:
            np.testing.assert_array_equal(h, expected[at], str(at))


def test_asynchronous_board_gives_the_same():
    model = task_model("classify", reduction="sum")
    regression = task_model("regress")
    given = features(np.random.default_rng(3), LENGTHS)

    async def found(model, task):
        async def made():
            return AsyncBoard(
                lambda: ModelTransport(BoardModel(model, engine_of(model, "board"))), model, "", 5
            )

        board = await made()
        await board._begin()
        each = [output async for output in board.sequences(given)]
        return each, await getattr(board, task)(given)

    expected = run_sequences(model, given)
    each, classes = asyncio.run(found(model, "classify"))
    same(classes, expected.classes)
    same([output.logits for output in each], expected.logits)
    np.testing.assert_array_equal(
        asyncio.run(found(regression, "regress"))[1], run_sequences(regression, given).values
    )


@pytest.mark.parametrize("link", [LinkConfig(), LinkConfig(codec="fast")], ids=["serial", "fast"])
def test_wrong_window_comes_after_those_before_it(link):
    model = task_model("classify")
    given = features(np.random.default_rng(4), [5, 6])
    board, _ = opened(model, engine=engine_of(model, "board"), link=link)
    expected = run_sequences(model, given).classes
    for wrong, message in (
        (np.full((3, 2), np.nan), "sequence 2: features must be finite numbers"),
        (np.zeros((0, 2)), "sequence 2: there is no step in it"),
        (np.zeros((3, 5)), r"sequence 2: features must be of shape \(T, 2\)"),
        (np.full((3, 8), 2), r"sequence 2: trits must be -1, 0 or \+1"),
        (None, "sequence 2: a sequence must be trits"),
    ):
        stream, outputs = board.sequences([*given, wrong]), []
        with pytest.raises(TrineError, match=message):
            for output in stream:
                outputs.append(output.classes)
        same(outputs, expected)
        same(board.classify(given), expected)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([np.nan, 1.0], "feature 0 is nan"),
        ([1.0], r"features must be of shape \(T, 2\)"),
        (np.zeros(3, int), "an input vector must have 8 trits, not"),
        (7, "takes vectors"),
    ],
)
def test_wrong_features_of_a_step(wrong, message):
    model = task_model("classify")
    board, _ = opened(model, engine=engine_of(model, "board"))
    (x,) = features(np.random.default_rng(5), [4])
    good = list(board.stream(x[:2]))
    stream = board.stream([x[2], np.asarray(wrong), x[3]])
    good.append(next(stream))
    with pytest.raises(TrineError, match=message):
        next(stream)
    good.append(board.step(x[3]))
    assert model.encoder is not None
    trace = Golden(model).run_vectors(model.encoder.trits(x))
    same([step.h for step in good], trace.h)


def test_wrong_calls():
    model = task_model("classify")
    board, _ = opened(model, engine=engine_of(model, "board"))
    with pytest.raises(TrineError, match="its task is|model's task is 'classify'"):
        board.regress([np.zeros((2, 2))])
    with pytest.raises(TrineError, match="the model has no head 'float', but a ternary one"):
        board.classify([np.zeros((2, 2))], head_kind="float")
    with pytest.raises(TrineError, match="sequences must be arrays"):
        board.classify(3)
    with pytest.raises(TrineError, match="several arrays"):
        board.classify(np.zeros((3, 2)))
    assert len(board.classify([])) == 0
    regression = task_model("regress")
    board, _ = opened(regression, engine=engine_of(regression, "board"))
    with pytest.raises(TrineError, match="take regress"):
        board.classify([np.zeros((2, 2))])
    assert board.regress([]).shape == (0, 3)
    with pytest.raises(TrineError, match="the samples before must be int16"):
        state = board.state
        board.state = BoardState(state.h, state.c, sample=np.zeros(5, np.int16))
        board.step(np.zeros(2))
    nameless = Board.connected(lambda: ModelTransport(BoardModel(model, engine_of(model, "board"))), None)
    with pytest.raises(TrineError, match=r"outputs of sequences need the model: Board.open\(url, model\)"):
        nameless.classify([np.zeros((2, 2))])
    with pytest.raises(TrineError, match="tokens must be whole numbers"):
        nameless.step(np.zeros(2))


def test_other_labels_and_encoder_need_no_other_bitstream():
    """A board is asked with another encoder, other labels and another float head than it was built with."""
    built = task_model("classify", head="both")
    assert built.encoder is not None
    other = replace(
        built, encoder=replace(built.encoder, scale=built.encoder.scale / 3), labels=["x", "y", "z"]
    )
    given = features(np.random.default_rng(6), LENGTHS)
    board, _ = opened(built, engine=engine_of(built, "host"), given=other)
    same(board.classify(given), run_sequences(other, given).classes)
    assert Command.RESET  # windows are told apart by it alone: the protocol is as it was


@pytest.mark.parametrize("task", TASKS)
def test_default_engine_of_every_task(task):
    from trine_sw.engine.default import default_engine

    for head in ("ternary", "float", "both"):
        model = task_model(task, head=head)
        assert default_engine(model).embedding == "host"
        board, _ = opened(model)
        given = features(np.random.default_rng(7), LENGTHS)
        expected = run_sequences(model, given)
        found = board.regress(given) if task == "regress" else board.classify(given)
        same(found, expected.values if task == "regress" else expected.classes)
