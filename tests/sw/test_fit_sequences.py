"""The choice of an engine for models of sequences: what cycles are counted on, and where the head is."""

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.task_models import TASKS, task_model
from trine_boards import BOARDS
from trine_sw.engine import Geometry
from trine_sw.engine.bank_balance import active_columns
from trine_sw.engine.default import default_engine
from trine_sw.engine.timing import vector_cycles
from trine_sw.fit import Placement, balance_banks, configure, estimate, fit, sample_text
from trine_sw.fit.sample import Sample
from trine_sw.golden import Golden
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

ICEBREAKER, ULX3S = BOARDS["icebreaker"], BOARDS["ulx3s"]


@pytest.mark.parametrize("board", [ICEBREAKER, ULX3S], ids=["icebreaker", "ulx3s"])
@pytest.mark.parametrize("task", TASKS)
def test_every_head_fits_and_says_what_was_counted(task, board):
    for head in ("ternary", "float", None):
        model = task_model(task, head=head)
        found = fit(model, board)
        assert found.engine.embedding == "host"
        assert found.engine.head == ("board" if head == "ternary" else "host")
        assert found.sample == "13 steps of the model file's sample"
        assert found == estimate(model, found.engine, board)
        bare = fit(replace(model, sample=None), board, activity=0.25)
        assert bare.sample == "400 steps of random trits, 25% of them active"


def test_random_trits_are_as_active_as_they_are_said_to_be():
    model = replace(task_model("label"), sample=None)
    for activity in (0.0, 0.2, 1.0):
        found = sample_text(model, 3000, activity=activity)
        assert abs(np.count_nonzero(found.x) / found.x.size - activity) < 0.01
    quiet, busy = (fit(model, ICEBREAKER, activity=activity) for activity in (0.1, 0.9))
    assert quiet.cycles_per_token < busy.cycles_per_token
    with pytest.raises(TrineError, match="activity must be from 0 to 1"):
        fit(model, ULX3S, activity=1.5)


@pytest.mark.parametrize(
    ("task", "reduction"), [("classify", "last"), ("classify", "sum"), ("label", "last")]
)
def test_sequences_of_the_sample_begin_from_zero(task, reduction):
    model = task_model(task, reduction=reduction, layers=2)
    assert model.sample is not None
    for count in (400, 7):
        found = sample_text(model, count)
        lengths = [5, 1, 7] if count == 400 else [5, 1, 1]
        starts = np.cumsum([0, *lengths[:-1]])
        assert found.starts.nonzero()[0].tolist() == starts.tolist()
        ends = starts + lengths - 1
        heads = ends.tolist() if (task, reduction) == ("classify", "last") else list(range(sum(lengths)))
        assert found.heads.nonzero()[0].tolist() == heads
        alone = [
            Golden(model).run_vectors(each[:length]).h
            for each, length in zip(model.sample.sequences(), lengths, strict=True)
        ]
        np.testing.assert_array_equal(found.h, np.concatenate(alone))
        active = active_columns(model, found.x, found.h, found.starts).reshape(2, len(found.x), -1)
        assert not active[0, starts, -model.config.hidden :].any()


def test_head_is_counted_where_it_is_wanted():
    last, every = (task_model("classify", reduction=each, outputs=40) for each in ("last", "sum"))
    rng = np.random.default_rng(0)
    given = [rng.integers(-1, 2, (steps, 8)).astype(np.int8) for steps in (40, 40)]
    cycles = []
    for model in (last, every):
        engine = configure(model, 24, 4)
        sample = Sample.of_sequences(model, given)
        cycles.append(
            vector_cycles(model, engine, sample.x, sample.h, head=sample.heads, starts=sample.starts).cycles
        )
    assert cycles[0].sum() < cycles[1].sum()
    whole = vector_cycles(every, configure(every, 24, 4), given[0], Golden(every).run_vectors(given[0]).h)
    np.testing.assert_array_equal(whole.cycles[:39], cycles[1][:39])  # as of one sequence


def test_placement():
    model = task_model("classify")
    assert fit(model, ULX3S, Placement(head="host")).engine.head == "host"
    assert configure(model, 40, 2, placement=Placement(head="host")).head == "host"
    assert configure(model, 40, 2, chip=ULX3S, placement=Placement(head="host")).head == "host"
    text = random_model(replace(model.config, vocab_size=9), seed=0)
    for embedding in ("board", "host"):
        for head in ("board", "host"):
            engine = fit(text, ULX3S, Placement(embedding, head)).engine
            assert (engine.embedding, engine.head) == (embedding, head)
    for wrong, message in (
        (Placement("board"), "the model has no embedding, so the board cannot hold it"),
        (Placement(head="board"), "the model has no ternary head, so the board cannot hold it"),
    ):
        with pytest.raises(TrineError, match=message):
            fit(task_model("classify", head="float"), ULX3S, wrong)
    with pytest.raises(TrineError, match="head must be placed on 'board' or 'host', not 'chip'"):
        Placement(head="chip")


def test_default_engine_with_the_head_elsewhere():
    """A lane for every row, with the head and without, as ``trine board --head`` has it."""
    for head in ("ternary", "both"):
        model = task_model("classify", head=head)
        for place in ("board", "host"):
            engine = default_engine(model, placement=Placement(head=place))
            geometry = Geometry(model.config, engine)
            assert engine.head == place and geometry.groups == 1
            assert engine.lanes == 4 * 8 + (4 if place == "board" else 0)


def test_balance_needs_a_sample():
    model = task_model("label", hidden=20)
    engine = configure(model, 90, 3)
    assert balance_banks(model, engine).assignment is not None
    with pytest.raises(TrineError, match="no embedding, and its file no sample"):
        balance_banks(replace(model, sample=None), engine)
