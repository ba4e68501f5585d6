"""What the board reduces before it answers: the largest logits of a token and counts of a sequence's classes.

Boards with either codec, those without a feature and hosts that compute it themselves give the golden
model's results."""

import asyncio

import numpy as np
import pytest

from tests.helpers.board_over_wires import LEVELS, host_engine, model_of, opened
from tests.helpers.task_models import features, task_model
from tests.sw.test_driver_windows import engine_of, same
from trine_sw.driver import AsyncBoard, StepBlock
from trine_sw.driver.transports import ModelTransport
from trine_sw.golden import Golden
from trine_sw.golden.readout import Readout
from trine_sw.golden.sequences import run_sequences
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import Feature, LinkConfig
from trine_sw.model import Model
from trine_sw.support.errors import TrineError

LENGTHS = [1, 30, 2, 77, 5, 1]
LINKS = {
    "serial": LinkConfig(),
    "fast": LinkConfig(codec="fast"),
    "fast, 4": LinkConfig(codec="fast", top=4),
    "fast, none": LinkConfig(codec="fast", top=0),
    "fast, small": LinkConfig(window=1, slot_bytes=64, receive_bytes=128, codec="fast"),
}
links = pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)


def ordered(logits: np.ndarray, top: int) -> list[list[tuple[int, float]]]:
    """Symbols and logits of each row, by logit and then by the lowest symbol, without NumPy's sorting."""
    return [sorted(enumerate(row), key=lambda pair: (-pair[1], pair[0]))[:top] for row in logits.tolist()]


def pairs(symbols: np.ndarray, logits: np.ndarray) -> list[list[tuple[int, float]]]:
    return [list(zip(*row, strict=True)) for row in zip(symbols.tolist(), logits.tolist(), strict=True)]


def step_logits(model: Model, kind, sequence: np.ndarray) -> np.ndarray:
    """Logits (T, C) of each step of a sequence."""
    assert model.encoder is not None
    return Readout(model, kind).logits(Golden(model).run_vectors(model.encoder.trits(sequence)).u)


@links
@pytest.mark.parametrize("place", ["board", "host"])
def test_largest_logits_of_a_stream(place, link):
    """Few values, so that most are equal to others; with all else that a step gives, and alone."""
    model = model_of(LEVELS)
    tokens = np.random.default_rng(3).integers(30, size=70)
    trace = Golden(model).run(tokens)
    board, transport = opened(model, engine=host_engine(LEVELS, head=place), link=link, rate=0.001)
    for top, want in ((1, ()), (5, ("choice",)), (4, ("cycles",)), (16, ("h",)), (30, ("logits", "u"))):
        board.reset()
        transport.answered.clear()
        block = StepBlock.joined(board.stream_blocks(tokens, want, top=top))
        assert trace.logits is not None and block.top_symbols is not None and block.top_logits is not None
        assert pairs(block.top_symbols, block.top_logits) == ordered(trace.logits, top)
        assert (block.top_symbols[:, 0] == trace.logits.argmax(1)).all()
        assert (block.logits is None) == ("logits" not in want) and block.top_logits.dtype == np.int32
        if top == 1 and board.info.top:
            assert len(transport.answered) < 70 * 4 + 400  # a symbol and a logit for each
    (step,) = board.stream([3], want=(), top=2)
    assert step.top_symbols is not None and step.top_logits is not None
    assert step.h is None and step.top_symbols.shape == step.top_logits.shape == (2,)
    assert board.step(3).top_symbols is None
    assert board.info.top == (min(link.top, 16) if link.fast and place == "board" else 0)


@links
@pytest.mark.parametrize(
    ("place", "kind"), [("board", "ternary"), ("host", "ternary"), ("host", "float"), ("board", "float")]
)
@pytest.mark.parametrize(
    ("task", "reduction"), [("classify", "last"), ("classify", "sum"), ("label", "last")]
)
def test_largest_logits_and_votes_of_sequences(task, reduction, place, kind, link):
    model = task_model(task, seed=4, reduction=reduction, head="both", outputs=7)
    given = features(np.random.default_rng(4), LENGTHS)
    board, _ = opened(model, engine=engine_of(model, place), link=link, rate=0.001)
    each = [step_logits(model, kind, sequence) for sequence in given]
    expected = run_sequences(model, given, head_kind=kind)
    for top in (1, 3, 7):
        outputs = list(board.sequences(given, head_kind=kind, top=top))
        same([output.classes for output in outputs], expected.classes)
        for number, output in enumerate(outputs):
            assert output.logits is None and output.top_symbols is not None
            logits = each[number] if expected.logits is None else expected.logits[number][None]
            rows = output.top_symbols, output.top_logits
            assert pairs(*(np.reshape(row, (-1, top)) for row in rows if row is not None)) == ordered(
                logits, top
            )
            assert output.top_symbols.ndim == (2 if task == "label" else 1)
    counted = list(board.sequences(given, head_kind=kind, counts=True))
    counts = [np.bincount(logits.argmax(1), minlength=7) for logits in each]
    same([output.counts for output in counted], counts)
    same([output.classes for output in counted], np.argmax(counts, axis=1))
    voted = board.classify(given, head_kind=kind, vote=True)
    np.testing.assert_array_equal(voted, np.argmax(counts, axis=1))
    assert isinstance(voted, np.ndarray)
    same(board.classify(given, head_kind=kind), expected.classes)  # as before


