"""The C client: every step once over a faulty wire, outputs equal to the golden model's."""

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.c_client import board_of, compiled, needs_gcc
from tests.helpers.selection import named, product
from tests.helpers.task_models import features, task_model
from trine_sw.golden import Golden
from trine_sw.golden.sequences import run_sequences
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

pytestmark = needs_gcc

EVERYTHING = 31
PIPELINED = LinkConfig(window=4, slot_bytes=64, receive_bytes=512)
SMALL = LinkConfig(window=1, slot_bytes=64, receive_bytes=64)


def language(cell="lstm", *, seed=3, head=True, **options):
    config = {"hidden": 13, "embedding": 9, "vocab_size": 30, "cell_max": 15, "head_levels": (0, 1, 2, 5)}
    model = random_model(ModelConfig(cell=cell, **config | options), seed=seed)
    if not head:
        model = replace(model, head_weight=None, head_bias=None, head_scale=None)
    return model


def check_steps(found, trace, model, asked=EVERYTHING):
    for t in range(len(trace.h)):
        found.ok()
        size = model.config.hidden
        if asked & 1:
            np.testing.assert_array_equal(found.take(size), trace.h[t, -size:])
        if asked & 2:
            np.testing.assert_array_equal(found.take(size), trace.u[t])
        if asked & 4:
            assert found.one() > 0
        if asked & 8:
            np.testing.assert_array_equal(found.take(model.config.vocab_size), trace.logits[t])
        if asked & 16:
            assert found.one() == trace.logits[t].argmax()


@pytest.mark.parametrize(
    "cell, layers, levels, symbols, embedding, head, window, link",
    [
        ("lstm", 1, (0, 1), 300, "board", "board", 1, None),
        ("gru", 2, (0, 1, 3), 30, "host", "board", 4, LinkConfig(window=8)),
        ("mgu", 1, (0, 3), 300, "host", "host", 4, LinkConfig(window=2)),
        ("lstm", 3, tuple(range(128)), 30, "board", "host", 3, LinkConfig(window=4)),
        ("gru", 1, (0, 2, 2, 7), 1, "board", "board", 2, None),
    ],
)
def test_each_token_is_applied_once_over_a_faulty_wire(
    tmp_path, cell, layers, levels, symbols, embedding, head, window, link
):
    model = language(cell, layers=layers, head_levels=levels, vocab_size=symbols, cell_max=127)
    places = {"embedding": embedding, "head": head}
    program = compiled(model, tmp_path, options=[f"-DTRINE_WINDOW={window}"], **places)
    rng = np.random.default_rng(1)
    tokens = rng.integers(0, symbols, 90)
    trace = Golden(model).run(tokens)
    assert trace.logits is not None
    for rate in (0.0, 0.004):
        board = board_of(model, link=link, **places)
        found = program.run(
            ("open", 77),
            ("step", EVERYTHING, 30, tokens[:30]),
            ("feed", 59, tokens[30:89]),
            ("step", 4 | 16, 1, tokens[89:]),
            "counters",
            "host",
            board=board,
            rate=rate,
        )
        found.ok()
        check_steps(found, Golden(model).run(tokens[:30]), model)
        found.ok()
        found.ok()
        assert found.one() > 0 and found.one() == trace.logits[-1].argmax()
        found.ok()
        assert found.one() == len(tokens) == board.counts["tokens"]
        found.one()
        sent, resent, replies, *_ = found.take(6)
        assert sent == replies and (resent > 0) == (rate > 0)
        found.end()
        np.testing.assert_array_equal(board._state.c[0], trace.c[-1])


