"""The C client against wrong arguments, sizes, models and names."""

import subprocess
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.c_client import MODEL, board_of, compiled, needs_gcc
from tests.helpers.task_models import task_model
from trine_sw.client import c_client
from trine_sw.client.c_errors import ERRORS
from trine_sw.golden import Golden
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

pytestmark = needs_gcc


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The client of :data:`MODEL`."""
    return compiled(MODEL, tmp_path_factory.mktemp("client"))


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