def test_counts_and_largest_logits_cost_no_more_than_they_must():
    """The board answers each window alone, by a byte for a class, four for a count, some for a logit."""
    model = task_model("classify", hidden=40, reduction="sum", outputs=5)
    given = features(np.random.default_rng(0), np.random.default_rng(1).integers(1, 30, 100).tolist())
    link = LinkConfig(window=4, slot_bytes=512, codec="fast")
    board, transport = opened(model, engine=engine_of(model, "board"), link=link)
    frames = sum(2 * len(each) + 2 for each in given) // (link.max_payload - 8) + 2
    for ask, record in (
        (lambda: board.classify(given, vote=True), 1),
        (lambda: list(board.sequences(given, counts=True)), 4 * 5),
    ):
        transport.answered.clear()
        ask()
        assert len(transport.answered) <= record * len(given) + 14 * frames + record * frames
    assert board.info.has(Feature.COUNTS) and board.info.top == 5


def test_features_suit_the_model():
    """Counts and largest logits where a task has classes, and the head is on the board."""
    link = LinkConfig(codec="fast")
    for task, reduction, counts, sums in (
        ("classify", "last", False, False),
        ("classify", "sum", True, True),
        ("label", "last", True, True),
        ("regress", "sum", False, True),
        ("regress", "last", False, False),
    ):
        model = task_model(task, reduction=reduction)
        info = BoardModel(model, engine_of(model, "board"), link).info
        assert (info.has(Feature.COUNTS), info.has(Feature.SUMS)) == (counts, sums)
        assert info.top == (0 if task == "regress" else 3)
        assert not BoardModel(model, engine_of(model, "board")).info.features
        assert BoardModel(model, engine_of(model, "host"), link).info.features == Feature.SEQUENCES


def test_asynchronous_board_reduces_too():
    model = task_model("classify", reduction="sum", outputs=4)
    given = features(np.random.default_rng(5), LENGTHS)
    device = BoardModel(model, engine_of(model, "board"), LinkConfig(codec="fast"))

    async def found():
        board = AsyncBoard(lambda: ModelTransport(device), model, "", 5)
        await board._begin()
        outputs = [output async for output in board.sequences(given, counts=True)]
        tops = [output async for output in board.sequences(given, top=2)]
        step = [each async for each in board.stream(given[0], want=(), top=2)]
        return outputs, tops, step, await board.classify(given, vote=True)

    outputs, tops, steps, voted = asyncio.run(found())
    each = [step_logits(model, "ternary", sequence) for sequence in given]
    counts = [np.bincount(logits.argmax(1), minlength=4) for logits in each]
    same([output.counts for output in outputs], counts)
    same(voted, np.argmax(counts, axis=1))
    sums = run_sequences(model, given).logits
    assert pairs(*(np.array([getattr(top, n) for top in tops]) for n in ("top_symbols", "top_logits"))) == (
        ordered(sums, 2)
    )
    assert np.shape(steps[0].top_symbols) == (2,)


def test_wrong_reductions():
    model, regression = task_model("classify"), task_model("regress")
    board, _ = opened(model, engine=engine_of(model, "board"), link=LinkConfig(codec="fast"))
    x = [np.zeros((2, 2))]
    for top in (-1, 4, 1.5, "2"):
        with pytest.raises(TrineError, match="top must be"):
            list(board.sequences(x, top=top))
        with pytest.raises(TrineError, match="top must be"):
            list(board.stream(x[0], top=top))
    with pytest.raises(TrineError, match="one at a time"):
        list(board.sequences(x, top=1, counts=True))
    of_values, _ = opened(regression, engine=engine_of(regression, "board"))
    for options in ({"top": 1}, {"counts": True}):
        with pytest.raises(TrineError, match="has values and no classes"):
            list(of_values.sequences(x, **options))
    with pytest.raises(TrineError, match="top must be a power of two from 0 to 16, not 3"):
        LinkConfig(top=3)
    with pytest.raises(TrineError, match="top must be"):
        LinkConfig(top=32)
    assert len(board.classify(x, vote=True)) == 1