@pytest.mark.parametrize("length", [243, 244, 245, 253, 254, 255, 499, 700])
def test_long_frames_of_bytes_that_are_not_zero(tmp_path_factory, length):
    """Blocks of COBS end at 254 bytes, with and without a zero behind them."""
    model = language(vocab_size=250)
    name = "c-client-long"
    options = ["-DTRINE_REQUEST_BYTES=720"]
    folder = tmp_path_factory.getbasetemp() / name
    program = PROGRAMS.get(name) or PROGRAMS.setdefault(name, compiled(model, folder, options=options))
    tokens = np.random.default_rng(length).integers(1, 250, length)
    for last in (1, 0):
        tokens[-1] = last
        board = board_of(model, link=LinkConfig(slot_bytes=1024))
        found = program.run(("open", 1), ("feed", length, tokens), "host", board=board)
        found.ok()
        found.ok()
        assert found.one() == 1  # frame
        np.testing.assert_array_equal(board._state.c[0], Golden(model).run(tokens).c[-1])


@pytest.mark.parametrize("asked", [0, 1, 2, 3, 4, 8, 16, 8 | 2, 8 | 1, 16 | 4])
def test_a_step_gives_what_it_is_asked_for(tmp_path_factory, asked):
    model = language(vocab_size=40)
    for head in ("board", "host"):
        name = f"c-client-{head}"
        folder = tmp_path_factory.getbasetemp() / name
        program = PROGRAMS.get(name) or PROGRAMS.setdefault(name, compiled(model, folder, head=head))
        tokens = np.random.default_rng(asked).integers(0, 40, 6)
        found = program.run(("open", 1), ("step", asked, 6, tokens), board=board_of(model, head=head))
        found.ok()
        check_steps(found, Golden(model).run(tokens), model, asked)
        found.end()


PROGRAMS = {}


@pytest.mark.parametrize(
    "embedding, head, symbols",
    [("board", "board", 300), ("board", "board", 30), ("host", "board", 30), ("board", "host", 300)],
)
def test_generation_is_the_golden_model_s(tmp_path, embedding, head, symbols):
    model = language("gru", vocab_size=symbols)
    program = compiled(model, tmp_path, embedding=embedding, head=head)
    prompt, golden = np.array([4, 2, 9]), Golden(model)
    temperature = 64 / 64 * model.head_scale
    for rate in (0.0, 0.003):
        found = program.run(
            ("open", 5),
            ("generate", 64, 0, 0, 70, 3, prompt),
            "reset",
            ("generate", 64, 1, 123456789, 20, 3, prompt),
            "reset",
            ("generate", 0, 1, 1, 20, 3, prompt),
            ("tau", np.array([temperature * 1.5])),
            ("tau", np.array([-0.1])),
            ("tau", np.array([np.nan])),
            ("tau", np.array([64.0 * model.head_scale])),
            board=board_of(model, embedding=embedding, head=head),
            rate=rate,
        )
        found.ok()
        for count, heat, seed in ((70, temperature, 0), (20, temperature, 123456789), (20, 0.0, 1)):
            found.ok()
            expected = golden.generate(prompt, count, heat, seed)
            np.testing.assert_array_equal(found.take(count), expected)
            if count == 70 or heat:
                found.ok()
        assert (found.error(), found.one()) == ("OK", 96)
        for _ in range(3):
            assert (found.error(), found.one()) == ("ERROR_ARGUMENT", 0)
        found.end()


@pytest.mark.parametrize(
    "task, encoder, head",
    product(
        named("classify-last", "classify-sum", "label-last", "regress-last", "regress-sum"),
        {"encoder": True, "trits": False},
        named("board", "host"),
        always=[
            "classify-last-encoder-board",
            "classify-sum-encoder-host",
            "classify-last-trits-host",
            "label-last-encoder-host",
            "label-last-trits-board",
            "regress-sum-encoder-board",
            "regress-last-encoder-host",
        ],
    ),
)
def test_windows_are_the_golden_model_s(tmp_path, task, encoder, head):
    task, reduction = task.split("-")
    seed = len(task) + len(reduction) + encoder
    outputs = 300 if task == "classify" and encoder else 3
    model = task_model(task, seed=seed, reduction=reduction, encoder=encoder, outputs=outputs)
    program = compiled(model, tmp_path, options=["-DTRINE_WINDOW=4"], head=head)
    rng, rate = np.random.default_rng(seed), 0.0
    lengths = [1, 30, 2, 77, 5]
    given, samples = [], []
    if encoder:
        assert model.encoder is not None
        given = [x.astype(np.float32) for x in features(rng, lengths)]
        samples = [model.encoder.samples(x) for x in given]
        trits = [model.encoder.trits(x) for x in given]
    else:
        trits = given = [rng.integers(-1, 2, (length, model.config.embedding)) for length in lengths]
    expected = run_sequences(model, given)
    for link in (None, *((SMALL, PIPELINED) if outputs == 3 else (LinkConfig(slot_bytes=1024),))):
        commands = [("open", 9)]
        for number in range(len(lengths)):
            forms = {"window_trits": trits}
            if encoder:
                forms |= {"window": given, "window_samples": samples}
            for name, form in forms.items():
                commands.append((name, lengths[number], form[number], number % 2))
        board = board_of(model, embedding="host", head=head, link=link)
        found = program.run(*commands, board=board, rate=rate)
        found.ok()
        for number in range(len(lengths)):
            for _ in range(3 if encoder else 1):
                found.ok()
                if task == "label":
                    assert isinstance(expected.classes, list)
                    np.testing.assert_array_equal(found.take(lengths[number]), expected.classes[number])
                elif task == "regress":
                    assert expected.values is not None
                    np.testing.assert_array_equal(found.reals(outputs), expected.values[number])
                else:
                    assert expected.classes is not None and expected.logits is not None
                    assert found.one() == expected.classes[number]
                    if number % 2:
                        np.testing.assert_array_equal(found.take(outputs), expected.logits[number])
        found.end()
        rate += 0.002


@pytest.mark.parametrize("real", ["float", "double"])
def test_samples_and_trits_are_the_encoder_s(tmp_path, real):
    model = task_model("label", hidden=5)
    encoder = model.encoder
    assert encoder is not None
    rng = np.random.default_rng(4)
    ties = (np.arange(-9, 10) / 2)[:, None] / encoder.scale + encoder.offset
    huge = [[3e38, -3e38], [0, -0.0], [1e-40, 1], encoder.offset + 32766.5 / encoder.scale]
    x = np.concatenate([rng.normal(size=(300, 2)) * 3, rng.normal(size=(50, 2)) * 100, ties, huge])
    x = x if real == "double" else x.astype(np.float32).astype(np.float64)
    program = compiled(model, tmp_path, options=[f"-DTRINE_REAL={real}"])
    found = program.run(("encode", len(x), x))
    samples, trits = encoder.samples(x), encoder.trits(x)
    for t in range(len(x)):
        found.ok()
        np.testing.assert_array_equal(found.take(2), samples[t])
        np.testing.assert_array_equal(found.take(encoder.size), trits[t])
    found.end()


def test_steps_of_features_go_on_with_their_differences(tmp_path):
    model = task_model("label", hidden=12)
    assert model.encoder is not None and model.encoder.differences
    (x,) = (each.astype(np.float32) for each in features(np.random.default_rng(2), [60]))
    samples = model.encoder.samples(x)
    trace = Golden(model).run_vectors(model.encoder.trits(x))
    program = compiled(model, tmp_path)
    found = program.run(
        ("open", 2),
        ("step", EVERYTHING, 20, x[:20]),
        ("step_samples", EVERYTHING, 20, samples[20:40]),
        ("step", EVERYTHING, 20, x[40:]),
        "reset",
        ("step", EVERYTHING, 20, x[:20]),
        board=board_of(model, embedding="host"),
        rate=0.003,
    )
    found.ok()
    check_steps(found, trace, model)
    found.ok()
    check_steps(found, Golden(model).run_vectors(model.encoder.trits(x[:20])), model)
    found.end()
